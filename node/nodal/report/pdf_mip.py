"""Projections on a sheet: picture, outlines, and the lesions' numbers in the margins, joined by fine lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from nodal.report.colours import lesion_colour
from nodal.report.inputs import ReportInputs
from nodal.report.lesion_words import TO_CONFIRM
from nodal.report.mip import SUV_WINDOW, Outline, Projection, coronal_mip, sagittal_mip
from nodal.report.pdf_sheet import HAIR, INK, MUTED, PAPER, Colour, Document

__all__ = [
    "Arrangement",
    "MipStyle",
    "Paint",
    "arrange",
    "draw_legend",
    "draw_projections",
    "lesion_ink",
    "projections",
]


@dataclass(frozen=True)
class MipStyle:
    """Sizes in points.

    Attributes:
        label: of the lesion numbers; where there are too many for the height they shrink. gutter: room for numbers
            on each side of a picture. gap: between two pictures. line: width of an outline. most_per_mm: largest
            scale, so that a scan of a few centimetres is not blown up.
    """

    label: float = 6.2
    gutter: float = 19.0
    gap: float = 5.0
    line: float = 0.8
    most_per_mm: float = 1.1


@dataclass(frozen=True)
class Paint:
    """How lesions are told apart, by their numbers.

    Attributes:
        dashed: outlined with dashes. fills: colour within; then every outline is black.
        order: those with more are drawn later, so that they are not hidden.
        grey: how strong the projection is, 0..1.
    """

    dashed: frozenset[int] = frozenset()
    fills: Mapping[int, Colour] = field(default_factory=dict)
    order: Mapping[int, float] = field(default_factory=dict)
    grey: float = 1.0


_DASH = (1.6, 1.2)
_LEAST_LABEL = 3.2
# Inputs are immutable by contract; their pictures are kept while they live.
_PROJECTIONS: WeakKeyDictionary[ReportInputs, tuple[Projection, Projection]] = WeakKeyDictionary()
_LABEL_PITCH = 1.12
_CAPTION = 1.9


def lesion_ink(number: int) -> Colour:
    """:func:`lesion_colour` as fractions of one."""
    red, green, blue = lesion_colour(number)
    return red / 255.0, green / 255.0, blue / 255.0


@dataclass(frozen=True)
class Arrangement:
    """Where pictures go: their scale in points per mm, the top left corner of each, and the size of it all."""

    scale: float
    corners: tuple[tuple[float, float], ...]
    width: float
    height: float


def projections(inputs: ReportInputs) -> tuple[Projection, Projection]:
    """Coronal and sagittal projection, computed once for all documents that are made from the same inputs."""
    known = _PROJECTIONS.get(inputs)
    if known is None:
        known = coronal_mip(inputs.suv, inputs.lesion_map), sagittal_mip(inputs.suv, inputs.lesion_map)
        _PROJECTIONS[inputs] = known
    return known


def arrange(pictures: Sequence[Projection], width: float, height: float, style: MipStyle) -> Arrangement:
    """Side by side as a whole body wants it, or one above the other where that shows a short scan larger.

    Args:
        width, height: of the box, in points. Corners count from its top left; each picture keeps ``gutter`` free on
            both sides and its caption's height above.
    """
    caption = _CAPTION * style.label
    across, down = [p.width_mm for p in pictures], [p.height_mm for p in pictures]
    gutters, gaps = 2 * style.gutter, (len(pictures) - 1) * style.gap
    beside = min((width - len(pictures) * gutters - gaps) / sum(across), (height - caption) / max(down))
    above = min((width - gutters) / max(across), (height - len(pictures) * caption - gaps) / sum(down))
    scale = min(max(beside, above), style.most_per_mm)
    corners: list[tuple[float, float]] = []
    if beside >= above:
        x = style.gutter
        for picture in pictures:
            corners.append((x, caption))
            x += picture.width_mm * scale + gutters + style.gap
        return Arrangement(scale, tuple(corners), x - style.gap - style.gutter, caption + scale * max(down))
    y = caption
    for picture in pictures:
        corners.append((style.gutter, y))
        y += picture.height_mm * scale + caption + style.gap
    return Arrangement(scale, tuple(corners), gutters + scale * max(across), y - caption - style.gap)


def draw_projections(
    sheet: Document,
    pictures: Sequence[Projection],
    x: float,
    y: float,
    placed: Arrangement,
    style: MipStyle,
    paint: Paint = Paint(),
) -> None:
    """Draws the pictures as arranged, the top left corner of the arrangement at (x, y)."""
    for picture, (right, down) in zip(pictures, placed.corners, strict=True):
        _draw_one(sheet, picture, (x + right, y + down), placed.scale, style, paint)


def _draw_one(
    sheet: Document, picture: Projection, corner: tuple[float, float], scale: float, style: MipStyle, paint: Paint
) -> None:
    x, y = corner
    width, height = picture.width_mm * scale, picture.height_mm * scale
    grey = picture.grey if paint.grey == 1.0 else _paler(picture.grey, paint.grey)
    sheet.picture(grey, x, y, width, height)
    sheet.box(x, y, width, height, stroke=HAIR, line=0.4)
    rings = [
        (outline.number, [(x + right * scale, y + down * scale) for right, down in ring.tolist()])
        for outline in picture.outlines
        for ring in outline.rings
    ]
    # All the white halos first: no outline is cut by its neighbour's halo.
    for _, points in rings:
        sheet.polygon(points, stroke=PAPER, width=2.4 * style.line)
    for number, points in sorted(rings, key=lambda ring: paint.order.get(ring[0], 0.0)):
        dash = _DASH if number in paint.dashed else None
        ink = INK if paint.fills else lesion_ink(number)
        sheet.polygon(points, stroke=ink, width=style.line, fill=paint.fills.get(number), dash=dash)
    _numbers(sheet, picture, x, y, scale, style)
    _sides(sheet, picture, x, y, width, style)


def _paler(grey: npt.NDArray[np.uint8], strength: float) -> npt.NDArray[np.uint8]:
    return np.asarray(255 - np.round(strength * (255.0 - grey)), dtype=np.uint8)


def _numbers(sheet: Document, picture: Projection, x: float, y: float, scale: float, style: MipStyle) -> None:
    middle = picture.width_mm / 2
    height = picture.height_mm * scale
    left, right = _shared_out(picture.outlines, middle)
    for outlines, on_left in ((left, True), (right, False)):
        if not outlines:
            continue
        size = max(_LEAST_LABEL, min(style.label, height / (_LABEL_PITCH * len(outlines))))
        rows = _spread([o.centre_mm[1] * scale for o in outlines], size * _LABEL_PITCH, height)
        edge = x - 0.22 * style.gutter if on_left else x + picture.width_mm * scale + 0.22 * style.gutter
        for outline, row in zip(outlines, rows, strict=True):
            start = x + (outline.left_mm if on_left else outline.right_mm) * scale
            colour = lesion_ink(outline.number)
            target = y + outline.centre_mm[1] * scale
            bend = x - 1.0 if on_left else x + picture.width_mm * scale + 1.0
            sheet.polygon([(start, target), (bend, y + row)], stroke=colour, width=0.35, closed=False)
            text = str(outline.number)
            align, at = ("right", edge) if on_left else ("left", edge)
            sheet.text(at, y + row + 0.36 * size, text, size, bold=True, colour=INK, align=align)  # type: ignore[arg-type]


def _shared_out(outlines: Sequence[Outline], middle: float) -> tuple[list[Outline], list[Outline]]:
    """Numbers for the left and for the right margin, each from top to bottom: nearest side, but evenly enough."""

    def downwards(side: Sequence[Outline]) -> list[Outline]:
        return sorted(side, key=lambda o: (o.centre_mm[1], o.number))

    by_side = sorted(outlines, key=lambda o: (o.centre_mm[0], o.number))
    count = sum(o.centre_mm[0] < middle for o in by_side)
    limit = max(8, round(0.6 * len(by_side)))
    count = min(max(count, len(by_side) - limit), limit)
    return downwards(by_side[:count]), downwards(by_side[count:])


def _spread(wanted: Sequence[float], pitch: float, height: float) -> list[float]:
    """Rows at least ``pitch`` apart within 0..height, in the given order, near to where they are wanted.

    Least squares under an order constraint: neighbours that would overlap are pooled into blocks (isotonic
    regression by pooling adjacent violators).
    """
    blocks: list[tuple[float, int]] = []
    for index, row in enumerate(wanted):
        blocks.append((row - index * pitch, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    highest = height - pitch / 2 - (len(wanted) - 1) * pitch
    shifts = np.repeat([value for value, _ in blocks], [count for _, count in blocks])
    shifts = np.clip(shifts, min(pitch / 2, highest), max(highest, min(pitch / 2, highest)))
    return [float(shift + index * pitch) for index, shift in enumerate(shifts)]


def _sides(sheet: Document, picture: Projection, x: float, y: float, width: float, style: MipStyle) -> None:
    """Which side is which, above the corners, and the plane between."""
    left, right = ("R", "L") if picture.plane == "coronal" else ("A", "P")
    size, baseline = style.label + 0.6, y - 0.45 * style.label
    sheet.text(x + 1, baseline, left, size, bold=True)
    sheet.text(x + width - 1, baseline, right, size, bold=True, align="right")
    sheet.text(x + width / 2, baseline, picture.plane, size, colour=MUTED, align="centre")


def draw_legend(sheet: Document, x: float, y: float, size: float, *, doubtful: bool = False) -> None:
    """What grey means: a bar with its ends, and the projection's name; baseline at y.

    Args:
        doubtful: some outlines are dashed, which is said.
    """
    low, high = SUV_WINDOW
    ramp = np.tile(np.linspace(255, 0, 64, dtype=np.uint8), (2, 1))
    at = x + sheet.text(x, y, f"SUV {low:.0f} ", size, colour=MUTED)
    sheet.picture(ramp, at, y - 0.72 * size, 8 * size, 0.72 * size)
    sheet.box(at, y - 0.72 * size, 8 * size, 0.72 * size, stroke=HAIR, line=0.4)
    dashed = f" · dashed: {TO_CONFIRM}" if doubtful else ""
    note = f" {high:.0f} and above · maximum intensity projections{dashed}"
    sheet.text(at + 8 * size, y, note, size, colour=MUTED)
