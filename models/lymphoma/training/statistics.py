"""What the training patients looked like, and whether a new one looks like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import KFold

from lymphoma.errors import BundleRefused

__all__ = ["RangeStatistics", "RangeVerdict", "fit_statistics", "in_range"]

Floats = npt.NDArray[np.float64]

UNUSUAL_WIDTHS = 0.25
OUTSIDE_WIDTHS = 1.0
"""[A] How far beyond its 1-99 % range, in widths of that range, one feature alone makes a study unusual or outside: at
3.5 and 7 standard deviations of a normal feature. Nearer would flag most studies, one feature in fifty lies outside
its range by definition."""


@dataclass(frozen=True)
class RangeStatistics:
    """Statistics of p features over n training patients.

    Attributes:
        names: p. mean, scale: p; mean and standard deviation. covariance: p x p, of the features less mean over scale,
            shrunk (Ledoit and Wolf). limit: 99 % quantile of the Mahalanobis distance of patients left out of the fit.
        low, high: p; 1 % and 99 % quantiles.
    """

    names: tuple[str, ...]
    patients: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    limit: float
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        p = len(self.names)
        rows = (self.mean, self.scale, self.low, self.high, self.covariance, *self.covariance)
        if not p or any(len(row) != p for row in rows):
            raise BundleRefused("STATISTICS_UNFIT", "the training statistics have parts of different lengths")


@dataclass(frozen=True)
class RangeVerdict:
    """How a study compares with the training patients.

    Attributes:
        range: "in", "unusual" or "outside". distance: Mahalanobis, over the features that are known.
        limit: 99 % limit for that many features. features: those that failed, the worst first.
    """

    range: Literal["in", "unusual", "outside"]
    distance: float
    limit: float
    features: tuple[str, ...]


def fit_statistics(names: Sequence[str], values: Floats, seed: int = 0) -> RangeStatistics:
    """Fits the statistics of the training patients.

    The limit is taken on patients left out in turn (five parts): the distances of those a covariance was fitted to are
    too small, the more so the fewer they are.

    Args:
        values: shape (n, p), finite, n at least 20.

    Raises:
        BundleRefused: ``STATISTICS_UNFIT``: too few patients, a value that is not finite, or a constant feature.
    """
    if values.ndim != 2 or values.shape[1] != len(names) or len(values) < 20 or not np.isfinite(values).all():
        raise BundleRefused("STATISTICS_UNFIT", "training statistics need 20 patients or more with finite features")
    constant = [name for name, spread in zip(names, np.ptp(values, axis=0), strict=True) if spread == 0]
    if constant:
        raise BundleRefused("STATISTICS_UNFIT", f"features without any spread: {', '.join(constant)}")
    left_out = [
        _distances(values[test], *_moments(values[train]))
        for train, test in KFold(5, shuffle=True, random_state=seed).split(values)
    ]
    mean, scale, covariance = _moments(values)
    low, high = np.quantile(values, [0.01, 0.99], axis=0)
    return RangeStatistics(
        names=tuple(names),
        patients=len(values),
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        limit=float(np.quantile(np.concatenate(left_out), 0.99)),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )


def in_range(values: Floats, statistics: RangeStatistics) -> RangeVerdict:
    """Compares one study with the training patients.

    Outside: the distance is above its limit, a feature lies far beyond its range, or is infinite. Unusual: a feature
    lies beyond its range, or is not known (NaN); the distance is then taken over the others, with the limit of their
    number [A].

    Args:
        values: shape (p,), in the order of ``statistics.names``.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(statistics.names),):
        raise ValueError(f"{len(statistics.names)} features are expected, not {values.shape}")
    low, high = np.array(statistics.low), np.array(statistics.high)
    width = np.maximum(high - low, np.array(statistics.scale))  # a mostly constant feature has no width of its own
    beyond = np.maximum(np.maximum(low - values, values - high), 0.0) / width
    known = np.isfinite(values)
    distance, shares, limit = _against(values, known, statistics)
    far = np.isinf(values) | (beyond > OUTSIDE_WIDTHS)
    odd = np.isnan(values) | (beyond > UNUSUAL_WIDTHS)
    if far.any():
        return RangeVerdict("outside", distance, limit, _named(statistics, far, np.nan_to_num(beyond)))
    if distance > limit:
        blamed = shares >= 0.5 * shares.max()
        return RangeVerdict("outside", distance, limit, _named(statistics, blamed, shares))
    if odd.any():
        return RangeVerdict("unusual", distance, limit, _named(statistics, odd, np.nan_to_num(beyond)))
    return RangeVerdict("in", distance, limit, ())


def _against(values: Floats, known: npt.NDArray[np.bool_], statistics: RangeStatistics) -> tuple[float, Floats, float]:
    """Distance, each feature's share of its square (p; they add up to it), and the limit, over the known features."""
    shares = np.zeros(len(values))
    if not known.any():
        return 0.0, shares, statistics.limit
    z = ((values - np.array(statistics.mean)) / np.array(statistics.scale))[known]
    covariance = np.array(statistics.covariance)[np.ix_(known, known)]
    shares[known] = z * np.linalg.solve(covariance, z)
    fewer = 1.0 if known.all() else chi2.ppf(0.99, int(known.sum())) / chi2.ppf(0.99, len(values))
    return float(np.sqrt(shares.sum())), shares, statistics.limit * float(np.sqrt(fewer))


def _moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return mean, scale, np.asarray(LedoitWolf(assume_centered=True).fit((values - mean) / scale).covariance_)


def _distances(values: Floats, mean: Floats, scale: Floats, covariance: Floats) -> Floats:
    z = (values - mean) / scale
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", z, np.linalg.solve(covariance, z.T).T)))


def _named(statistics: RangeStatistics, chosen: npt.NDArray[np.bool_], worth: Floats) -> tuple[str, ...]:
    order = [at for at in np.argsort(-worth, kind="stable") if chosen[at]]
    return tuple(statistics.names[at] for at in order)
