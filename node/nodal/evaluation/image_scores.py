"""Scores that bundles compute from the images of a cohort, beside what its table says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lymphoma.evaluation.learner import installed_learners
from lymphoma.evaluation.patients import Patients
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.scoring import scores_of
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.training.bundle import Bundle

from nodal.evaluation.inputs import inputs_of_cohort
from nodal.evaluation.pooled import pooled_cohort
from nodal.settings import Settings

__all__ = ["SeenPatients", "with_image_scores"]

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SeenPatients:
    """Patients with their scores.

    Attributes:
        cohort: what the lesion network saw of them; None where no bundle of LAMP is judged.
    """

    patients: Patients
    cohort: LampCohort | None


def with_image_scores(
    patients: Patients,
    bundles: Sequence[Bundle],
    folder: Path,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> SeenPatients:
    """The patients with the scores of every bundle that reads images; a patient without a lesion, or unlike those the
    networks know, has none.

    Args:
        folder: of the cohort. progress: called with (studies seen, studies in all).

    Raises:
        Failed: NOT_INSTALLED without a lesion network. NotComputable: as
            :func:`nodal.evaluation.pooled.pooled_cohort` and :func:`lymphoma.lamp.scoring.scores_of`.
    """
    rules, found, cohort = settings or Settings(), dict(patients.image_scores), None
    by_system = {name: [one for one in bundles if one.metadata.nodal.system == name] for name in SYSTEMS}
    if by_system["lamp"]:
        cohort = pooled_cohort(folder, patients, rules, progress)
        for bundle in by_system["lamp"]:
            for name, values in scores_of(bundle, cohort).items():
                found[bundle.metadata.name, name] = _placed(values, cohort.patients, patients)
    for system, learner in installed_learners().items():
        if not by_system[system]:
            continue
        seen = inputs_of_cohort(folder, patients, learner, rules, progress)
        for bundle in by_system[system]:
            for name, values in learner.scores(bundle, seen).items():
                found[bundle.metadata.name, name] = _placed(values, seen.patients, patients)
    return SeenPatients(replace(patients, image_scores=found), cohort)


def _placed(values: Floats, seen: Patients, patients: Patients) -> Floats:
    """Values in the order of ``patients``; NaN for whoever was not seen."""
    known = dict(zip(seen.contents, values.tolist(), strict=True))
    return np.array([known.get(content, np.nan) for content in patients.contents])
