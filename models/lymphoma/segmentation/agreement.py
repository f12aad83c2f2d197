"""A lesion map against the truth: Dice, volumes that meet nothing, lesions found; with intervals over patients.

A lesion is a 26-connected component, whoever drew it. It is met when at least one of its voxels lies in the other map:

    precision   drawn lesions that meet a true one, of all drawn
    recall      true lesions that are met, of all true

One voxel is the most lenient of the rules in use: a drawing that flows over half the body "finds" every lesion in it,
so these two figures are read beside Dice and the volumes. The paper of LAMP prints .8931 and .8991 and no rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.survival.bootstrap import Interval, bootstrap, difference, interval

__all__ = [
    "LARGE_ML",
    "AgreementFigures",
    "LesionAgreement",
    "Spared",
    "against",
    "agreement",
    "gap",
    "paired",
    "summarise",
]

LARGE_ML = 3.0
"""The node's volume rule: what a segmenter may leave out by its own rule is counted apart."""

TOUCHING = np.ones((3, 3, 3), dtype=np.bool_)  # 26-connected

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LesionAgreement:
    """One patient's lesion map against the truth.

    Attributes:
        found_ml, true_ml, both_ml: volumes drawn, true, and in both.
        false_positive_ml: volume of drawn lesions that meet no true one (FPV of the autoPET challenge);
            false_negative_ml: of true lesions that nothing drawn meets (FNV).
        found, found_met: drawn lesions, and those that meet a true one. true, true_met: the other way round.
        large, large_met: of the true ones, those of at least :data:`LARGE_ML`.
    """

    found_ml: float
    true_ml: float
    both_ml: float
    false_positive_ml: float
    false_negative_ml: float
    found: int
    found_met: int
    true: int
    true_met: int
    large: int
    large_met: int

    @property
    def dice(self) -> float | None:
        """None where neither map holds a voxel; 0 where only one does."""
        total = self.found_ml + self.true_ml
        return 2.0 * self.both_ml / total if total else None


def agreement(found: Bools, true: Bools, voxel_volume_ml: float) -> LesionAgreement:
    """Compares two maps of one shape."""
    drawn, real = _met(found, true), _met(true, found)
    large = real.voxels * voxel_volume_ml >= LARGE_ML
    return LesionAgreement(
        found_ml=int(drawn.voxels.sum()) * voxel_volume_ml,
        true_ml=int(real.voxels.sum()) * voxel_volume_ml,
        both_ml=int((found & true).sum()) * voxel_volume_ml,
        false_positive_ml=int(drawn.voxels[~drawn.met].sum()) * voxel_volume_ml,
        false_negative_ml=int(real.voxels[~real.met].sum()) * voxel_volume_ml,
        found=len(drawn.met),
        found_met=int(drawn.met.sum()),
        true=len(real.met),
        true_met=int(real.met.sum()),
        large=int(large.sum()),
        large_met=int((large & real.met).sum()),
    )


@dataclass(frozen=True)
class AgreementFigures:
    """Of several patients, each with its interval; NaN where no patient can tell.

    Attributes:
        dice, precision, recall: means over the patients that have one. dice_pooled: of all voxels together;
            precision_pooled, recall_pooled: of all lesions together. recall_large: pooled, of at least
            :data:`LARGE_ML`. false_positive_ml, false_negative_ml: means. volume_error_ml: mean of |drawn - true|.
    """

    dice: Interval
    dice_pooled: Interval
    false_positive_ml: Interval
    false_negative_ml: Interval
    precision: Interval
    precision_pooled: Interval
    recall: Interval
    recall_pooled: Interval
    recall_large: Interval
    volume_error_ml: Interval


_NAMES = tuple(field.name for field in fields(AgreementFigures))
_UNKNOWN = Interval(math.nan, math.nan, math.nan, 0.95)


def summarise(patients: Sequence[LesionAgreement], *, resamples: int = 2000, seed: int = 5) -> AgreementFigures:
    """Figures with percentile intervals of a bootstrap over patients, whose lesions go with them.

    Raises:
        ValueError: no patient.
    """
    estimate, draws = _drawn(patients, resamples, seed)
    return AgreementFigures(
        **{
            name: interval(estimate[at], draws[:, at]) if np.isfinite(draws[:, at]).any() else _UNKNOWN
            for at, name in enumerate(_NAMES)
        }
    )


def gap(
    first: Sequence[LesionAgreement], second: Sequence[LesionAgreement], *, resamples: int = 2000, seed: int = 5
) -> AgreementFigures:
    """Figures of ``first`` less those of ``second``, patients who are not the same: each is drawn by itself."""
    return _less(_drawn(first, resamples, seed), _drawn(second, resamples, seed + 1))


