"""Scores that bundles compute from the images of a cohort, beside what its table says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lymphoma.evaluation.patients import Patients
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.scoring import scores_of
from lymphoma.training.bundle import Bundle

from nodal.evaluation.pooled import pooled_cohort
from nodal.settings import Settings

__all__ = ["SeenPatients", "with_image_scores"]

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SeenPatients:
    """Patients with their scores; ``cohort`` is what the networks saw of them, None where no bundle reads images."""

    patients: Patients
    cohort: LampCohort | None


def with_image_scores(
    patients: Patients,
    bundles: Sequence[Bundle],
    folder: Path,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> SeenPatients:
    """The patients with the scores of every bundle of LAMP; a patient without a lesion, or unlike those the networks
    know, has none.

    Args:
        folder: of the cohort. progress: called with (studies seen, studies in all).

    Raises:
        Failed: NOT_INSTALLED without a lesion network. NotComputable: as
            :func:`nodal.evaluation.pooled.pooled_cohort` and :func:`lymphoma.lamp.scoring.scores_of`.
    """
    readers = [bundle for bundle in bundles if bundle.metadata.nodal.system == "lamp"]
    if not readers:
        return SeenPatients(patients, None)
    seen = pooled_cohort(folder, patients, settings or Settings(), progress)
    found = dict(patients.image_scores)
    for bundle in readers:
        for name, values in scores_of(bundle, seen).items():
            found[bundle.metadata.name, name] = _placed(values, seen, patients)
    return SeenPatients(replace(patients, image_scores=found), seen)


def _placed(values: Floats, seen: LampCohort, patients: Patients) -> Floats:
    """Values in the order of ``patients``; NaN for whoever was not seen."""
    known = dict(zip(seen.patients.contents, values.tolist(), strict=True))
    return np.array([known.get(content, np.nan) for content in patients.contents])
