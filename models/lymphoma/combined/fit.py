"""Fitting a combination on a cohort: out-of-fold linear predictors in, sub-models with their survival out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lymphoma.combined.model import Combined, Part, SubModel, score_name
from lymphoma.errors import NotComputable
from lymphoma.evaluation.combine import IMPI, CrossFitted, Passed, combine
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.scoring import impi_of
from lymphoma.prognosis.covariates import SCORE, covariate
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.folded import folded_concordance
from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["RESAMPLES", "CombinedFit", "fit_combined"]

RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class CombinedFit:
    """A combination and what its evidence rests on.

    Attributes:
        index: (n,) positions, in the cohort, of the patients who have every input and an outcome.
        out_of_fold: (n,) their linear predictors by weights that were fitted without them.
        values: (n, inputs) that the range check is made from.
    """

    combined: Combined
    index: Ints
    out_of_fold: Floats
    values: Floats


def fit_combined(
    patients: Patients,
    parts: Sequence[Part],
    endpoint: Endpoint,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Callable[[int, int], None] | None = None,
) -> CombinedFit:
    """Fits every sub-model of an endpoint.

    Args:
        patients: with the scores of the parts' bundles. progress: called with sub-models done and in all.

    Raises:
        NotComputable: the code for which the full set of inputs can have no sub-model; ``SCORES_NOT_OUT_OF_FOLD``.
    """
    names = (*(part.system for part in parts), IMPI)
    columns = [_column(patients, part, endpoint) for part in parts]
    values = np.stack([*columns, impi_of(patients)], axis=1)
    known = patients.known(endpoint)
    if known.size == 0:
        raise NotComputable("TOO_FEW_PATIENTS", f"no patient has an outcome of {endpoint}")
    seen = patients.follow_up(endpoint, known)
    found, passed = combine(names, values[known], seen, seed=seed, progress=progress)
    made: list[SubModel] = []
    without = list(passed)
    for one in found:
        try:
            made.append(_sub_model(one, seen.take(one.index), endpoint, resamples, seed))
        except NotComputable as error:
            without.append(Passed(one.blend.inputs, error.code, error.reason))
    combined = Combined(endpoint, names, tuple(parts), tuple(made), tuple(without))
    if (full := combined.full) is None:
        refused = next(one for one in without if set(one.inputs) == set(names))
        raise NotComputable(refused.code, f"{', '.join(names)}: {refused.reason}")
    whole = next(one for one in found if set(one.blend.inputs) == set(names))
    index = known[whole.index]
    lp = full.model.linear_predictor([whole.score.tolist()])
    return CombinedFit(combined, index, lp, values[index])


def _column(patients: Patients, part: Part, endpoint: Endpoint) -> Floats:
    scores = patients.scores.get((part.bundle, endpoint))
    if scores is None:
        raise NotComputable("NO_BUNDLE", f"{part.bundle} has no model of {endpoint}")
    if not scores.out_of_fold:
        what = f"{part.bundle} was trained on this cohort and keeps no out-of-fold predictions of it"
        raise NotComputable("SCORES_NOT_OUT_OF_FOLD", what)
    return scores.linear_predictor


def _sub_model(one: CrossFitted, seen: FollowUp, endpoint: Endpoint, resamples: int, seed: int) -> SubModel:
    """Survival is fitted on scores of patients left out, so that its slope is that of new patients."""
    term = covariate(f"{SCORE}{score_name(endpoint)}").term
    model = fit_prognostic_model(endpoint, [term], [one.score.tolist()], seen)
    parts = [np.flatnonzero(one.fold == number) for number in np.unique(one.fold)]
    concordance = folded_concordance(seen, one.score, parts, resamples=resamples, seed=seed)
    return SubModel(one.blend, replace(model, grouped_out_of_fold=True), concordance)
