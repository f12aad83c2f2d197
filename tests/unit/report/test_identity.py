"""Who, what, when: copied exactly, nothing more, in a character set that holds it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from nodal.findings import BundleUsed
from nodal.report.context import choose_character_set, patient_context
from nodal.report.identity import content_instant, finish, start_object
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.settings import Profile
from pydicom import Dataset, dcmread
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit

NAMES = [
    "Specimen^Ada",
    "Müller^Jürgen^^Dr.",
    "Παπαδόπουλος^Γιώργος",
    "Иванова^Наталья",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "قباني^لنزار",
    "שרון^דבורה",
]


def target(character_set: str = "ISO_IR 192") -> Target:
    return Target(Profile(character_set=character_set), "measurements")


def pdf(inputs: ReportInputs, to: Target | None = None) -> Dataset:
    return start_object(
        inputs,
        to or target(),
        kind="pdf",
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        series_number=1,
        series_description="a test",
    )


def written(dataset: Dataset) -> Dataset:
    return dcmread(io.BytesIO(finish(dataset, "pdf").data))


def test_only_the_listed_attributes_of_the_patient_are_copied() -> None:
    inputs = sample_inputs(1, PatientComments="free text", InstitutionName="Clinic", OtherPatientIDs="77")
    dataset = written(pdf(inputs))
    copied = {element.keyword for element in dataset if element.tag.group == 0x0010}
    assert copied == {
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
    }
    for absent in ("AdditionalPatientHistory", "PatientComments", "InstitutionName", "OtherPatientIDs"):
        assert absent not in dataset
    for keyword in ("PatientName", "PatientID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"):
        assert dataset[keyword].value == inputs.pet_headers[0][keyword].value


def test_missing_required_attributes_are_empty_and_missing_optional_ones_absent() -> None:
    inputs = sample_inputs(1)
    for keyword in ("PatientBirthDate", "AccessionNumber", "PatientAge", "IssuerOfPatientID"):
        delattr(inputs.pet_headers[0], keyword)
    dataset = written(pdf(inputs))
    assert not dataset.PatientBirthDate
    assert not dataset.AccessionNumber
    assert "PatientAge" not in dataset
    assert "IssuerOfPatientID" not in dataset


def test_all_instants_are_the_findings_own() -> None:
    dataset = written(pdf(sample_inputs(1)))
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        assert dataset[keyword].value == "20240611"
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        assert dataset[keyword].value == "101530.000000"


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("20240611101530.000000+0200", ("20240611", "101530.000000")),
        ("20240611101530-0500", ("20240611", "101530")),
        ("20240611", ("20240611", "000000")),
    ],
)
def test_a_datetime_is_split_without_its_offset(instant: str, expected: tuple[str, str]) -> None:
    assert content_instant(with_findings(sample_inputs(1), content_datetime=instant).findings) == expected


IN_THEIR_OWN_SET = [(NAMES[1], "ISO_IR 100"), (NAMES[2], "ISO_IR 126"), (NAMES[3], "ISO_IR 144")]


@pytest.mark.parametrize(("name", "source_set"), [*((name, "ISO_IR 192") for name in NAMES), *IN_THEIR_OWN_SET])
def test_every_name_survives(name: str, source_set: str) -> None:
    inputs = sample_inputs(1)
    header = inputs.pet_headers[0]
    header.SpecificCharacterSet = source_set
    header.PatientName = name
    stream = io.BytesIO()
    header.save_as(stream, implicit_vr=False, little_endian=True)
    reread = dcmread(io.BytesIO(stream.getvalue()), force=True)
    inputs = ReportInputs(
        inputs.findings, inputs.suv, inputs.lesion_map, (reread, *inputs.pet_headers[1:]), inputs.ct_headers
    )
    assert str(written(pdf(inputs)).PatientName) == name


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("Müller", "ISO_IR 100", "ISO_IR 100"),
        ("Иванова", "ISO_IR 100", "ISO_IR 192"),
        ("Иванова", "ISO_IR 144", "ISO_IR 144"),
        ("Ada", "ISO_IR 6", None),
        ("Müller", "ISO_IR 6", "ISO_IR 192"),
        ("Ada", "ISO_IR 999", "ISO_IR 192"),
        ("山田", "\\ISO 2022 IR 87", "\\ISO 2022 IR 87"),
    ],
)
def test_the_character_set_is_the_targets_where_it_holds_the_name(name: str, wanted: str, expected: str | None) -> None:
    dataset = Dataset()
    dataset.PatientName = name
    assert choose_character_set(dataset, wanted) == expected
    nested = Dataset()
    nested.ReferencedStudySequence = [dataset]
    assert choose_character_set(nested, wanted) == expected


@pytest.mark.parametrize("wanted", ["ISO_IR 100", "ISO_IR 6", "\\ISO 2022 IR 87"])
def test_the_name_is_readable_in_the_set_that_is_named(wanted: str) -> None:
    for name in NAMES:
        assert str(written(pdf(sample_inputs(1, PatientName=name), target(wanted))).PatientName) == name


def test_nested_text_is_decoded_too() -> None:
    inputs = sample_inputs(1)
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = "Klinikum Süd"
    inputs.pet_headers[0].IssuerOfAccessionNumberSequence = [issuer]
    read = written(pdf(inputs))
    assert read.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "Klinikum Süd"


def test_a_value_too_long_for_its_vr_is_copied_as_it_is() -> None:
    # The real STS pairs carry a StudyID of 18 characters; a corrected one would sort under another study.
    inputs = sample_inputs(1, StudyID="IBSI_1_STS_001_PET")
    assert written(pdf(inputs)).StudyID == "IBSI_1_STS_001_PET"


def test_the_same_input_gives_the_same_bytes_and_another_name_another_uid() -> None:
    first: ResultObject = finish(pdf(sample_inputs(2)), "pdf")
    again = finish(pdf(sample_inputs(2)), "pdf")
    other = finish(pdf(sample_inputs(2, PatientName="Other^Ada")), "pdf")
    assert first.data == again.data
    assert first.sha256 == again.sha256
    assert other.sop_instance_uid != first.sop_instance_uid


def test_file_meta_is_ours_and_explicit_little_endian() -> None:
    dataset = written(pdf(sample_inputs(1)))
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert dataset.file_meta.ImplementationVersionName == "NODAL_0.1.0"
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


def test_contributing_equipment_names_the_node_and_every_bundle() -> None:
    inputs = sample_inputs(1)
    provenance = replace(inputs.findings.provenance, bundles=(BundleUsed("lamp", "1.2", "ab" * 32),))
    items = written(pdf(with_findings(inputs, provenance=provenance))).ContributingEquipmentSequence
    assert [item.ManufacturerModelName for item in items] == ["Nodal lymphoma node", "lamp"]
    assert "ab" * 32 in items[1].ContributionDescription
    assert all(item.PurposeOfReferenceCodeSequence[0].CodeValue == "109102" for item in items)


def test_a_virtual_patient_carries_its_marks_and_a_real_one_none() -> None:
    dataset = written(pdf(sample_inputs(1, virtual=True)))
    assert dataset.QualityControlSubject == "YES"
    value = dataset.private_block(0x0099, "NODAL VIRTUAL")[0x01].value
    assert '"generator": "A"' in (value.decode() if isinstance(value, bytes) else value)
    real = written(pdf(sample_inputs(1)))
    assert "QualityControlSubject" not in real
    assert not [element for element in real if element.tag.is_private]


def test_patient_context_leaves_the_header_as_it_was() -> None:
    header = sample_inputs(1).pet_headers[0]
    before = header.to_json()
    patient_context(header).PatientName = "Changed"
    assert header.to_json() == before
