"""Draws a chart on a sheet of the PDF or in a picture: axes, curves with their bands, names, numbers at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nodal.report.chart import Chart, RiskTable, Series
from nodal.report.chart_layout import (
    GAP,
    KEY_SHORT,
    LINE,
    NAME,
    SMALL,
    TITLE,
    Frame,
    Layout,
    key_length,
    lay_out,
    spread,
    tick_texts,
    visible,
)
from nodal.report.chart_lines import Point, area_within, lines_within, stepped
from nodal.report.pdf_sheet import ACCENT, HAIR, INK, MUTED, PAPER, Colour
from nodal.report.sheet import Sheet

__all__ = ["DASHES", "PALETTE", "draw_chart"]

PALETTE: tuple[Colour, ...] = (
    ACCENT,
    (0.78, 0.35, 0.07),
    (0.33, 0.60, 0.80),
    (0.58, 0.35, 0.65),
    (0.80, 0.62, 0.10),
    (0.20, 0.20, 0.20),
)
"""Colours of curves, told apart with red-green and blue-yellow blindness (tested)."""
DASHES: tuple[tuple[float, ...] | None, ...] = (None, (7.0, 2.2), (2.2, 1.8), (8.0, 2.0, 1.6, 2.0), (4.5, 1.6), None)
"""Each colour has its own rhythm too, so that a print in grey is as clear."""
REFERENCE = (3.0, 2.4)
THIN, PLAIN, HEAVY = 0.6, 1.25, 2.1
BAND = 0.14
"""Opacity of a band: two that overlap stay visible."""
MARK = 2.3
"""Half the size of a point's mark."""
GRID: Colour = (0.90, 0.92, 0.935)
LEADER_FROM = 1.5
"""A name further than this from the end of its curve is joined to it by a fine line, in points."""


def draw_chart(
    sheet: Sheet,
    chart: Chart,
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    palette: Sequence[Colour] | None = None,
) -> Frame:
    """Draws the chart into the box with its top left corner at (x, y), all in points.

    From the top: title, names of the curves where they do not fit at the curves' ends, label of the y axis, plot, x
    axis, numbers at risk under their ticks, note. What lies outside the axes is cut away, and a value that is not
    finite leaves a gap.

    Returns:
        The plot's rectangle, by which more can be placed in data units.
    """
    layout = lay_out(chart, sheet.type, x, y, width, height)
    colours = tuple(palette or PALETTE)
    for index, line in enumerate(layout.title):
        sheet.text(x, layout.title_y + index * TITLE * LINE, line, TITLE, bold=True)
    _axes(sheet, chart, layout, x)
    for one in chart.series:
        _band(sheet, one, layout.frame, colours)
    # The curves that matter most are drawn last, over the others.
    for one in sorted(chart.series, key=lambda s: (s.emphasis, s.colour is not None)):
        _curve(sheet, chart, one, layout.frame, colours)
    if layout.at_ends:
        _names_at_ends(sheet, chart, layout.frame, colours)
    for key in layout.keys:
        length = key_length(key.series)
        _legend_key(sheet, key.series, key.x, key.y - 0.33 * NAME, length, colours)
        sheet.text(key.x + length + GAP, key.y, key.series.name, NAME, bold=key.series.emphasis)
    if chart.table:
        _risk_table(sheet, chart, chart.table, layout, x, colours)
    for index, line in enumerate(layout.note):
        sheet.text(x, layout.note_y + index * SMALL * LINE, line, SMALL, colour=MUTED)
    return layout.frame


def _ink(series: Series, palette: Sequence[Colour]) -> Colour:
    return MUTED if series.colour is None else palette[series.colour % len(palette)]


def _dash(series: Series) -> tuple[float, ...] | None:
    if series.kind == "dashed":
        return REFERENCE
    if series.colour is None or series.emphasis:
        return None
    return DASHES[series.colour % len(DASHES)]


def _line_width(series: Series) -> float:
    if series.emphasis:
        return HEAVY
    return 0.8 if series.colour is None else PLAIN


def _axes(sheet: Sheet, chart: Chart, layout: Layout, x: float) -> None:
    frame = layout.frame
    for tick, text in zip(layout.y_ticks, tick_texts(layout.y_ticks, chart.percent), strict=True):
        at = frame.place(frame.x_range[0], tick)[1]
        sheet.rule(frame.left, at, frame.right, at, width=0.4, colour=GRID)
        sheet.text(frame.left - GAP, at + 0.35 * SMALL, text, SMALL, colour=MUTED, align="right")
    low, high = frame.y_range
    if low < 0 < high:
        zero = frame.place(0.0, 0.0)[1]
        sheet.rule(frame.left, zero, frame.right, zero, width=0.5, colour=HAIR)
    sheet.rule(frame.left, frame.bottom, frame.right, frame.bottom, width=0.6, colour=MUTED)
    baseline = frame.bottom + 3 + SMALL
    for tick, text in zip(layout.x_ticks, tick_texts(layout.x_ticks, chart.x_percent), strict=True):
        at = frame.place(tick, low)[0]
        sheet.rule(at, frame.bottom, at, frame.bottom + 2.6, width=0.6, colour=MUTED)
        sheet.text(at, baseline, text, SMALL, colour=MUTED, align="centre")
    if chart.y_label:
        sheet.text(x, layout.label_y, chart.y_label, SMALL, colour=MUTED)
    if chart.x_label:
        middle = (frame.left + frame.right) / 2
        sheet.text(middle, baseline + SMALL * LINE, chart.x_label, SMALL, colour=MUTED, align="centre")


