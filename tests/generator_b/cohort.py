"""A folder of patients in the layout of a site's cohort."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tests.generator_b.patient import PatientB

__all__ = ["COLUMNS", "row_of", "write_patient", "write_table"]

COLUMNS = (
    "patient_id", "study", "reference", "age", "sex", "stage", "ldh_ratio", "ecog", "extranodal_sites",
    "cell_of_origin", "bulky", "b_symptoms", "pfs_months", "pfs_event", "os_months", "os_event", "centre",
)  # fmt: skip


def write_patient(patient: PatientB, folder: Path) -> tuple[str, ...]:
    """Writes ``studies/<id>/*.nii.gz`` under the cohort's folder.

    Returns:
        The patient's row, in the order of :data:`COLUMNS`.
    """
    study = Path("studies") / patient.case().subject.patient_id
    (folder / study).mkdir(parents=True, exist_ok=True)
    volumes = {"pet_suv": patient.suv, "ct_hu": patient.ct_hu, "lesions": patient.lesion_map, "organs": patient.organs}
    for name, volume in volumes.items():
        volume.save(folder / study / f"{name}.nii.gz")
    return row_of(patient, study)


def row_of(patient: PatientB, study: Path) -> tuple[str, ...]:
    """One line of cohort.csv; what is not known stays empty, yes and no are 1 and 0."""
    subject, known = patient.case().subject, patient.clinical
    sites = "" if known.extranodal_sites is None else ";".join(known.extranodal_sites)
    values = (
        subject.patient_id, study.as_posix(), (study / "lesions.nii.gz").as_posix(), known.age_years, known.sex,
        known.stage, known.ldh_ratio, known.ecog, sites, known.cell_of_origin, known.bulky, known.b_symptoms,
        None, None, None, None, subject.centre,
    )  # fmt: skip
    return tuple("" if v is None else str(int(v)) if isinstance(v, bool) else str(v) for v in values)


def write_table(rows: Sequence[tuple[str, ...]], folder: Path) -> None:
    """Writes cohort.csv."""
    with (folder / "cohort.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
