"""Where a nomogram's axes lie on the sheet: points to positions, labels of ticks that keep clear of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nodal.report.fonts import Typesetter

__all__ = ["LABEL_SIZE", "Scale", "TickLabel", "numbers_below", "words_around"]

LABEL_SIZE = 6.0
"""Of the ticks' labels, in points."""
CLEAR = 3.0
"""Least gap between two labels, in points."""


@dataclass(frozen=True)
class Scale:
    """An axis of points from 0 at ``left`` to ``last`` at ``right``, positions in points of the sheet."""

    left: float
    right: float
    last: float

    def x(self, points: float) -> float:
        """Position of so many points; beyond the ends where the axis does not hold them."""
        return self.left + points / self.last * (self.right - self.left)

    def holds(self, points: float, slack: float = 1e-6) -> bool:
        """Whether the axis reaches so far."""
        return -slack <= points <= self.last + slack


@dataclass(frozen=True)
class TickLabel:
    """A tick at ``at`` whose label is centred at ``x``, above or below the axis."""

    text: str
    at: float
    x: float
    above: bool = False


def numbers_below(labels: Sequence[tuple[str, float]], type_: Typesetter, size: float) -> tuple[TickLabel, ...]:
    """Labels of a number's axis below it: the two ends first, then each that has room; the others are left out.

    Args:
        labels: text and position of each tick.
    """
    ordered = sorted(labels, key=lambda one: one[1])
    wanted = [ordered[0], ordered[-1], *ordered[1:-1]] if len(ordered) > 1 else ordered
    placed: list[TickLabel] = []
    for text, at in wanted:
        half = type_.width(text, size) / 2 + CLEAR
        if all(abs(at - one.x) >= half + type_.width(one.text, size) / 2 for one in placed):
            placed.append(TickLabel(text, at, at))
    return tuple(placed)


def words_around(
    labels: Sequence[tuple[str, float]], type_: Typesetter, size: float, left: float, right: float
) -> tuple[TickLabel, ...]:
    """Labels of a category's axis, alternately below and above it; none is left out.

    Where two of the same side would still touch they are moved apart, within ``left`` and ``right``.
    """
    ordered = sorted(labels, key=lambda one: one[1])
    if not _touch(ordered, type_, size):
        return tuple(TickLabel(text, at, at) for text, at in ordered)
    return (
        *_apart(ordered[::2], type_, size, left, right, above=False),
        *_apart(ordered[1::2], type_, size, left, right, above=True),
    )


def _touch(ordered: Sequence[tuple[str, float]], type_: Typesetter, size: float) -> bool:
    widths = [type_.width(text, size) for text, _ in ordered]
    return any(
        ordered[n + 1][1] - ordered[n][1] < (widths[n] + widths[n + 1]) / 2 + CLEAR for n in range(len(ordered) - 1)
    )


def _apart(
    side: Sequence[tuple[str, float]], type_: Typesetter, size: float, left: float, right: float, *, above: bool
) -> list[TickLabel]:
    """Labels pushed to the right until none touches, then back from the right edge."""
    widths = [type_.width(text, size) for text, _ in side]
    centres: list[float] = []
    for (_, at), width in zip(side, widths, strict=True):
        least = left + width / 2 if not centres else centres[-1] + (widths[len(centres) - 1] + width) / 2 + CLEAR
        centres.append(max(at, least))
    most = right
    for n in range(len(centres) - 1, -1, -1):
        centres[n] = min(centres[n], most - widths[n] / 2)
        most = centres[n] - widths[n] / 2 - CLEAR
    return [TickLabel(text, at, x, above) for (text, at), x in zip(side, centres, strict=True)]
