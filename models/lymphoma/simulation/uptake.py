"""From tissues to activity: the patient's own uptake of every tissue, as SUV before any blur."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.confusers import ConfuserTruth, paint_confusers
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.tissues import LABELS, SIDES, TISSUES

__all__ = ["Uptake", "draw_uptake", "physiological_uptake"]

Array = npt.NDArray[np.float32]
COMMON_SHARE = 0.6
"""Correlation between the (log) uptakes of two soft organs of different patients."""
BRAIN_SHARE = 0.85
TEXTURE = 0.04
LIVER_SUV = (1.2, 3.5)


@dataclass(frozen=True, eq=False)
class Uptake:
    """The patient without lymphoma.

    Attributes:
        activity: SUV before blur, float32 (k, j, i). confusers: what was painted besides organs.
    """

    activity: Array
    confusers: tuple[ConfuserTruth, ...]


@dataclass(frozen=True, eq=False)
class _Table:
    """The tissue table as arrays over labels.

    Attributes:
        log_mean, log_sd: of the log-normal with the table's mean and SD. kind: number of the tissue's kind.
        shared, brain: bool.
    """

    log_mean: npt.NDArray[np.float64]
    log_sd: npt.NDArray[np.float64]
    kind: npt.NDArray[np.intp]
    kinds: tuple[str, ...]
    shared: npt.NDArray[np.bool_]
    brain: npt.NDArray[np.bool_]


@cache
def _table() -> _Table:
    mean = np.array([max(tissue.suv, 1e-6) for tissue in TISSUES])
    spread = np.log1p((np.array([tissue.suv_sd for tissue in TISSUES]) / mean) ** 2)
    names = [tissue.kind or tissue.name for tissue in TISSUES]
    kinds = tuple(dict.fromkeys(names))
    return _Table(
        log_mean=np.log(mean) - spread / 2,
        log_sd=np.sqrt(spread),
        kind=np.array([kinds.index(name) for name in names]),
        kinds=kinds,
        shared=np.array([tissue.shared for tissue in TISSUES]),
        brain=np.array([tissue.kind == "brain" for tissue in TISSUES]),
    )


def draw_uptake(plan: PatientPlan) -> Array:
    """SUV of every tissue in this patient before blur, indexed by tissue label, shape (256,); needs no image.

    Each tissue is log-normal with the mean and SD of the table, within 2.5 SD. Soft organs share the plan's common
    score (correlation 0.6), the tissues of the brain another; liver stays within 1.2..3.5.
    """
    table, rng = _table(), np.random.default_rng([plan.seed, 4])
    brain = float(rng.normal())
    of_kind, own = rng.normal(size=len(table.kinds)), rng.normal(size=len(TISSUES))
    apart = np.sqrt(0.95) * of_kind[table.kind] + np.sqrt(0.05) * own
    score = np.where(
        table.shared,
        np.sqrt(COMMON_SHARE) * plan.physiology.common + np.sqrt(1 - COMMON_SHARE) * apart,
        np.where(table.brain, np.sqrt(BRAIN_SHARE) * brain + np.sqrt(1 - BRAIN_SHARE) * own, 0.0),
    )
    drawn = np.exp(table.log_mean + table.log_sd * np.clip(score, -2.5, 2.5))
    for kind, factor in plan.physiology.factors:
        drawn[table.kind == table.kinds.index(kind)] *= factor
    drawn[LABELS["liver"]] = np.clip(drawn[LABELS["liver"]], *LIVER_SUV)
    for tissue, suv in plan.physiology.set_suv:
        drawn[LABELS[tissue]] = suv
    drawn[LABELS["outside"]] = 0.0
    result = np.zeros(256, dtype=np.float32)
    result[: len(TISSUES)] = drawn
    return result


def physiological_uptake(tissues: npt.NDArray[np.uint8], suv: Array, plan: PatientPlan, grid: Grid) -> Uptake:
    """The activity of all that is not lymphoma.

    Uptake varies slowly within organs (SD 4 %), waxes and wanes along the bowel, stands in stretches of the ureters,
    and lights the plan's confusers. All of it goes by place in the patient, so that a part of the body looks as it
    does in the whole.

    Args:
        tissues: tissue labels (k, j, i) on ``grid``. suv: of :func:`draw_uptake`.
    """
    activity = suv[tissues]
    rng = np.random.default_rng([plan.seed, 5])
    slow, bowel = rng.spawn(2)
    level = stretch_of(plan, breath_mm=0.0).reference_z(grid.axis_mm(2))
    _fill_ureters(activity, tissues, plan, level)
    activity *= np.float32(1) + np.float32(TEXTURE) * _waves(grid, slow, (25.0, 90.0), slice(0, grid.shape[0]))
    where = np.flatnonzero((level > -70) & (level < 350))
    if len(where):
        part = slice(int(where[0]), int(where[-1]) + 1)
        swing = np.exp(np.float32(0.28) * np.clip(_waves(grid, bowel, (60.0, 160.0), part), -2, 2))
        np.multiply(activity[part], swing, out=activity[part], where=_gut_table()[tissues[part]])
    return Uptake(activity, paint_confusers(activity, tissues, plan, grid))


@cache
def _gut_table() -> npt.NDArray[np.bool_]:
    table = np.zeros(256, dtype=bool)
    for label, tissue in enumerate(TISSUES):
        table[label] = tissue.kind in ("gut", "colon")
    return table


def _fill_ureters(
    activity: Array, tissues: npt.NDArray[np.uint8], plan: PatientPlan, level: npt.NDArray[np.float64]
) -> None:
    for focus in plan.physiology.ureters:
        label = LABELS[f"ureter_{SIDES[focus.side]}"]
        for k in np.flatnonzero((level >= focus.low_mm) & (level <= focus.high_mm)):
            np.copyto(activity[k], np.float32(focus.suv), where=tissues[k] == label)


def _waves(grid: Grid, rng: np.random.Generator, lengths_mm: tuple[float, float], part: slice, count: int = 4) -> Array:
    """A smooth random field of SD about 1 on the slices ``part``: a sum of products of cosines along the axes.

    Args:
        lengths_mm: shortest and longest wave.
    """
    wave = 2 * np.pi / rng.uniform(*lengths_mm, (count, 3))
    phase = rng.uniform(0, 2 * np.pi, (count, 3))
    field = np.zeros((part.stop - part.start, grid.shape[1], grid.shape[2]), dtype=np.float32)
    for n in range(count):
        x, y, z = (np.cos(wave[n, a] * grid.axis_mm(a) + phase[n, a]).astype(np.float32) for a in range(3))
        plane = y[:, None] * x[None, :] * np.float32(np.sqrt(8 / count))
        field += z[part, None, None] * plane
    return field