def _band(sheet: Sheet, series: Series, frame: Frame, palette: Sequence[Colour]) -> None:
    if series.lower is None or series.upper is None or series.kind == "points":
        return
    for start, end in _whole(series.lower, series.upper):
        x, low, high = (column[start:end] for column in (series.x, series.lower, series.upper))
        pair = [stepped(x, edge) if series.kind == "step" else list(zip(x, edge, strict=True)) for edge in (high, low)]
        area = area_within(pair[0] + pair[1][::-1], frame.x_range, frame.y_range)
        if len(area) > 2:
            placed = [frame.place(*point) for point in area]
            sheet.polygon(placed, stroke=None, width=0.0, fill=_ink(series, palette), opacity=BAND)


def _whole(lower: Sequence[float], upper: Sequence[float]) -> list[tuple[int, int]]:
    """Stretches over which both edges of a band are known."""
    known = [math.isfinite(a) and math.isfinite(b) for a, b in zip(lower, upper, strict=True)]
    edges = [i for i in range(len(known) + 1) if (i < len(known) and known[i]) != (i > 0 and known[i - 1])]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _curve(sheet: Sheet, chart: Chart, series: Series, frame: Frame, palette: Sequence[Colour]) -> None:
    if series.kind == "points":
        _points(sheet, series, frame, palette)
        return
    ink, dash = _ink(series, palette), _dash(series)
    for piece in visible(chart, series):
        placed = [frame.place(*point) for point in piece]
        sheet.polygon(placed, stroke=ink, width=_line_width(series), closed=False, dash=dash)


def _points(sheet: Sheet, series: Series, frame: Frame, palette: Sequence[Colour]) -> None:
    ink = _ink(series, palette)
    (least, most), (low, high) = frame.x_range, frame.y_range
    for index, (at, value) in enumerate(zip(series.x, series.y, strict=True)):
        if not (math.isfinite(value) and least <= at <= most):
            continue
        if series.lower is not None and series.upper is not None:
            bar = [(at, series.lower[index]), (at, series.upper[index])]
            for piece in lines_within(bar, frame.x_range, frame.y_range):
                (x0, y0), (x1, y1) = (frame.place(*point) for point in piece)
                sheet.rule(x0, y0, x1, y1, width=THIN + 0.2, colour=ink)
        if low <= value <= high:
            _mark(sheet, frame.place(at, value), series, ink)


def _mark(sheet: Sheet, at: Point, series: Series, ink: Colour) -> None:
    """A disc, square, triangle or diamond in turn, edged in the paper's colour."""
    corners = (16, 4, 3, 4)[(series.colour or 0) % 4]
    turn = (0.0, math.pi / 4, math.pi / 2, 0.0)[(series.colour or 0) % 4]
    size = MARK * (1.0, 1.25, 1.35, 1.35)[(series.colour or 0) % 4] * (1.25 if series.emphasis else 1.0)
    angles = [turn + 2 * math.pi * step / corners for step in range(corners)]
    outline = [(at[0] + size * math.cos(a), at[1] - size * math.sin(a)) for a in angles]
    sheet.polygon(outline, stroke=PAPER, width=0.5, fill=ink)


def _legend_key(sheet: Sheet, series: Series, x: float, y: float, length: float, palette: Sequence[Colour]) -> None:
    ink = _ink(series, palette)
    if series.kind == "points":
        if series.lower is not None:
            sheet.rule(x + length / 2, y - 1.9 * MARK, x + length / 2, y + 1.9 * MARK, width=THIN + 0.2, colour=ink)
        _mark(sheet, (x + length / 2, y), series, ink)
        return
    if series.lower is not None:
        edge = [(x, y - 2.6), (x + length, y - 2.6), (x + length, y + 2.6), (x, y + 2.6)]
        sheet.polygon(edge, stroke=None, width=0.0, fill=ink, opacity=BAND)
    line = [(x, y), (x + length, y)]
    sheet.polygon(line, stroke=ink, width=_line_width(series), closed=False, dash=_dash(series))


def _names_at_ends(sheet: Sheet, chart: Chart, frame: Frame, palette: Sequence[Colour]) -> None:
    ends: list[tuple[Series, Point]] = []
    for one in chart.series:
        pieces = visible(chart, one)
        if one.name and pieces:
            ends.append((one, frame.place(*pieces[-1][-1])))
    middle = 0.35 * NAME
    rows = spread([at[1] for _, at in ends], NAME * 1.2, frame.top + middle, frame.bottom - middle)
    for (one, at), row in zip(ends, rows, strict=True):
        start = frame.right + GAP
        if abs(row - at[1]) > LEADER_FROM or start - at[0] > 2 * GAP:
            sheet.polygon([at, (start - 1, row)], stroke=_ink(one, palette), width=0.4, closed=False)
        sheet.text(start + 1.5, row + middle, one.name, NAME, bold=one.emphasis, colour=_ink(one, palette))


def _risk_table(
    sheet: Sheet, chart: Chart, table: RiskTable, layout: Layout, x: float, palette: Sequence[Colour]
) -> None:
    frame = layout.frame
    sheet.text(x, layout.table_y, table.title, SMALL, bold=True, colour=MUTED)
    drawn = {one.name: one for one in chart.series}
    for index, (name, counts) in enumerate(table.rows):
        baseline = layout.table_y + (index + 1) * NAME * LINE
        first = max((sheet.type.width(str(count), NAME) for count in counts[:1]), default=0.0)
        own = drawn.get(name)
        start = x + KEY_SHORT if own else x
        if own:
            _legend_key(sheet, own, x, baseline - 0.33 * NAME, KEY_SHORT - 3, palette)
        sheet.text(start, baseline, name, NAME, colour=INK, max_width=frame.left - start - first / 2 - 2)
        for column in layout.table_columns:
            at = frame.place(table.x[column], frame.y_range[0])[0]
            sheet.text(at, baseline, f"{counts[column]}", NAME, colour=INK, align="centre")
