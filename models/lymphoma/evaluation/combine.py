"""Several systems made one score: weights that are never negative, and an own set of them for whatever is missing.

Inputs are out-of-fold linear predictors of the systems and of the IMPI. For every subset of inputs that a patient may
have there is a sub-model, fitted on the patients who have all of it: nothing is imputed. Under 60 events the weights
are equal, as fitted ones would scatter more than they gain; from there on they are those of :mod:`.ridge`, at most one
for 15 events. Which input goes first is decided without looking at outcomes: the one that the others explain best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.ridge import event_folds, fit_ridge
from lymphoma.survival.calibration import calibration_slope
from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = [
    "EQUAL_BELOW_EVENTS",
    "EVENTS_PER_PARAMETER",
    "IMPI",
    "MOST_INPUTS",
    "Blend",
    "CrossFitted",
    "Passed",
    "combine",
    "cross_fit",
    "fit_blend",
]

IMPI = "impi"
"""The input that is no system; it is the last to be dropped."""
EVENTS_PER_PARAMETER = 15
EQUAL_BELOW_EVENTS = 60
LEAST_EVENTS = EVENTS_PER_PARAMETER
"""Even equal weights need one parameter: how much hazard a step of the score is worth."""
MOST_INPUTS = 6
"""Five systems and the IMPI: 63 sub-models."""
OUTER_FOLDS = 5
"""Each patient's own score comes from weights that were fitted without him or her."""


@dataclass(frozen=True, eq=False)
class Blend:
    """One score from several.

    Attributes:
        inputs: that a patient must have. used: (p,) of them those with a weight; the others were dropped.
        means, scales: (p,) of the z-scores. weights: (p,) of the z-scores, 0 or more.
        rule: "equal" or "ridge". penalty: None for equal weights.
        n, events: patients it was fitted on.
    """

    inputs: tuple[str, ...]
    used: tuple[str, ...]
    means: Floats
    scales: Floats
    weights: Floats
    rule: Literal["equal", "ridge"]
    penalty: float | None
    n: int
    events: int

    def score(self, values: Mapping[str, float]) -> float:
        """Of one patient, from the linear predictors by name."""
        return float(self.scores(np.array([[values[name] for name in self.inputs]]))[0])

    def scores(self, values: Floats) -> Floats:
        """(n,) from values (n, inputs)."""
        columns = [self.inputs.index(name) for name in self.used]
        score: Floats = (values[:, columns] - self.means) / self.scales @ self.weights
        return score


@dataclass(frozen=True, eq=False)
class CrossFitted:
    """A blend and the scores by which it is judged.

    Attributes:
        index: (n,) positions of its patients in the cohort. score: (n,) each from weights fitted without the patient.
        fold: (n,) the part in which each was left out; risks of different parts are compared within them only.
    """

    blend: Blend
    index: Ints
    score: Floats
    fold: Ints


@dataclass(frozen=True)
class Passed:
    """A subset without a sub-model, and why."""

    inputs: tuple[str, ...]
    code: str
    reason: str


def combine(
    names: Sequence[str],
    values: Floats,
    follow_up: FollowUp,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[CrossFitted, ...], tuple[Passed, ...]]:
    """A sub-model for every subset of inputs, the fullest first, and the subsets that could have none.

    Args:
        names: of the inputs. values: (n, k) out-of-fold linear predictors; NaN where a patient has none.

    Raises:
        ValueError: names that repeat, more than :data:`MOST_INPUTS`, or values of another shape.
    """
    if len(set(names)) != len(names) or not 0 < len(names) <= MOST_INPUTS or values.shape != (follow_up.n, len(names)):
        raise ValueError(f"between 1 and {MOST_INPUTS} different inputs, with a row for each patient")
    subsets = [one for size in range(len(names), 0, -1) for one in combinations(range(len(names)), size)]
    made: list[CrossFitted] = []
    passed: list[Passed] = []
    for done, columns in enumerate(subsets):
        inputs = tuple(names[column] for column in columns)
        try:
            made.append(_sub_model(inputs, values[:, columns], follow_up, seed))
        except NotComputable as error:
            passed.append(Passed(inputs, error.code, error.reason))
        if progress is not None:
            progress(done + 1, len(subsets))
    return tuple(made), tuple(passed)


