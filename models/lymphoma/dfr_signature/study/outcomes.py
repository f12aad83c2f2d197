"""Outcomes of slab patients, by mechanisms that a slab can show.

A mechanism's score is that of :mod:`lymphoma.simulation.risk`, of the lesions within the slab; it is made standard over
the patients of both centres together, whom the stored constants, made for whole bodies, would not fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, truth_of
from lymphoma.prognosis.model import Endpoint
from lymphoma.simulation.feature_table import FeatureTable, join_tables
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.risk import MECHANISMS
from lymphoma.simulation.standardise import fit_standard
from lymphoma.survival.follow_up import Floats
from lymphoma.training.case import Outcome

__all__ = ["MODES", "SIGMA", "slab_eta", "with_slab_outcomes"]

SIGMA = 1.0
"""SD of the log hazard ratio."""
_PARTS: dict[str, tuple[tuple[str, float], ...]] = {
    "texture": (("texture", 1.0),),
    "burden": (("burden", 1.0),),
    "mixed": (("impi", 1.0), ("texture", 1.0)),
    "null": (),
}
"""Mode -> mechanisms and their weights. A crop is scaled to its lesion: it shows the texture and little of the burden;
of age and stage, which the IMPI holds, it shows nothing [A]."""
MODES = tuple(_PARTS)


def slab_eta(table: FeatureTable, mode: str, sigma: float = SIGMA) -> Floats:
    """Log hazard ratio of each patient, shape (P,), mean 0 and SD ``sigma`` over the table.

    Raises:
        NotComputable: ``NO_OUTCOME``: all patients have the same score.
    """
    total = np.zeros(len(table))
    for name, weight in _PARTS[mode]:
        mechanism = MECHANISMS[name]
        score, given = mechanism.score(table), mechanism.given(table)
        total += weight * fit_standard(score, given, mechanism.shape).apply(score, given)
    if mode == "null":
        return total
    spread = float(total.std())
    if not np.isfinite(spread) or spread == 0:
        raise NotComputable("NO_OUTCOME", f"the patients do not differ in the mechanism {mode}")
    return np.asarray(sigma * (total - total.mean()) / spread)


def with_slab_outcomes(cohorts: tuple[InputCohort, ...], mode: str, sigma: float = SIGMA) -> tuple[InputCohort, ...]:
    """The same patients with outcomes under a mode of :data:`MODES`.

    Raises:
        NotComputable: as :func:`slab_eta`; ``FEATURES_UNREADABLE``: a folder holds no truth of a patient.
    """
    tables = [truth_of(one.folder, one.patients) for one in cohorts]
    whole = join_tables(tables)
    seeds = [int(name.rpartition("-")[2]) for name in whole.patient_ids]
    drawn = draw_outcomes(outcome_model(0.0 if mode == "null" else sigma), slab_eta(whole, mode, sigma), seeds)
    made, start = [], 0
    for cohort in cohorts:
        pairs = [drawn.patient(at) for at in range(start, start + len(cohort))]
        start += len(cohort)
        outcomes: dict[Endpoint, tuple[Outcome | None, ...]] = {
            "pfs": tuple(pfs for pfs, _ in pairs),
            "os": tuple(os for _, os in pairs),
        }
        made.append(replace(cohort, patients=replace(cohort.patients, outcomes=outcomes)))
    return tuple(made)