def paired(
    first: Sequence[LesionAgreement], second: Sequence[LesionAgreement], *, resamples: int = 2000, seed: int = 5
) -> AgreementFigures:
    """Figures of one method less those of another on the same patients, in the same order: they are drawn together.

    Raises:
        ValueError: other numbers of patients.
    """
    if len(first) != len(second):
        raise ValueError("a paired difference needs the same patients")
    return _less(_drawn(first, resamples, seed), _drawn(second, resamples, seed))


def _less(first: tuple[list[float], Floats], second: tuple[list[float], Floats]) -> AgreementFigures:
    (here, draws), (there, others) = first, second
    found = {}
    for at, name in enumerate(_NAMES):
        pairs = np.column_stack((draws[:, at], others[:, at]))
        known = bool(np.isfinite(pairs).all(axis=1).any())
        found[name] = difference(here[at], there[at], pairs) if known else _UNKNOWN
    return AgreementFigures(**found)


@dataclass(frozen=True)
class Spared:
    """What a method leaves of a reference's drawing in the same patients, all voxels together.

    Attributes:
        removed: share of the reference's volume outside of true lesions that is not drawn any more. kept: volume inside
            true lesions over the reference's; above 1 where the method draws more of them.
    """

    removed: Interval
    kept: Interval


def against(
    patients: Sequence[LesionAgreement], reference: Sequence[LesionAgreement], *, resamples: int = 2000, seed: int = 5
) -> Spared:
    """Compares a method with a reference, patient by patient."""
    outside = np.array([[p.found_ml - p.both_ml, r.found_ml - r.both_ml] for p, r in _pairs(patients, reference)])
    inside = np.array([[p.both_ml, r.both_ml] for p, r in _pairs(patients, reference)])

    def shares(counts: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            here, there = outside.T @ counts
            own, whole = inside.T @ counts
            return np.stack((1.0 - here / there, own / whole), axis=1)

    estimate = shares(np.ones((len(outside), 1)))[0].tolist()
    draws = bootstrap(len(outside), shares, resamples=resamples, seed=seed)
    draws[~np.isfinite(draws)] = np.nan
    removed, kept = (
        interval(estimate[at], draws[:, at]) if np.isfinite(draws[:, at]).any() else _UNKNOWN for at in (0, 1)
    )
    return Spared(removed, kept)


def _pairs(
    patients: Sequence[LesionAgreement], reference: Sequence[LesionAgreement]
) -> list[tuple[LesionAgreement, LesionAgreement]]:
    if not patients:
        raise ValueError("figures need a patient")
    return list(zip(patients, reference, strict=True))


def _drawn(patients: Sequence[LesionAgreement], resamples: int, seed: int) -> tuple[list[float], Floats]:
    """Figures of the patients, and of their resamples: shape (resamples, figures)."""
    if not patients:
        raise ValueError("figures need a patient")
    above, below = _ratios(patients)

    def figures(counts: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((above @ counts) / (below @ counts)).T

    estimate = figures(np.ones((len(patients), 1)))[0].tolist()
    return estimate, bootstrap(len(patients), figures, resamples=resamples, seed=seed)


def _ratios(patients: Sequence[LesionAgreement]) -> tuple[Floats, Floats]:
    """Every figure is a ratio of sums over patients: what is summed above and below the line, (figures, n) each."""
    one = np.ones(len(patients))
    values = {name: np.array([getattr(p, name) for p in patients], dtype=np.float64) for name in _COUNTED}
    drawn_ml, true_ml, both_ml = values["found_ml"], values["true_ml"], values["both_ml"]
    ratios = {
        "dice": _mean(2.0 * both_ml, drawn_ml + true_ml),
        "dice_pooled": (2.0 * both_ml, drawn_ml + true_ml),
        "false_positive_ml": (values["false_positive_ml"], one),
        "false_negative_ml": (values["false_negative_ml"], one),
        "precision": _mean(values["found_met"], values["found"]),
        "precision_pooled": (values["found_met"], values["found"]),
        "recall": _mean(values["true_met"], values["true"]),
        "recall_pooled": (values["true_met"], values["true"]),
        "recall_large": (values["large_met"], values["large"]),
        "volume_error_ml": (np.abs(drawn_ml - true_ml), one),
    }
    return np.stack([ratios[name][0] for name in _NAMES]), np.stack([ratios[name][1] for name in _NAMES])


_COUNTED = tuple(field.name for field in fields(LesionAgreement))


def _mean(above: Floats, below: Floats) -> tuple[Floats, Floats]:
    """A patient's own ratio, and whether there is one."""
    there = below > 0
    return np.divide(above, below, out=np.zeros_like(above), where=there), there.astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Components of a map, shape (n,) each: size, and whether one of the other map's voxels lies in it."""

    voxels: npt.NDArray[np.int64]
    met: Bools


def _met(parts: Bools, other: Bools) -> _Parts:
    labels, count = ndimage.label(parts, structure=TOUCHING)
    met = np.zeros(count + 1, dtype=np.bool_)
    met[labels[other]] = True
    return _Parts(np.bincount(labels.ravel(), minlength=count + 1)[1:], met[1:])
