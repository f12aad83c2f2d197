"""HECKTOR 2022 (head and neck): ``imagesTr/<id>__CT.nii.gz`` and ``__PT.nii.gz``, ``labelsTr/<id>.nii.gz``, tables."""

from __future__ import annotations

from pathlib import Path

from nodal.cohort.about import About
from nodal.cohort.images import CT_NAME, PET_NAME
from nodal.cohort.importers.report import ImportReport, PassedOver, finished
from nodal.cohort.importers.texts import age_years, rows_with, sex_of
from nodal.cohort.place import place, safe_name
from nodal.cohort.table import Row
from nodal.cohort.values import Fields
from nodal.errors import Code, Refused

__all__ = ["NOTE", "import_hecktor"]

NOTE = (
    "HECKTOR: head and neck cancer, not lymphoma. PFS is relapse-free survival counted from the end of radiotherapy, "
    "known for complete responders only; contours are primary tumour and nodes in one mask."
)
DAYS_PER_MONTH = 365.25 / 12
_PET, _CT = "__PT.nii.gz", "__CT.nii.gz"


def import_hecktor(source: Path, out: Path, *, copy: bool) -> ImportReport:
    """As :func:`nodal.cohort.importers.import_cohort`. PET comes in SUV; the CT keeps its own grid.

    Raises:
        Refused: SOURCE_LAYOUT.
    """
    images = {path.name: path for path in sorted(source.rglob("*.nii.gz"))}
    pets = [name for name in images if name.endswith(_PET)]
    if not pets:
        raise Refused(Code.SOURCE_LAYOUT, "no file is called <id>__PT.nii.gz; HECKTOR's images are")
    clinical = {row["PatientID"]: row for row in rows_with(source, "PatientID", "Age")}
    endpoints = {row["PatientID"]: row for row in rows_with(source, "PatientID", "Relapse", "RFS")}
    rows: list[Row] = []
    passed: list[PassedOver] = []
    for name in pets:
        patient = name.removesuffix(_PET)
        if patient + _CT not in images:
            passed.append(PassedOver(str(images[name].relative_to(source)), "the CT is not there"))
            continue
        label = images.get(f"{patient}.nii.gz") or images.get(f"{patient.replace('-', '_')}.nii.gz")
        if label is None:
            passed.append(PassedOver(f"{patient}.nii.gz", "no contour; the patient is in the cohort without one"))
        files = [(images[name], PET_NAME), (images[patient + _CT], CT_NAME)]
        study = _placed(files, label, out, patient, copy=copy)
        rows.append(_row(patient, study, label is not None, clinical.get(patient, {}), endpoints.get(patient, {})))
    return finished(out, rows, About("HECKTOR 2022", note=NOTE), passed)


def _placed(files: list[tuple[Path, str]], label: Path | None, out: Path, patient: str, *, copy: bool) -> str:
    study = f"studies/{safe_name(patient)}"
    for path, name in (*files, *([(label, "lesions.nii.gz")] if label else [])):
        place(path, out / study / name, copy=copy)
    return study


def _row(patient: str, study: str, contoured: bool, clinical: dict[str, str], endpoint: dict[str, str]) -> Row:
    fields = Fields(
        {
            "age": age_years(clinical.get("Age", "")),
            "sex": sex_of(clinical.get("Gender", "")),
            "ecog": clinical.get("Performance status", ""),
            "pfs_months": _months(endpoint.get("RFS", "")),
            "pfs_event": endpoint.get("Relapse", ""),
        }
    )
    references = (f"{study}/lesions.nii.gz",) if contoured else ()
    pfs, centre = fields.outcomes().pfs, patient.split("-")[0]
    return Row(0, patient, study, references, centre=centre, clinical=fields.clinical(), pfs=pfs)


def _months(days: str) -> str:
    """Days as months of a twelfth of a year; empty where there is no number."""
    try:
        return f"{float(days) / DAYS_PER_MONTH:.4f}"
    except ValueError:
        return ""
