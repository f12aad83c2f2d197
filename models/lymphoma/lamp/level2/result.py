"""What the cells say together: concordance with the true risk first, intervals over patients and drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from lymphoma.evaluation.figures import verdict
from lymphoma.evaluation.ranking import ComparablePairs
from lymphoma.evaluation.result import Estimate
from lymphoma.lamp.level2.cells import CellResult, Control
from lymphoma.lamp.level2.patients import Level2
from lymphoma.lamp.pilot.result import COMPARED as PAIRS
from lymphoma.survival.bootstrap import bootstrap, difference, interval
from lymphoma.survival.follow_up import FollowUp

__all__ = ["COMPARED", "Comparison", "Group", "Level2Results", "Row", "summarise"]

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
SEED = 29
TRUTH, SPEARMAN, HARRELL = 0, 1, 2

COMPARED = (
    *(pair for pair in PAIRS if pair[1] != "log_tmtv"),
    *(
        (arm, other)
        for arm in ("full", "paper", "extension", "extension_burden")
        for other in ("log_tmtv", "impi", "cox")
    ),
)
"""Pairs whose difference is tested in every mode where both were run: those of level 1, and the baselines."""


@dataclass(frozen=True, order=True)
class Group:
    """Cells that are compared with each other."""

    mode: str
    control: Control = ""


@dataclass(frozen=True)
class Row:
    """An arm; means over drawings, with 95 % intervals over patients and drawings.

    Attributes:
        truth: concordance with the true risk over all pairs; spearman: with the true risk; both without a value where
            nobody's risk differs. harrell: with the drawn outcomes of the test patients.
        learnt: drawings whose head beat the constant hazards. problems: drawings in which nothing could be fitted.
    """

    arm: str
    draws: int
    truth: Estimate
    spearman: Estimate
    harrell: Estimate
    nll_gain: float | None
    learnt: int
    problems: int


@dataclass(frozen=True)
class Comparison:
    """The difference of two arms in concordance with the true risk, on the drawings that both have."""

    first: str
    second: str
    draws: int
    difference: Estimate
    shown: bool
    says: str


@dataclass(frozen=True)
class Level2Results:
    """All that is said of level 2."""

    training: int
    tested: int
    network: str
    rows: Mapping[Group, tuple[Row, ...]]
    comparisons: Mapping[Group, tuple[Comparison, ...]]


def summarise(patients: Level2, cells: Sequence[CellResult], *, resamples: int = RESAMPLES) -> Level2Results:
    """Tables of cells in any order."""
    grouped: dict[Group, dict[str, list[CellResult]]] = {}
    for one in sorted(cells, key=lambda one: one.cell.draw):
        grouped.setdefault(Group(one.cell.mode, one.cell.control), {}).setdefault(one.cell.arm, []).append(one)
    rows: dict[Group, tuple[Row, ...]] = {}
    compared: dict[Group, tuple[Comparison, ...]] = {}
    for group, arms in sorted(grouped.items()):
        eta = patients.eta(group.mode)[1]
        every = sorted({one.cell.draw for found in arms.values() for one in found})
        tests = {number: patients.draw(group.mode, number).test for number in every}
        judged = _Judge(eta, tests, resamples)
        rows[group] = tuple(_row(name, found, judged) for name, found in arms.items())
        compared[group] = tuple(_compare(arms, judged)) if np.ptp(eta) > 0 else ()
    return Level2Results(len(patients.training), len(patients.test), patients.test.source.network, rows, compared)


class _Judge:
    """Measures of risks against one mechanism's truth, on resamples shared by all arms and drawings.

    Resample b takes patients w_b and drawings v_b, both with replacement; a measure of b is the mean of the drawings'
    measures on w_b, weighted by v_b.
    """

    def __init__(self, eta: Floats, tests: Mapping[int, FollowUp], resamples: int) -> None:
        self._counts = _counts(len(eta), resamples, SEED)
        self._numbers = {number: at for at, number in enumerate(sorted(tests))}
        self._resamples = resamples
        self._differs = float(np.ptp(eta)) > 0
        # the highest risk fails first and nobody is censored: the concordance is then that with the truth
        order = (np.unique(-eta, return_inverse=True)[1] + 1).astype(np.float64)
        truth = FollowUp(order, np.ones(len(eta), dtype=np.bool_))
        self._truth = ComparablePairs(truth, np.zeros(len(eta))) if self._differs else None
        self._rank = rankdata(eta)
        self._pairs = {number: ComparablePairs(one, np.zeros(one.n)) for number, one in tests.items()}

    def measures(self, cells: Sequence[CellResult]) -> tuple[Floats, Floats]:
        """(3,) truth, Spearman, Harrell in mean over drawings, and (resamples, 3) of them."""
        each = np.stack([self._one(one) for one in cells])
        weight = _counts(len(cells), self._resamples, SEED + len(cells))
        draws = np.einsum("db,dbm->bm", weight / len(cells), each[:, 1:])
        return each[:, 0].mean(axis=0), draws

    def _one(self, result: CellResult) -> Floats:
        """(1 + resamples, 3); the first with every patient once."""
        known = np.array([value is not None for value in result.risk])
        risk = np.array([np.nan if value is None else value for value in result.risk], dtype=np.float64)
        filled = np.where(known, risk, 0.0)
        counts = np.concatenate((np.ones((len(risk), 1)), self._counts), axis=1) * known[:, None]
        harrell = self._pairs[result.cell.draw].concordance(filled[None], counts)[0][:, 0]
        if self._truth is None:
            nothing = np.full(len(harrell), np.nan)
            return np.stack((nothing, nothing, harrell), axis=1)
        truth = self._truth.concordance(filled[None], counts)[0][:, 0]
        return np.stack((truth, _correlation(rankdata(filled), self._rank, counts), harrell), axis=1)


def _row(name: str, found: Sequence[CellResult], judge: _Judge) -> Row:
    good = [one for one in found if one.problem is None]
    problems = len(found) - len(good)
    if not good:
        nothing = Estimate(None, problem=found[0].problem)
        return Row(name, 0, nothing, nothing, nothing, None, 0, problems)
    point, draws = judge.measures(good)
    gains = [one.null_nll - one.nll for one in good if one.nll is not None and one.null_nll is not None]
    return Row(
        name,
        len(good),
        _estimate(float(point[TRUTH]), draws[:, TRUTH]),
        _estimate(float(point[SPEARMAN]), draws[:, SPEARMAN]),
        _estimate(float(point[HARRELL]), draws[:, HARRELL]),
        float(np.mean(gains)) if gains else None,
        sum(one.trained for one in good),
        problems,
    )


def _compare(arms: Mapping[str, Sequence[CellResult]], judge: _Judge) -> list[Comparison]:
    found = []
    for first, second in COMPARED:
        both = [{one.cell.draw: one for one in arms.get(name, ()) if one.problem is None} for name in (first, second)]
        common = sorted(set(both[0]) & set(both[1]))
        if not common:
            continue
        (one, a), (other, b) = (judge.measures([cells[number] for number in common]) for cells in both)
        gap = difference(float(one[TRUTH]), float(other[TRUTH]), np.column_stack((a[:, TRUTH], b[:, TRUTH])))
        estimate = Estimate(gap.estimate, gap.lower, gap.upper, gap.p, gap.level)
        patients = len(both[0][common[0]].risk)
        said = verdict(first, second, estimate, patients, measure="concordance with the true risk")
        found.append(Comparison(first, second, len(common), estimate, said.shown, said.sentence))
    return found


def _estimate(value: float, draws: Floats) -> Estimate:
    if not np.isfinite(value):
        return Estimate(None, problem="nobody's true risk differs")
    found = interval(value, draws)
    return Estimate(found.estimate, found.lower, found.upper)


def _counts(n: int, resamples: int, seed: int) -> Floats:
    """(n, resamples) how often each of n is drawn."""
    return np.asarray(bootstrap(n, lambda counts: counts.T, resamples=resamples, seed=seed).T)


def _correlation(a: Floats, b: Floats, counts: Floats) -> Floats:
    """(B,) weighted correlation of two rankings; 0 where one is constant. Ranks are those among all patients."""
    total = counts.sum(axis=0)

    def centred(values: Floats) -> Floats:
        return np.asarray(values[:, None] - (values @ counts) / total)

    x, y = centred(a), centred(b)
    spread = np.sqrt((counts * x**2).sum(axis=0) * (counts * y**2).sum(axis=0))
    together = (counts * x * y).sum(axis=0)
    return np.asarray(np.divide(together, spread, out=np.zeros_like(together), where=spread > 1e-9))
