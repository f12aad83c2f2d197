"""Round numbers for an axis, by the rule of S and R (Becker, Chambers and Wilks, The New S Language, 1988)."""

from __future__ import annotations

import math

__all__ = ["pretty"]

PREFER_LARGER, PREFER_FIVE = 1.5, 2.75
"""How much a larger step, and a step of five, is favoured over a smaller one."""
ROUNDING = 1e-10
"""Share of a step by which a bound may miss a tick through rounding."""


def pretty(least: float, most: float, intervals: int = 10) -> tuple[float, ...]:
    """Equally spaced ticks that cover [least, most], about ``intervals`` steps of 1, 2 or 5 times a power of ten.

    Raises:
        ValueError: where the range is empty or not finite.
    """
    if not (math.isfinite(least) and math.isfinite(most) and least < most):
        raise ValueError("a range of two different finite numbers is needed")
    cell = (most - least) / intervals
    base = 10.0 ** math.floor(math.log10(cell))
    unit = base
    for factor, favour in ((2, PREFER_LARGER), (5, PREFER_FIVE), (10, PREFER_LARGER)):
        if factor * base - cell >= favour * (cell - unit):
            break
        unit = factor * base
    first, last = math.floor(least / unit + ROUNDING), math.ceil(most / unit - ROUNDING)
    # Under one, divide by the whole reciprocal: 3 / 10 is 0.3, 3 * 0.1 is not.
    inverse = round(1 / unit) if unit < 1 else 0
    return tuple(index / inverse if inverse else index * unit for index in range(first, last + 1))