def fit_blend(inputs: tuple[str, ...], values: Floats, follow_up: FollowUp, seed: int = 0) -> Blend:
    """Weights of one set of inputs.

    Args:
        values: (n, inputs), without gaps.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` under 15, ``NO_EFFECT`` where every weight is 0 or every input constant.
    """
    if follow_up.events < LEAST_EVENTS:
        raise NotComputable("TOO_FEW_EVENTS", f"{follow_up.events} events; a combination needs {LEAST_EVENTS}")
    return _blend(inputs, values, follow_up, follow_up.events, seed)


def _blend(inputs: tuple[str, ...], values: Floats, follow_up: FollowUp, events: int, seed: int) -> Blend:
    """As :func:`fit_blend`, by the rule for so many ``events``: those of all patients where a part is fitted."""
    columns = _kept(inputs, values, events)
    x = values[:, columns]
    means, scales = x.mean(axis=0), x.std(axis=0)
    used = tuple(inputs[column] for column in columns)
    if events < EQUAL_BELOW_EVENTS:
        equal = np.full(len(used), 1 / len(used))
        return Blend(inputs, used, means, scales, equal, "equal", None, follow_up.n, follow_up.events)
    found = fit_ridge((x - means) / scales, follow_up, seed)
    if not found.weights.any():
        raise NotComputable("NO_EFFECT", "no input goes with a higher risk")
    return Blend(inputs, used, means, scales, found.weights, "ridge", found.penalty, follow_up.n, follow_up.events)


def cross_fit(inputs: tuple[str, ...], values: Floats, follow_up: FollowUp, seed: int = 0) -> CrossFitted:
    """The blend of all patients, and each one's score from weights that were fitted without him or her.

    Args:
        values: (n, inputs), without gaps.

    Raises:
        NotComputable: as :func:`fit_blend`.
    """
    blend = fit_blend(inputs, values, follow_up, seed)
    score, fold = np.zeros(follow_up.n), np.zeros(follow_up.n, dtype=np.int64)
    for number, (kept, left) in enumerate(event_folds(follow_up, OUTER_FOLDS, seed)):
        fold[left] = number
        try:
            part = _blend(inputs, values[kept], follow_up.take(kept), follow_up.events, seed)
            score[left] = part.scores(values[left])
        except NotComputable as error:
            # Weights of 0 are an answer: in this part every patient then has the same score.
            if error.code != "NO_EFFECT":
                raise
    return CrossFitted(blend, np.arange(follow_up.n), score, fold)


def _sub_model(inputs: tuple[str, ...], values: Floats, follow_up: FollowUp, seed: int) -> CrossFitted:
    index = np.flatnonzero(np.isfinite(values).all(axis=1))
    if index.size == 0:
        raise NotComputable("TOO_FEW_PATIENTS", "no patient has all of these")
    seen = follow_up.take(index)
    found = cross_fit(inputs, values[index], seen, seed)
    if not np.ptp(found.score) or calibration_slope(seen, found.score).coefficient <= 0:
        raise NotComputable("NO_EFFECT", "patients left out of the fit are not ordered by the combined score")
    return replace(found, index=index)


def _kept(inputs: tuple[str, ...], values: Floats, events: int) -> list[int]:
    """Columns that vary, as many as the events allow; what the others explain best goes first, the IMPI never."""
    columns = [column for column in range(len(inputs)) if np.ptp(values[:, column]) > 0]
    if not columns:
        raise NotComputable("NO_EFFECT", "every input is the same in all patients")
    if events < EQUAL_BELOW_EVENTS:
        return columns
    while len(columns) > events // EVENTS_PER_PARAMETER:
        explained = [-1.0 if inputs[one] == IMPI else _explained(values, one, columns) for one in columns]
        # Of equal ones the last named goes.
        columns.pop(len(columns) - 1 - int(np.argmax(explained[::-1])))
    return columns


def _explained(values: Floats, column: int, columns: Sequence[int]) -> float:
    """R squared of one column on the others."""
    others = np.column_stack([np.ones(values.shape[0]), *(values[:, one] for one in columns if one != column)])
    target = values[:, column]
    rest = target - others @ np.linalg.lstsq(others, target, rcond=None)[0]
    return float(1 - rest.var() / target.var())
