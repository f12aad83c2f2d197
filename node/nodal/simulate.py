"""``nodal simulate``: virtual patients as DICOM studies with their truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lymphoma.simulation import Protocol, build_patient, draw_patient

from nodal.dicom.write import WrittenStudy, write_study
from nodal.errors import WrongUsage

__all__ = ["simulate"]


def simulate(
    patients: int,
    out: Path,
    seed: int,
    *,
    protocol: Protocol | None = None,
    lesions: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[WrittenStudy, ...]:
    """Builds and writes patients with the seeds ``seed``, ``seed + 1``, ...

    Args:
        out: made where missing; each patient gets a folder in it (:func:`nodal.dicom.write.write_study`).
        protocol: grids of PET and CT; None is a whole body in clinical voxels.
        lesions: number of lesions of each patient; None draws it.
        progress: called with (patients done, patients in all) at the start and after each.

    Raises:
        WrongUsage: fewer than one patient, or a negative seed or number of lesions.
    """
    if patients < 1 or seed < 0 or (lesions is not None and lesions < 0):
        raise WrongUsage("simulate needs at least one patient, a seed of 0 or more and no negative number of lesions")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for done in range(patients):
        if progress is not None:
            progress(done, patients)
        patient = build_patient(draw_patient(seed + done, lesions=lesions), protocol)
        written.append(write_study(patient, out))
    if progress is not None:
        progress(patients, patients)
    return tuple(written)
