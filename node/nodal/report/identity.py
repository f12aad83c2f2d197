"""What every result object has in common: who it is about, who made it, when, and how it becomes bytes."""

from __future__ import annotations

import hashlib

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from nodal.findings import Findings
from nodal.report import codes
from nodal.report.canonical import inputs_digest
from nodal.report.context import choose_character_set, patient_context, virtual_marks
from nodal.report.encoding import encode
from nodal.report.inputs import ObjectKind, ReportInputs, ResultObject, Target
from nodal.report.provenance import bundle_description
from nodal.report.uids import object_uid, series_uid, stable_uid

__all__ = ["MANUFACTURER", "MODEL_NAME", "adopt", "content_instant", "device_serial", "finish", "start_object"]

MANUFACTURER = "Nodal"
MODEL_NAME = "Nodal lymphoma node"
_IMPLEMENTATION_CLASS_UID = stable_uid("nodal", "implementation")


def content_instant(findings: Findings) -> tuple[str, str]:
    """Date (DA) and time (TM) written into objects: of the findings' ``content_datetime``, offset left off."""
    digits = findings.content_datetime.split("+")[0].split("-")[0]
    return digits[:8], digits[8:] or "000000"


def device_serial(findings: Findings) -> str:
    """Device Serial Number: of the software, since output must not depend on the machine that computed it."""
    return f"NODAL-{findings.provenance.node_version}"


def _equipment_item(findings: Findings, model: str, versions: str | list[str], description: str) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [codes.code_item(codes.PROCESSING_EQUIPMENT)]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = model
    item.DeviceSerialNumber = device_serial(findings)
    item.SoftwareVersions = versions
    item.ContributionDateTime = "".join(content_instant(findings))
    item.ContributionDescription = description
    return item


def _contributing_equipment(findings: Findings) -> list[Dataset]:
    """One item for the node, one for each trained bundle that took part (PS3.3 C.12.1)."""
    version = findings.provenance.node_version
    items = [_equipment_item(findings, MODEL_NAME, version, "Measurement of FDG-avid lesions on PET/CT")]
    items += [
        _equipment_item(findings, bundle.name, bundle.version, bundle_description(findings, bundle))
        for bundle in findings.provenance.bundles
    ]
    return items


def _file_meta(dataset: Dataset, findings: Findings, transfer_syntax_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = _IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"NODAL_{findings.provenance.node_version}"[:16]
    return meta


def _dress(
    dataset: Dataset, inputs: ReportInputs, target: Target, kind: ObjectKind, digest: str, transfer_syntax_uid: str
) -> None:
    """Writes all modules that result objects share into a data set that has its SOP class and series texts."""
    findings = inputs.findings
    source = inputs.pet_headers[0]
    date, time = content_instant(findings)
    dataset.update(patient_context(source))
    dataset.StudyInstanceUID = findings.study_instance_uid
    dataset.SOPInstanceUID = object_uid(kind, target, digest)
    dataset.SeriesInstanceUID = series_uid(dataset.SOPInstanceUID)
    dataset.InstanceNumber = 1
    for name in ("InstanceCreation", "Series", "Content"):
        setattr(dataset, f"{name}Date", date)
        setattr(dataset, f"{name}Time", time)
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.SoftwareVersions = findings.provenance.node_version
    dataset.DeviceSerialNumber = device_serial(findings)
    dataset.ContributingEquipmentSequence = _contributing_equipment(findings)
    if findings.virtual:
        dataset.update(virtual_marks(source))
    dataset.SpecificCharacterSet = target.profile.character_set
    dataset.file_meta = _file_meta(dataset, findings, transfer_syntax_uid)


def start_object(
    inputs: ReportInputs,
    target: Target,
    *,
    kind: ObjectKind,
    sop_class_uid: str,
    modality: str,
    series_number: int,
    series_description: str,
) -> Dataset:
    """A new result object with all that such objects share; the caller adds its own modules.

    There are: file meta (explicit VR little endian), SOP Common with ContributingEquipment, the patient and study
    attributes of the PET (:func:`nodal.report.context.patient_context`), General Series, General and Enhanced
    General Equipment, all dates and times (the findings' ``content_datetime``), InstanceNumber 1 and, for a virtual
    patient, its marks. SpecificCharacterSet is the target's; :func:`finish` settles it.

    Args:
        series_number: within the study. series_description: at most 64 characters.
    """
    dataset = Dataset()
    dataset.SOPClassUID = UID(sop_class_uid)
    dataset.Modality = modality
    dataset.SeriesNumber = series_number
    dataset.SeriesDescription = series_description
    _dress(dataset, inputs, target, kind, inputs_digest(inputs), ExplicitVRLittleEndian)
    return dataset


def adopt(dataset: Dataset, inputs: ReportInputs, target: Target, kind: ObjectKind, *, digest: str) -> Dataset:
    """Makes a data set built by a library one of ours: same patient, study, equipment and dates as the others.

    All of the patient group (0010) and of the de-identification attributes that the library copied goes first, so
    that no free text of the source travels on. Changed in place and returned.

    Args:
        digest: of ``inputs`` (:func:`nodal.report.canonical.inputs_digest`).
    """
    for element in list(dataset):
        if element.tag.group in (0x0010, 0x0012):
            del dataset[element.tag]
    syntax = dataset.file_meta.TransferSyntaxUID if getattr(dataset, "file_meta", None) else ExplicitVRLittleEndian
    _dress(dataset, inputs, target, kind, digest, syntax)
    return dataset


def finish(dataset: Dataset, kind: ObjectKind) -> ResultObject:
    """The data set as the bytes of a Part 10 file; the same data set always gives the same bytes.

    The character set becomes UTF-8 where the target's cannot hold a name (ISO_IR 192).
    """
    chosen = choose_character_set(dataset, str(dataset.get("SpecificCharacterSet") or ""))
    if chosen is None:
        dataset.pop("SpecificCharacterSet", None)
    else:
        dataset.SpecificCharacterSet = chosen.split("\\") if "\\" in chosen else chosen
    data = encode(dataset)
    return ResultObject(
        kind, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), data, hashlib.sha256(data).hexdigest()
    )
