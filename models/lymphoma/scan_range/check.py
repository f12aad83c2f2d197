"""Is a scan of the kind the networks know? Statistics of virtual scans, with room for the step to real ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import KFold

from lymphoma.errors import BundleRefused
from lymphoma.scan_range.features import NAMES, ScanFeatures
from lymphoma.training.statistics import RangeStatistics, RangeVerdict, in_range

__all__ = ["ALLOWANCE", "REGISTRATION", "check", "fit_range"]

Floats = npt.NDArray[np.float64]

ALLOWANCE = 1.0
"""[A] By how many of their own standard deviations the features of another population may be displaced, each by
itself. The patients fitted to come from one generator, whose organs vary together more neatly than anybody's: without
an allowance each scan from elsewhere would be outside in one of these neat directions."""

LEAST_PATIENTS = 40
LEAST_KNOWN = 20
"""Patients in whom a feature must be known for its mean and spread to count."""

PLAUSIBLE: Mapping[str, tuple[float, float]] = {"liver_suv_log": (math.log(0.4), math.log(8.0))}
"""[A] No FDG scan lies beyond, whatever the statistics say: a liver of another tracer, or an SUV wrong by a factor."""

SIDED = ("air_to_left", "solid_to_left_mm")
"""Measures that change sign in a scan turned over, whatever an organ map says: the anatomy network looks for the liver
on the right, and finds one there."""

ONE_SIDED = 2.0
"""[A] Deviations by which the patients of the statistics must lie to one side for a mirror to be noticed."""

REGISTRATION = "ct_registration"
"""Named as the feature that failed where the CT cannot be brought to the PET."""


def check(features: ScanFeatures, statistics: RangeStatistics) -> RangeVerdict:
    """Compares a scan with those of the statistics.

    Outside: as :func:`lymphoma.training.statistics.in_range` says, a liver that no FDG scan has, a body that is more
    likely seen in a mirror, or a CT whose registration is not credible. What the field of view does not show is left
    out, and alone makes no scan unusual.

    Raises:
        BundleRefused: STATISTICS_UNFIT, the statistics are of other features.
    """
    if statistics.names != NAMES:
        raise BundleRefused("STATISTICS_UNFIT", "the range statistics are of other features than this version measures")
    values = np.array(features.values, dtype=np.float64)
    verdict = in_range(values, statistics)
    unknown = {name for name, value in zip(NAMES, values, strict=True) if np.isnan(value)}
    failed = tuple(name for name in verdict.features if name not in unknown)
    impossible = tuple(
        name for name, (low, high) in PLAUSIBLE.items() if not _within(values[NAMES.index(name)], low, high)
    )
    if impossible:
        return replace(verdict, range="outside", features=tuple(dict.fromkeys((*impossible, *failed))))
    if _mirrored(values, statistics):
        return replace(verdict, range="outside", features=tuple(dict.fromkeys((SIDED[-1], *failed))))
    if features.registration == "not_credible":
        return replace(verdict, range="outside", features=(REGISTRATION, *failed))
    if verdict.range == "unusual" and not failed:
        return replace(verdict, range="in", features=())
    return replace(verdict, features=failed)


def _within(value: float, low: float, high: float) -> bool:
    return math.isnan(value) or low <= value <= high


def _mirrored(values: Floats, statistics: RangeStatistics) -> bool:
    """Whether the mirrored body is nearer to the patients of the statistics than the body as it is."""
    sided = np.array([NAMES.index(name) for name in SIDED])
    sided = sided[np.isfinite(values[sided])]
    if not len(sided):
        return False
    mean, scale = np.array(statistics.mean)[sided], np.array(statistics.scale)[sided]
    covariance = np.array(statistics.covariance)[np.ix_(sided, sided)]

    def distance(of: Floats) -> float:
        z = (of - mean) / scale
        return math.sqrt(z @ np.linalg.solve(covariance, z))

    one_sided = distance(np.zeros(len(sided))) >= ONE_SIDED
    return one_sided and distance(-values[sided]) < distance(values[sided])


def fit_range(values: Floats, *, allowance: float = ALLOWANCE, seed: int = 0) -> RangeStatistics:
    """Fits the statistics that :func:`check` compares with.

    Mean and standard deviation of each feature over those who have it; the covariance of the standardised features
    (Ledoit and Wolf; a missing value counts as the mean) plus the allowance squared on its diagonal. The limit is the
    99 % quantile over patients left out in turn, each displaced by a draw of the allowance; the range of each feature
    is wider by the allowance on both sides.

    Args:
        values: shape (n, p), in the order of NAMES; NaN where not seen. allowance: in standard deviations.

    Raises:
        BundleRefused: STATISTICS_UNFIT: too few patients, or too few who show a feature.
    """
    known = np.isfinite(values).sum(axis=0) if values.ndim == 2 else np.zeros(0)
    if values.ndim != 2 or values.shape[1] != len(NAMES) or len(values) < LEAST_PATIENTS:
        raise BundleRefused("STATISTICS_UNFIT", f"the range statistics need {LEAST_PATIENTS} scans or more")
    if known.min() < LEAST_KNOWN:
        rare = ", ".join(name for name, count in zip(NAMES, known, strict=True) if count < LEAST_KNOWN)
        raise BundleRefused("STATISTICS_UNFIT", f"too few scans show {rare}")
    rng = np.random.default_rng(seed)
    ratios = []
    for train, test in KFold(5, shuffle=True, random_state=seed).split(values):
        mean, scale, covariance = _moments(values[train], allowance)
        displaced = values[test] + allowance * scale * rng.standard_normal(values[test].shape)
        ratios += [_over_its_limit(row, mean, scale, covariance) for row in displaced]
    mean, scale, covariance = _moments(values, allowance)
    low, high = np.nanquantile(values, [0.01, 0.99], axis=0) + np.outer([-allowance, allowance], scale)
    return RangeStatistics(
        names=NAMES,
        patients=len(values),
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        limit=float(np.quantile(ratios, 0.99) * np.sqrt(chi2.ppf(0.99, len(NAMES)))),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )


def _moments(values: Floats, allowance: float) -> tuple[Floats, Floats, Floats]:
    mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    filled = np.nan_to_num((values - mean) / scale, nan=0.0)
    # a filled value is no news; without this a feature that few show would seem to vary little
    filled /= np.sqrt(np.isfinite(values).mean(axis=0))
    covariance = LedoitWolf(assume_centered=True).fit(filled).covariance_
    return mean, scale, np.asarray(covariance + allowance**2 * np.eye(len(mean)))


def _over_its_limit(row: Floats, mean: Floats, scale: Floats, covariance: Floats) -> float:
    """Distance over the known features, in units of the 99 % limit of a normal distribution of so many."""
    known = np.isfinite(row)
    z = ((row - mean) / scale)[known]
    distance = z @ np.linalg.solve(covariance[np.ix_(known, known)], z)
    return float(np.sqrt(distance / chi2.ppf(0.99, max(1, int(known.sum())))))
