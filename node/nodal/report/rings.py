"""Outlines of a mask along the edges of its pixels, each area one closed line: holes are joined to it by a keyhole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["pixel_edges", "plain_edges"]

_Corner = tuple[int, int]
"""(row, column) of a corner of pixels: pixel (r, c) has the corners (r, c) to (r + 1, c + 1)."""
_Ring = list[_Corner]


def pixel_edges(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    """The areas of a plane as closed lines that follow pixel edges.

    Every pixel centre of the mask lies inside an odd number of the lines and no other does; the area enclosed is that
    of the pixels. Pixels that touch at a corner alone are areas of their own. A hole is joined to the line around it by
    a keyhole (PS3.3 C.8.8.6.3): a way there and back along one pixel edge after another, which encloses nothing.

    Args:
        mask: shape (rows, columns).

    Returns:
        A line each, shape (n, 2): (row, column) of its corners in pixels, counted from the centre of the first pixel;
        the last corner joins the first. Clockwise as displayed, from top to bottom by their first corners.
    """
    outer: list[_Ring] = []
    holes: list[_Ring] = []
    for ring in _rings(mask):
        (outer if _is_outer(ring) else holes).append(ring)
    # A hole's way to the left meets only lines that begin farther left: these have been joined before it.
    for hole in sorted(holes, key=_leftmost):
        _join(outer, hole)
    return [np.array(_corners(ring), dtype=np.float64) - 0.5 for ring in sorted(outer, key=min)]


def plain_edges(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    """The lines of :func:`pixel_edges` as they are drawn for an eye: each hole is a line of its own."""
    return [np.array(_corners(ring), dtype=np.float64) - 0.5 for ring in sorted(_rings(mask), key=min)]


def _rings(mask: npt.NDArray[np.bool_]) -> Iterator[_Ring]:
    """Closed walks along the edges, the mask always on the right; areas that touch at a corner are not joined."""
    ahead = _edges(mask)
    while ahead:
        start = at = min(ahead)
        step, ring = ahead[start][0], []
        while True:
            ring.append(at)
            ways = ahead[at]
            ways.remove(step)
            if not ways:
                del ahead[at]
            at = at[0] + step[0], at[1] + step[1]
            if at == start and (at not in ahead or (step[1], -step[0]) not in ahead[at]):
                break
            # At a corner with two ways on, the turn to the right stays with the same pixel.
            right = (step[1], -step[0])
            step = right if right in ahead[at] else ahead[at][0]
        yield ring


def _edges(mask: npt.NDArray[np.bool_]) -> dict[_Corner, list[_Corner]]:
    """Corner -> steps (down, right) along the edges that begin there."""
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1]
    found: dict[_Corner, list[_Corner]] = {}
    # For each side of a pixel: its neighbour there, the corner where the edge begins, and the way it goes.
    for neighbour, begin, step in (
        (padded[:-2, 1:-1], (0, 0), (0, 1)),
        (padded[1:-1, 2:], (0, 1), (1, 0)),
        (padded[2:, 1:-1], (1, 1), (0, -1)),
        (padded[1:-1, :-2], (1, 0), (-1, 0)),
    ):
        for row, column in np.argwhere(inner & ~neighbour).tolist():
            found.setdefault((row + begin[0], column + begin[1]), []).append(step)
    return found


def _is_outer(ring: _Ring) -> bool:
    points = np.array(ring)
    after = np.roll(points, -1, axis=0)
    return bool((points[:, 1] * after[:, 0] - after[:, 1] * points[:, 0]).sum() > 0)


def _leftmost(ring: _Ring) -> _Corner:
    column, row = min((column, row) for row, column in ring)
    return column, row


def _join(outer: list[_Ring], hole: _Ring) -> None:
    """Puts a hole into the line that is met first to the left of its leftmost corner."""
    column, row = _leftmost(hole)
    met = max(
        ((corner[1], -which, place) for which, ring in enumerate(outer) for place, corner in enumerate(ring)
         if corner[0] == row and corner[1] <= column)
    )  # fmt: skip
    ring, place = outer[-met[1]], met[2]
    first = hole.index((row, column))
    around = [*hole[first:], *hole[:first], hole[first]]
    ring[place + 1 : place + 1] = [*around, ring[place]]


def _corners(ring: _Ring) -> _Ring:
    """The line without repeated points and without those in the middle of a straight stretch; turns back stay."""
    once = [corner for corner, before in zip(ring, [ring[-1], *ring[:-1]], strict=True) if corner != before]
    kept = []
    for before, at, after in zip([once[-1], *once[:-1]], once, [*once[1:], once[0]], strict=True):
        there = at[0] - before[0], at[1] - before[1]
        on = after[0] - at[0], after[1] - at[1]
        straight = there[0] * on[1] == there[1] * on[0] and there[0] * on[0] + there[1] * on[1] > 0
        if not straight:
            kept.append(at)
    return kept
