"""Curves made into strokes: steps, gaps where a value is missing, and what lies outside the axes cut away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["Point", "Range", "area_within", "lines_within", "stepped"]

Point = tuple[float, float]
Range = tuple[float, float]


def stepped(x: Sequence[float], y: Sequence[float]) -> list[Point]:
    """A right-continuous step function: level up to the next x, then straight up or down."""
    points: list[Point] = []
    for at, value in zip(x, y, strict=True):
        if points and math.isfinite(points[-1][1]) and math.isfinite(value):
            points.append((at, points[-1][1]))
        points.append((at, value))
    return points


def lines_within(points: Sequence[Point], across: Range, up: Range) -> list[list[Point]]:
    """The pieces of a line that lie in a rectangle (Liang and Barsky, ACM Trans Graph 1984;3:1).

    A point that is not finite breaks the line.
    """
    pieces: list[list[Point]] = []
    for start, end in pairwise(points):
        kept = _segment(start, end, across, up)
        if kept is None:
            continue
        if pieces and pieces[-1][-1] == kept[0]:
            pieces[-1].append(kept[1])
        else:
            pieces.append([*kept])
    return pieces


def _segment(start: Point, end: Point, across: Range, up: Range) -> tuple[Point, Point] | None:
    if not all(map(math.isfinite, (*start, *end))):
        return None
    (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    first, last = 0.0, 1.0
    for step, room in ((-dx, x - across[0]), (dx, across[1] - x), (-dy, y - up[0]), (dy, up[1] - y)):
        if step == 0:
            if room < 0:
                return None
        elif step < 0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    if first > last:
        return None
    # An end inside stays the very same number, so that neighbouring segments join.
    begin = start if first == 0 else (x + first * dx, y + first * dy)
    finish = end if last == 1 else (x + last * dx, y + last * dy)
    return begin, finish


def area_within(points: Sequence[Point], across: Range, up: Range) -> list[Point]:
    """The part of an area in a rectangle, side by side (Sutherland and Hodgman, Commun ACM 1974;17:32)."""
    area = [point for point in points if all(map(math.isfinite, point))]
    for axis, bound, sign in ((0, across[0], 1), (0, across[1], -1), (1, up[0], 1), (1, up[1], -1)):
        area = _cut(area, axis, bound, sign)
    return area


def _cut(area: list[Point], axis: int, bound: float, sign: int) -> list[Point]:
    kept: list[Point] = []
    for before, point in zip(area[-1:] + area[:-1], area, strict=True):
        was, now = (sign * (before[axis] - bound) >= 0, sign * (point[axis] - bound) >= 0)
        if was != now:
            share = (bound - before[axis]) / (point[axis] - before[axis])
            kept.append((before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1])))
        if now:
            kept.append(point)
    return kept
