"""Restricted cubic splines: cubic between the knots, straight beyond the outer two (Harrell, RMS 2015, section 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats

__all__ = ["quantile_knots", "restricted_cubic"]

_QUANTILES = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}


def quantile_knots(values: npt.ArrayLike, count: int) -> tuple[float, ...]:
    """3, 4 or 5 knots at Harrell's quantiles of training values (n,).

    Raises:
        NotComputable: ``TOO_FEW_VALUES`` where knots fall together.
    """
    knots = np.quantile(np.asarray(values, dtype=np.float64), _QUANTILES[count])
    if (np.diff(knots) <= 0).any():
        raise NotComputable("TOO_FEW_VALUES", "too many patients have the same value for a spline")
    return tuple(float(knot) for knot in knots)


def restricted_cubic(values: npt.ArrayLike, knots: Sequence[float]) -> Floats:
    """Columns (n, K - 1) for K knots: the value itself, then K - 2 curved ones in the unit of the value."""
    x, k = np.asarray(values, dtype=np.float64), np.asarray(knots, dtype=np.float64)
    last, before = k[-1], k[-2]
    columns = [x]
    for knot in k[:-2]:
        cubes = [np.maximum(x - at, 0) ** 3 for at in (knot, before, last)]
        bend = cubes[0] - cubes[1] * (last - knot) / (last - before) + cubes[2] * (before - knot) / (last - before)
        columns.append(bend / (last - k[0]) ** 2)
    return np.stack(columns, axis=1)
