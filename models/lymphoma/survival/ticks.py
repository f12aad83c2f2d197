"""Round numbers for an axis, by the rule of S and R (Becker, Chambers and Wilks, The New S Language, 1988)."""

from __future__ import annotations

import math

__all__ = ["pretty", "pretty_log"]

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


MOST_TICKS = 10
_SERIES = ((1.0, (1.0, 2.0, 5.0)), (2.0, (1.0, 5.0, 20.0)), (1.0, (1.0,)))
"""Round numbers of a logarithmic axis, the densest first: (decades after which they repeat, numbers)."""


def pretty_log(least: float, most: float) -> tuple[float, ...]:
    """Ticks of a logarithmic axis that cover [least, most]: 1, 2, 5, 10 ..., or 1, 5, 20, 100 ... over a wide range.

    The ends are always numbers of the densest series, so that a wide range is not drawn wider than it is.

    Raises:
        ValueError: where the range is empty, not finite or not above 0.
    """
    if not (math.isfinite(most) and 0 < least < most):
        raise ValueError("a range of two different finite numbers above 0 is needed")
    dense = _series(*_SERIES[0], least, most)
    low = max(tick for tick in dense if tick <= least * (1 + ROUNDING))
    high = min(tick for tick in dense if tick >= most * (1 - ROUNDING))
    ticks: tuple[float, ...] = ()
    for decades, numbers in _SERIES:
        inner = (tick for tick in _series(decades, numbers, least, most) if low < tick < high)
        ticks = (low, *inner, high)
        if len(ticks) <= MOST_TICKS:
            break
    return ticks


def _series(decades: float, numbers: tuple[float, ...], least: float, most: float) -> list[float]:
    """All numbers of a series from below ``least`` to above ``most``."""
    first = math.floor(math.log10(least) / decades) - 1
    last = math.ceil(math.log10(most) / decades) + 1
    powers = (round(step * decades) for step in range(first, last + 1))
    return [number * 10**power if power >= 0 else number / 10**-power for power in powers for number in numbers]
