"""Every model in each centre: pairs of one centre and one fold, and the calibration slope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lymphoma.evaluation.figures import Figures
from lymphoma.evaluation.measures import Key, Panel, Setting, Statistic, slope_statistic
from lymphoma.evaluation.ranking import ComparablePairs
from lymphoma.evaluation.result import Estimate, Subgroup, SubgroupRow
from lymphoma.survival.curves import LEAST_EVENTS
from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["centre_panels", "subgroups"]

FEW = f"fewer than {LEAST_EVENTS} events"


def centre_panels(setting: Setting, centres: Sequence[str]) -> tuple[Panel, ...]:
    """Harrell C and slope of every model in every centre of ten events or more; none where there is one centre.

    Args:
        centres: (n,) of the patients of the setting.
    """
    names = np.asarray(centres)
    if np.unique(names).size < 2:
        return ()
    panels = []
    for name in np.unique(names):
        here = (names == name) & (setting.predicted.fold >= 0)
        if setting.follow_up.event[here].sum() >= LEAST_EVENTS:
            panels.append(_ranking(setting, str(name), here))
            panels.append(_slopes(setting, str(name), here))
    return tuple(panels)


def subgroups(
    models: Sequence[str],
    follow_up: FollowUp,
    tested: np.ndarray[tuple[int], np.dtype[np.bool_]],
    centres: Sequence[str],
    figures: Figures,
) -> tuple[Subgroup, ...]:
    """A row per centre, largest first, and in it a row per model; the figures withheld under ten events."""
    names = np.asarray(centres)
    if np.unique(names).size < 2:
        return ()
    found = []
    for name in np.unique(names):
        here = (names == name) & tested
        events = int(follow_up.event[here].sum())
        rows = tuple(_row(model, str(name), events, figures) for model in models)
        found.append(Subgroup(str(name) or "unnamed", int(here.sum()), events, rows))
    return tuple(sorted(found, key=lambda one: (-one.n, one.name)))


def _row(model: str, centre: str, events: int, figures: Figures) -> SubgroupRow:
    if events < LEAST_EVENTS:
        return SubgroupRow(model, Estimate(None, problem=FEW), Estimate(None, problem=FEW))
    harrell = figures.estimate(Key(model, "harrell", centre=centre))
    return SubgroupRow(model, harrell, figures.estimate(Key(model, "slope", centre=centre)))


def _ranking(setting: Setting, name: str, here: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Panel:
    """Comparable pairs of all folds together: a fold alone holds few patients of one centre."""
    parts: list[tuple[Ints, ComparablePairs, Floats]] = []
    for split in setting.predicted.splits:
        index = split.test[here[split.test]]
        if index.size:
            pairs = ComparablePairs(setting.follow_up.take(index), np.zeros(index.size))
            parts.append((index, pairs, setting.predicted.scores[:, index]))

    def statistic(counts: Floats) -> Floats:
        found = [pairs.sums(scores, counts[index]) for index, pairs, scores in parts]
        wins, comparable = sum(one[0][0] for one in found), sum(one[1][0] for one in found)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(wins / np.asarray(comparable)[:, None], dtype=np.float64)

    return Panel(tuple(Key(model, "harrell", centre=name) for model in setting.models), statistic)


def _slopes(setting: Setting, name: str, here: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Panel:
    strata = np.where(here, setting.predicted.fold, -1)
    keys, parts = [], list[Statistic]()
    for number, model in enumerate(setting.models):
        if not setting.flat[number]:
            keys.append(Key(model, "slope", centre=name))
            parts.append(slope_statistic(setting.follow_up, setting.predicted.linear_predictors[number], strata))
    return Panel(tuple(keys), lambda counts: np.concatenate([part(counts) for part in parts], axis=1))
