"""Scores made standard with stored population constants: a patient's value depends on nobody else in the cohort."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

__all__ = ["Shape", "Standard", "fit_standard"]

Floats = npt.NDArray[np.float64]
Shape = Literal["linear", "normal"]

MEAN_DEGREE, SPREAD_DEGREE = 3, 2
WIDEST = 3.0
"""Confounders count no further than this many SD from their mean, where few patients were fitted."""
LEVELS = np.linspace(0.0025, 0.9975, 200)
"""Probability levels of the stored quantiles."""


@dataclass(frozen=True)
class Standard:
    """Population constants of one score.

    The score's conditional mean and spread given the confounders (polynomials of their clipped z-values) are taken out
    first; then a "linear" score becomes a z-value, a "normal" one the normal score of its rank in the population.

    Attributes:
        centre, scale: of the confounders, one each. mean: coefficients of the polynomial of degree 3. spread: of the
            logarithm of the SD, degree 2. quantiles: of what remains, at :data:`LEVELS`; for "linear" (mean, SD).
    """

    shape: Shape
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    quantiles: tuple[float, ...]

    def apply(self, score: Floats, given: Floats) -> Floats:
        """Standard values, mean 0 and SD 1 in the population; 0 where the score is not known.

        Args:
            score: shape (n,). given: confounders, shape (n, d), d may be 0.
        """
        left = self._remainder(score, given)
        if self.shape == "linear":
            value = (left - self.quantiles[0]) / self.quantiles[1]
        else:
            level = np.interp(left, self.quantiles, LEVELS, left=LEVELS[0] / 2, right=(1 + LEVELS[-1]) / 2)
            value = norm.ppf(level)
        return np.asarray(np.where(np.isfinite(score), value, 0.0))

    def _remainder(self, score: Floats, given: Floats) -> Floats:
        if not self.centre:
            return score
        z = np.clip((given - self.centre) / np.asarray(self.scale), -WIDEST, WIDEST)
        z = np.nan_to_num(z)
        spread = np.exp(_terms(z, SPREAD_DEGREE) @ self.spread)
        return np.asarray((score - _terms(z, MEAN_DEGREE) @ self.mean) / spread)


def fit_standard(score: Floats, given: Floats, shape: Shape) -> Standard:
    """The constants of a population.

    Args:
        score: shape (n,); patients without one are left out. given: confounders, shape (n, d).
    """
    known = np.isfinite(score) & np.isfinite(given).all(axis=1)
    score, given = score[known], given[known]
    centre: Floats = given.mean(axis=0)
    scale: Floats = given.std(axis=0)
    z = np.clip((given - centre) / scale, -WIDEST, WIDEST)
    cubic, square = _terms(z, MEAN_DEGREE), _terms(z, SPREAD_DEGREE)
    mean: Floats = np.zeros(cubic.shape[1])
    spread: Floats = np.zeros(square.shape[1])
    if given.shape[1]:
        mean = np.asarray(np.linalg.lstsq(cubic, score, rcond=None)[0])
        residual: Floats = np.abs(score - cubic @ mean)
        spread = np.asarray(
            np.linalg.lstsq(square, np.log(np.maximum(residual, 1e-3 * residual.mean())), rcond=None)[0]
        )
    bare = Standard(shape, _tuple(centre), _tuple(scale), _tuple(mean), _tuple(spread), ())
    left = bare._remainder(score, given)
    levels = np.quantile(left, LEVELS) if shape == "normal" else (left.mean(), left.std())
    quantiles = np.asarray(levels, dtype=np.float64)
    return Standard(shape, bare.centre, bare.scale, bare.mean, bare.spread, _tuple(quantiles))


def _terms(z: Floats, degree: int) -> Floats:
    """All monomials up to a total degree, the constant first; shape (n, terms)."""
    columns: list[Floats] = [np.ones(len(z))]
    for power in range(1, degree + 1):
        columns += [z[:, list(which)].prod(axis=1) for which in combinations_with_replacement(range(z.shape[1]), power)]
    return np.stack(columns, axis=1)


def _tuple(values: Floats) -> tuple[float, ...]:
    """Seven digits: enough for the constants, and short in the file."""
    return tuple(float(f"{value:.7g}") for value in values)
