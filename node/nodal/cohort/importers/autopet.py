"""autoPET (TCIA collection FDG-PET-CT-Lesions), as NIfTI or as the archive's DICOM tree.

NIfTI: ``<patient>/<study>/{SUV,CTres,SEG}.nii.gz``. Diagnosis, age and sex stand in a table with the columns
``Subject ID`` and ``diagnosis`` (and ``Study UID``, ``Study Date``, ``File Location``), one row for each series.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nodal.cohort.about import About
from nodal.cohort.images import CT_NAME, PET_NAME
from nodal.cohort.importers.report import ImportReport, PassedOver, finished
from nodal.cohort.importers.tcia import DicomStudy, dicom_studies, place_dicom
from nodal.cohort.importers.texts import age_years, day_of, rows_with, sex_of
from nodal.cohort.place import place, safe_name
from nodal.cohort.table import Row
from nodal.cohort.values import Fields
from nodal.errors import Code, Refused, WrongUsage

__all__ = ["NOTE", "import_autopet"]

NOTE = (
    "autoPET (FDG-PET-CT-Lesions): one hospital; lymphoma, melanoma, lung cancer and patients without a lesion. "
    "Whether a scan was made before treatment is not told; of several studies of a patient the first is taken. "
    "No outcomes."
)
NEGATIVE = "NEGATIVE"
_PET, _CT, _CT_OWN_GRID, _SEG = "SUV.nii.gz", "CTres.nii.gz", "CT.nii.gz", "SEG.nii.gz"


@dataclass(frozen=True)
class _Study:
    """One study of the source: a folder of NIfTI files, or DICOM series."""

    patient: str
    folder: Path
    dicom: DicomStudy | None
    told: dict[str, str]

    @property
    def day(self) -> date:
        """For the order of a patient's studies; unknown comes last."""
        named = (self.told.get("Study Date", ""), self.folder.name[:10], self.dicom.study_date if self.dicom else "")
        return next((day for day in map(day_of, named) if day is not None), date.max)

    @property
    def diagnosis(self) -> str:
        """In capitals; empty where the table does not tell."""
        return self.told.get("diagnosis", "").strip().upper()


def import_autopet(source: Path, out: Path, *, only: str | None, copy: bool) -> ImportReport:
    """As :func:`nodal.cohort.importers.import_cohort`.

    Raises:
        Refused: SOURCE_LAYOUT. WrongUsage: ``only`` without a table of diagnoses.
    """
    table = list(rows_with(source, "Subject ID", "diagnosis"))
    if only is not None and not table:
        raise WrongUsage("a diagnosis was asked for, but no table with the columns Subject ID and diagnosis is there")
    studies, passed = _found(source, table)
    rows: list[Row] = []
    taken: set[str] = set()
    for study in sorted(studies, key=lambda one: (one.patient, one.day, str(one.folder))):
        reason = _why_not(study, only, taken)
        row = None if reason else _imported(study, out, copy=copy)
        if row is None:
            passed.append(PassedOver(str(study.folder.relative_to(source)), reason or "no usable PET and CT"))
            continue
        taken.add(study.patient)
        rows.append(row)
    if not rows:
        raise Refused(Code.SOURCE_LAYOUT, "no study of the source could be taken")
    return finished(out, rows, About("autoPET", note=NOTE), passed)


def _found(source: Path, table: list[dict[str, str]]) -> tuple[list[_Study], list[PassedOver]]:
    folders = sorted({path.parent for name in (_PET, _SEG) for path in source.rglob(name)})
    if folders:
        told = [_told(table, folder.parent.name, folder.name) for folder in folders]
        return [_Study(f.parent.name, f, None, row) for f, row in zip(folders, told, strict=True)], []
    found, passed = dicom_studies(source)
    if not found:
        raise Refused(Code.SOURCE_LAYOUT, f"neither {_PET} in <patient>/<study> nor DICOM series are there")
    return [_Study(s.patient_id, s.folder, s, _told(table, s.patient_id, s.study_uid)) for s in found], passed


def _told(table: list[dict[str, str]], patient: str, study: str) -> dict[str, str]:
    """The table's row of a study: by its UID or its folder, else by the patient where all his or her rows agree."""
    own = [row for row in table if row["Subject ID"] == patient]
    for row in own:
        parts = row.get("File Location", "").replace("\\", "/").split("/")
        if study == row.get("Study UID") or study in parts:
            return row
    if len({row["diagnosis"] for row in own}) == 1 and len({row.get("Study UID", "") for row in own}) == 1:
        return own[0]
    return {}


def _why_not(study: _Study, only: str | None, taken: set[str]) -> str | None:
    if only is not None and study.diagnosis != only.strip().upper():
        return f"diagnosis {study.diagnosis or 'not told'}"
    if study.patient in taken:
        return "a later study of a patient"
    return None


def _imported(study: _Study, out: Path, *, copy: bool) -> Row | None:
    target = f"studies/{safe_name(study.patient)}"
    if study.dicom is not None:
        reference = place_dicom(study.dicom, out, target, copy=copy)
    else:
        reference = _place_nifti(study.folder, out, target, copy=copy)
    if reference is None:
        return None
    fields = Fields({"age": age_years(study.told.get("age", "")), "sex": sex_of(study.told.get("sex", ""))})
    return Row(
        line=0,
        patient_id=study.patient,
        study=target,
        references=(reference,) if reference else (),
        no_lesion=study.diagnosis == NEGATIVE,
        clinical=fields.clinical(),
        further={"diagnosis": study.diagnosis},
    )


def _place_nifti(folder: Path, out: Path, target: str, *, copy: bool) -> str | None:
    """The reference's place in the cohort, empty without one; None where PET or CT is not there."""
    ct = next((folder / name for name in (_CT, _CT_OWN_GRID) if (folder / name).is_file()), None)
    if ct is None or not (folder / _PET).is_file():
        return None
    place(folder / _PET, out / target / PET_NAME, copy=copy)
    place(ct, out / target / CT_NAME, copy=copy)
    if not (folder / _SEG).is_file():
        return ""
    place(folder / _SEG, out / target / "lesions.nii.gz", copy=copy)
    return f"{target}/lesions.nii.gz"
