"""A figure with its interval for each of several models, one below the other."""

from __future__ import annotations

from dataclasses import dataclass

from lymphoma.survival.ticks import pretty

from nodal.report.chart_layout import LINE, NAME, SMALL, TITLE, tick_texts
from nodal.report.draw_chart import GRID
from nodal.report.pdf_sheet import ACCENT, INK, MUTED, PAPER
from nodal.report.sheet import Sheet

__all__ = ["Forest", "ForestRow", "draw_forest", "height_of"]

ROW = 13.0
"""Height of a row in points."""
GAP = 10.0
MARK = 2.5
TICKS = 5
LABELS_AT_MOST = 0.38


@dataclass(frozen=True)
class ForestRow:
    """``value`` None draws no mark; ``said`` is written at the right. ``strong`` marks what others are held against."""

    label: str
    value: float | None
    lower: float | None
    upper: float | None
    said: str
    strong: bool = False


@dataclass(frozen=True)
class Forest:
    """Attributes: reference: where nothing is gained, a dashed line; it is always within the axis."""

    title: str
    x_label: str
    rows: tuple[ForestRow, ...]
    reference: float
    note: str = ""


def height_of(forest: Forest) -> float:
    """Points that the picture wants, with a note of one line."""
    return TITLE * LINE + 6 + len(forest.rows) * ROW + 3 * SMALL * LINE + (SMALL * LINE + 2 if forest.note else 0)


def draw_forest(sheet: Sheet, forest: Forest, x: float, y: float, width: float, height: float) -> None:
    """Draws it into the box with its top left corner at (x, y), in points; rows share the height."""
    letters = sheet.type
    labels = min(max((letters.width(r.label, NAME, r.strong) for r in forest.rows), default=0), LABELS_AT_MOST * width)
    figures = max((letters.width(r.said, NAME) for r in forest.rows), default=0)
    left, right = x + labels + GAP, x + width - figures - GAP
    ends = [v for r in forest.rows for v in (r.value, r.lower, r.upper) if v is not None] + [forest.reference]
    slack = 0.02 if min(ends) == max(ends) else 0.0
    ticks = pretty(min(ends) - slack, max(ends) + slack, TICKS)
    scale = (right - left) / (ticks[-1] - ticks[0])

    def across(value: float) -> float:
        return left + (value - ticks[0]) * scale

    sheet.text(x, y + TITLE, forest.title, TITLE, bold=True, max_width=width)
    top = y + TITLE * LINE + 6
    note = SMALL * LINE + 2 if forest.note else 0.0
    pitch = (y + height - note - 3 * SMALL * LINE - top) / max(len(forest.rows), 1)
    bottom = top + pitch * len(forest.rows)
    for tick, text in zip(ticks, tick_texts(ticks, False), strict=True):
        sheet.rule(across(tick), top, across(tick), bottom, width=0.4, colour=GRID)
        sheet.text(across(tick), bottom + 3 + SMALL, text, SMALL, colour=MUTED, align="centre")
    zero = across(forest.reference)
    sheet.polygon([(zero, top), (zero, bottom)], stroke=MUTED, width=0.8, closed=False, dash=(3.0, 2.4))
    sheet.rule(left, bottom, right, bottom, width=0.6, colour=MUTED)
    middle = (left + right) / 2
    sheet.text(middle, bottom + 3 + SMALL * (1 + LINE), forest.x_label, SMALL, colour=MUTED, align="centre")
    for index, row in enumerate(forest.rows):
        at = top + (index + 0.5) * pitch
        baseline = at + 0.35 * NAME
        sheet.text(x, baseline, row.label, NAME, bold=row.strong, max_width=labels)
        sheet.text(x + width, baseline, row.said, NAME, colour=INK if row.value is not None else MUTED, align="right")
        if row.lower is not None and row.upper is not None:
            sheet.rule(across(row.lower), at, across(row.upper), at, width=1.1, colour=ACCENT)
        if row.value is not None:
            _mark(sheet, across(row.value), at, row.strong)
    if forest.note:
        sheet.text(x, y + height - 1.5, forest.note, SMALL, colour=MUTED, max_width=width)


def _mark(sheet: Sheet, x: float, y: float, strong: bool) -> None:
    """A square, as forest plots have it; the one that others are held against is open."""
    sheet.box(
        x - MARK,
        y - MARK,
        2 * MARK,
        2 * MARK,
        fill=PAPER if strong else ACCENT,
        stroke=ACCENT if strong else PAPER,
        line=1.0,
    )
