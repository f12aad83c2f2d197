"""Which series of a study are used, and with which words and codes the others, or all, are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nodal.clinical.record import ClinicalRecord
from nodal.dicom.folder import read_study
from nodal.errors import Code, Refused
from nodal.intake.selection import select
from nodal.settings import BaselineSettings, Settings, SuvSettings
from nodal.study import Selection, StudyFiles
from pydicom import Dataset
from pydicom.uid import (
    EnhancedPETImageStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    XRayRadiationDoseSRStorage,
    generate_uid,
)

from tests.unit.intake.headers import Edit, code, ct, other, pet, study

pytestmark = pytest.mark.unit


def chosen(selection: Selection) -> tuple[str, str]:
    return selection.pet.series_instance_uid, selection.ct.series_instance_uid


def reasons(selection: Selection) -> dict[str, str]:
    return {decision.series_instance_uid: decision.reason for decision in selection.series}


def refusal(files: StudyFiles, settings: Settings | None = None, **given: object) -> Refused:
    with pytest.raises(Refused) as caught:
        select(files, settings=settings or Settings(), **given)  # type: ignore[arg-type]
    return caught.value


def test_a_plain_study() -> None:
    selection = select(study(pet(), ct()), settings=Settings())
    assert chosen(selection) == ("1.2.1", "1.2.2")
    assert (selection.baseline, selection.virtual, selection.warnings) == ("assumed", False, ())


def test_among_all_that_a_scanner_sends_each_series_passed_over_has_its_reason() -> None:
    nac = pet("1.2.13", edit={"SeriesDescription": "PET WB NAC"})
    mip = pet("1.2.14", slices=4, edit={"SeriesType": ["WHOLE BODY", "REPROJECTION"]})
    brain = pet("1.2.15", slices=8, edit={"SeriesDescription": "PET Brain AC"})
    lung = ct("1.2.21", edit={"ConvolutionKernel": "B70f"})
    scout = ct("1.2.22", slices=1, edit={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    captured = other("1.2.23", "CT", SecondaryCaptureImageStorage)
    dose = other("1.2.31", "SR", XRayRadiationDoseSRStorage)
    contour = other("1.2.32", "RTSTRUCT", RTStructureSetStorage)
    lesions = other("1.2.33", "SEG", SegmentationStorage)
    files = study(dose, nac, mip, brain, pet("1.2.11"), lung, scout, captured, ct("1.2.20"), contour, lesions)

    selection = select(files, settings=Settings())

    assert chosen(selection) == ("1.2.11", "1.2.20")
    assert [d.series_instance_uid for d in selection.series] == sorted(s.series_instance_uid for s in files.series)
    told = reasons(selection)
    assert "nac" in told["1.2.13"]
    assert "projection" in told["1.2.14"]
    assert told["1.2.15"] == "covers 200 mm; the PET used covers 1000 mm"
    assert "kernel" in told["1.2.21"]
    assert "localizer" in told["1.2.22"]
    assert "Secondary Capture" in told["1.2.23"]
    assert "report" in told["1.2.31"]
    assert "reference" in told["1.2.32"]
    assert "reference" in told["1.2.33"]
    assert all(d.used_as is None for d in selection.series if d.series_instance_uid not in chosen(selection))


@pytest.mark.parametrize(
    ("edit", "code_"),
    [
        ({"CorrectedImage": ["DECY", "SCAT"]}, Code.PET_NOT_CORRECTED),
        ({"CorrectedImage": ["ATTN"]}, Code.PET_NOT_CORRECTED),
        ({"Units": "PROPCNTS"}, Code.PET_NOT_CORRECTED),  # ATTN is listed all the same
        ({"SeriesDescription": "WB_noAC"}, Code.PET_NOT_CORRECTED),
        ({"SeriesDescription": "PET unkorrigiert"}, Code.PET_NOT_CORRECTED),
        ({"SeriesDescription": "TEP non corrigée"}, Code.PET_NOT_CORRECTED),
        ({"AttenuationCorrectionMethod": "NONE"}, Code.PET_NOT_CORRECTED),
        ({"SeriesType": ["DYNAMIC", "IMAGE"]}, Code.PET_DYNAMIC),
        ({"SeriesType": ["GATED", "IMAGE"]}, Code.PET_DYNAMIC),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, Code.PET_DERIVED),
        ({"ImageType": ["DERIVED", "SECONDARY"], "Units": "GML", "SUVType": "LBM"}, Code.PET_DERIVED),
        ({"Units": "GML"}, Code.SUV_TYPE_MISSING),
        ({"Units": "MLMG"}, Code.SUV_UNITS_UNSUPPORTED),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, Code.NO_PET),
        ({"FrameOfReferenceUID": None}, Code.GEOMETRY_MISSING),
        ({"ImagePositionPatient": None}, Code.GEOMETRY_MISSING),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, Code.NO_PET),
        (lambda k, h: setattr(h, "Units", "BQML" if k else "CNTS"), Code.MIXED_SERIES),
        (lambda k, h: setattr(h, "FrameOfReferenceUID", h.FrameOfReferenceUID if k else "1.2"), Code.MIXED_SERIES),
        (lambda k, h: setattr(h, "ImagePositionPatient", [0, 0, k // 4]), Code.PET_DYNAMIC),
        ({"RadiopharmaceuticalInformationSequence": None}, Code.NOT_FDG),
        ({"SOPClassUID": EnhancedPETImageStorage, "AttenuationCorrected": "YES"}, Code.PET_NOT_CORRECTED),
    ],
)
def test_a_pet_that_cannot_be_used_is_refused_with_its_code(edit: Edit, code_: Code) -> None:
    refused = refusal(study(pet(edit=edit), ct()))
    assert refused.code == code_
    assert refused.message.startswith("no PET series can be used: ")
    assert "T1" not in refused.message


def test_the_refusal_names_the_series_that_came_furthest() -> None:
    dynamic = pet("1.2.5", edit={"SeriesType": ["DYNAMIC", "IMAGE"]})
    derived = pet("1.2.6", edit={"ImageType": ["DERIVED", "SECONDARY"]})
    assert refusal(study(derived, dynamic, ct())).code == Code.PET_DERIVED


def test_an_enhanced_pet_needs_a_mapping_to_suv() -> None:
    def enhanced(_: int, header: Dataset) -> None:
        header.SOPClassUID = EnhancedPETImageStorage
        header.AttenuationCorrected = header.DecayCorrected = "YES"

    def mapped(k: int, header: Dataset) -> None:
        enhanced(k, header)
        mapping, shared = Dataset(), Dataset()
        mapping.MeasurementUnitsCodeSequence = code("{SUVbw}g/ml", "UCUM", "Standardized Uptake Value body weight")
        shared.RealWorldValueMappingSequence = [mapping]
        header.SharedFunctionalGroupsSequence = [shared]

    assert refusal(study(pet(edit=enhanced), ct())).code == Code.PET_ENHANCED_UNMAPPED
    assert chosen(select(study(pet(edit=mapped), ct()), settings=Settings())) == ("1.2.1", "1.2.2")


def test_a_derived_pet_whose_values_are_certain_is_used_with_a_warning() -> None:
    sure = pet(edit={"ImageType": ["DERIVED", "SECONDARY"], "Units": "GML", "SUVType": "BW"})
    assert [name for name, _ in select(study(sure, ct()), settings=Settings()).warnings] == ["PET_DERIVED"]
    assumed = pet(edit={"ImageType": ["DERIVED", "SECONDARY"], "Units": "GML"})
    settings = Settings(suv=SuvSettings(assume_bw=True))
    assert [name for name, _ in select(study(assumed, ct()), settings=settings).warnings] == ["PET_DERIVED"]


def test_of_several_reconstructions_the_original_then_earl_then_the_finest_is_used() -> None:
    plain, fine = pet("1.2.41"), pet("1.2.42", slices=80, step_mm=12.5)
    earl = pet("1.2.43", edit={"SeriesDescription": "PET WB EARL1"})
    derived = pet("1.2.44", edit={"ImageType": ["DERIVED", "SECONDARY"], "Units": "GML", "SUVType": "BW"})
    assert chosen(select(study(plain, derived, ct()), settings=Settings()))[0] == "1.2.41"
    assert chosen(select(study(plain, fine, ct()), settings=Settings()))[0] == "1.2.42"
    with_earl = select(study(plain, fine, earl, ct()), settings=Settings())
    assert chosen(with_earl)[0] == "1.2.43"
    assert [name for name, _ in with_earl.warnings] == ["SEVERAL_PET"]


def test_the_longest_pet_lacking_a_slice_is_refused_and_not_replaced_by_a_shorter_one() -> None:
    whole = pet()
    gap = type(whole)("1.2.1", "PT", whole.paths[:20] + whole.paths[21:], whole.headers[:20] + whole.headers[21:])
    cut = type(whole)("1.2.1", "PT", whole.paths[:-9], whole.headers[:-9])
    brain = pet("1.2.5", slices=8)
    assert refusal(study(gap, brain, ct())).code == Code.MISSING_SLICE
    assert refusal(study(cut, brain, ct())).code == Code.SERIES_INCOMPLETE


def test_without_a_pet_or_a_ct() -> None:
    assert refusal(study(ct())).code == Code.NO_PET
    assert refusal(study(pet())).code == Code.NO_CT
    assert refusal(study(pet(), ct(slices=1))).code == Code.NO_CT


@pytest.mark.parametrize(
    ("series", "code_"),
    [
        (ct(edit={"FrameOfReferenceUID": generate_uid()}), Code.CT_OTHER_FRAME),
        (ct(start_mm=4000.0), Code.CT_NO_OVERLAP),
        (ct(edit={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}), Code.NO_CT),
        (ct(edit={"PatientID": "T2"}), Code.MIXED_SERIES),
        (ct(edit=lambda k, h: setattr(h, "FrameOfReferenceUID", "1.2" if k else "1.3")), Code.MIXED_SERIES),
    ],
)
def test_a_ct_that_does_not_belong_to_the_pet(series, code_: Code) -> None:  # type: ignore[no-untyped-def]
    assert refusal(study(pet(), series)).code == code_


def test_of_several_cts_the_one_that_covers_most_then_the_axial_soft_finest_one_is_used() -> None:
    def first(*series) -> str:  # type: ignore[no-untyped-def]
        return chosen(select(study(pet(), *series), settings=Settings()))[1]

    thorax_fine = ct("1.2.51", slices=80, step_mm=5.0)
    thick, thin = ct("1.2.52", slices=51, step_mm=20.0), ct("1.2.53", slices=102, step_mm=10.0)
    reformat = ct("1.2.54", slices=204, step_mm=5.0, edit={"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]})
    lung = ct("1.2.55", slices=204, step_mm=5.0, edit={"SeriesDescription": "CT Lunge 1.0"})
    assert first(thorax_fine, thick) == "1.2.52"
    assert first(thick, thin) == "1.2.53"
    assert first(thick, reformat, lung) == "1.2.52"


def test_a_ct_shorter_than_the_pet_and_one_with_localizers_inside_are_said_so() -> None:
    short = select(study(pet(), ct(slices=40)), settings=Settings())
    assert [name for name, _ in short.warnings] == ["CT_SHORT"]

    def scouts(k: int, header: Dataset) -> None:
        if k < 2:
            header.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            header.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    with_scouts = select(study(pet(), ct(edit=scouts)), settings=Settings())
    assert [name for name, _ in with_scouts.warnings] == ["CT_LOCALIZERS"]
    assert (len(with_scouts.ct.paths), len(with_scouts.ct.headers)) == (66, 66)


def test_a_header_whose_values_are_no_values_is_refused_not_raised() -> None:
    def broken(_: int, header: Dataset) -> None:
        header.add_new(0x00540081, "US", b"\x01")

    assert refusal(study(pet(edit=broken), ct())).code == Code.GEOMETRY_MISSING


def test_baseline_by_record_by_words_and_by_what_was_seen_before() -> None:
    interim = {"StudyDescription": "PET/CT nach 2 Zyklen R-CHOP"}
    files = study(pet(edit=interim), ct(edit=interim))
    assert refusal(files).code == Code.NOT_BASELINE
    assert refusal(study(pet(), ct()), earlier_pet_ct_date="20240102").code == Code.NOT_BASELINE
    assert refusal(study(pet(), ct()), clinical=ClinicalRecord(timepoint="follow_up")).code == Code.NOT_BASELINE

    allowed = select(files, settings=Settings(baseline=BaselineSettings(allow_followup=True)))
    assert [name for name, _ in allowed.warnings] == ["NOT_BASELINE"]

    recorded = select(files, settings=Settings(), clinical=ClinicalRecord(timepoint="baseline"))
    assert recorded.baseline == "confirmed"
    assert [name for name, _ in recorded.warnings] == ["BASELINE_DOUBTFUL"]


def test_virtual_only_where_every_instance_carries_both_marks() -> None:
    def virtual(header: Dataset) -> None:
        header.QualityControlSubject = "YES"
        block = header.private_block(0x0099, "NODAL VIRTUAL", create=True)
        block.add_new(0x01, "UT", json.dumps({"generator": "a", "seed": 1, "version": "1"}))

    files = study(pet(edit=lambda _, h: virtual(h)), ct(edit=lambda _, h: virtual(h)))
    assert select(files, settings=Settings()).virtual
    files.series[1].headers[7].QualityControlSubject = "NO"
    assert not select(files, settings=Settings()).virtual
    files.series[1].headers[7].QualityControlSubject = "YES"
    del files.series[1].headers[7].private_block(0x0099, "NODAL VIRTUAL")[0x01]
    assert not select(files, settings=Settings()).virtual


@pytest.mark.parametrize("patient", ["STS_001", "STS_002", "STS_004"])
def test_real_derived_pairs_with_their_contours(real_data: Path, patient: str) -> None:
    selection = select(read_study(real_data / "sts" / patient), settings=Settings())
    assert {d.modality: d.used_as for d in selection.series} == {"PT": "pet", "CT": "ct", "RTSTRUCT": None}
    assert len(selection.series) == 4
    assert [name for name, _ in selection.warnings] == ["PET_DERIVED"]
    assert (selection.baseline, selection.virtual) == ("assumed", False)
