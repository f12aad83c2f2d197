"""Where the parts of a chart go: plot, ticks, names of the curves, risk table; before any ink."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lymphoma.survival.ticks import pretty

from nodal.report.chart import Chart, RiskTable, Series
from nodal.report.chart_lines import Point, lines_within, stepped
from nodal.report.fonts import Typesetter

__all__ = [
    "GAP",
    "KEY_SHORT",
    "LINE",
    "NAME",
    "SMALL",
    "TITLE",
    "Frame",
    "Key",
    "Layout",
    "key_length",
    "lay_out",
    "spread",
    "tick_texts",
    "visible",
]

TITLE, NAME, SMALL = 8.8, 7.0, 6.4
"""Sizes of type in points: title; names of curves; ticks, axes and note."""
LINE = 1.36
"""Leading, as a multiple of the size of type."""
KEY = 18.0
"""Length of the piece of line beside a name in the legend, in points."""
KEY_SHORT = 12.0
"""Length of the piece of line before a name of the risk table, with its gap."""
GAP = 5.0
NAMES_AT_MOST = 0.30
"""Share of the width that the names at the ends of the curves may take; wider ones go to a legend."""
ENDS_FROM = 0.85
"""Share of the x axis that every curve must reach for its name to stand at its end."""
TICKS_X, TICKS_Y = 6, 5
GUTTER_AT_MOST = 0.30


@dataclass(frozen=True)
class Frame:
    """The plot's rectangle in points of the sheet, and its axes in data units."""

    left: float
    top: float
    right: float
    bottom: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def place(self, x: float, y: float) -> Point:
        """Data to points of the sheet."""
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        across, up = (x - x0) / (x1 - x0), (y - y0) / (y1 - y0)
        return self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)


@dataclass(frozen=True)
class Key:
    """A name in the legend: its left edge and baseline."""

    series: Series
    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """Positions in points of the sheet.

    Attributes:
        at_ends: whether the names stand at the ends of the curves; else ``keys`` places the legend.
        table_y: baseline of the risk table's title. table_x: the columns that find room.
        note, note_y: wrapped, and the first baseline.
    """

    frame: Frame
    x_ticks: tuple[float, ...]
    y_ticks: tuple[float, ...]
    title: tuple[str, ...]
    title_y: float
    label_y: float
    at_ends: bool
    keys: tuple[Key, ...]
    table_y: float
    table_columns: tuple[int, ...]
    note: tuple[str, ...]
    note_y: float


def lay_out(chart: Chart, letters: Typesetter, x: float, y: float, width: float, height: float) -> Layout:
    """Fits the chart into a box; the plot takes what the words leave."""
    x_ticks = _ticks(chart.x_ticks or (chart.table.x if chart.table else None), chart.x_range, TICKS_X)
    y_ticks = _ticks(chart.y_ticks, chart.y_range, TICKS_Y)
    names = [one for one in chart.series if one.name]
    at_ends = _names_fit_at_ends(chart, names, letters, width)
    title = tuple(letters.wrap(chart.title, TITLE, width, True)) if chart.title else ()
    title_y = y + TITLE
    cursor = y + len(title) * TITLE * LINE
    keys: tuple[Key, ...] = ()
    if names and not at_ends:
        keys = _legend(names, letters, x, cursor + NAME + 1, width)
        cursor = keys[-1].y + 0.5 * NAME
    label_y = cursor + SMALL + 2
    top = label_y + 0.5 * SMALL + 4.5 if chart.y_label else cursor + 5
    left = x + max(
        [letters.width(text, SMALL) for text in tick_texts(y_ticks, chart.percent)] + [_gutter(chart, letters, width)]
    )
    last_tick = letters.width(tick_texts(x_ticks, chart.x_percent)[-1], SMALL) / 2
    right = x + width - (max(letters.width(s.name, NAME) for s in names) + 2 * GAP if at_ends else last_tick + 1)
    note = tuple(letters.wrap(chart.note, SMALL, width)) if chart.note else ()
    note_y = y + height - (len(note) - 1) * SMALL * LINE - 1.5
    bottom = note_y - SMALL * LINE - (3.0 if chart.table else 0.0) if note else y + height - 1.5
    table_y = bottom
    if chart.table:
        table_y = bottom - len(chart.table.rows) * NAME * LINE - 1
        bottom = table_y - NAME - 3
    bottom -= SMALL * (LINE + 0.2) * (2 if chart.x_label else 1)
    frame = Frame(left + GAP, top, right, max(bottom, top + 1.0), chart.x_range, chart.y_range)
    columns = _columns(chart.table, frame, letters) if chart.table else ()
    return Layout(frame, x_ticks, y_ticks, title, title_y, label_y, at_ends, keys, table_y, columns, note, note_y)


def tick_texts(ticks: Sequence[float], percent: bool) -> list[str]:
    """Ticks in words, all with the same number of decimals."""
    values = [100 * tick for tick in ticks] if percent else list(ticks)
    decimals = next((d for d in range(7) if all(abs(v - round(v, d)) < 1e-9 * max(1.0, abs(v)) for v in values)), 7)
    sign = " %" if percent else ""
    return [f"{value + 0.0:.{decimals}f}{sign}".replace("-", "−") for value in values]


def visible(chart: Chart, series: Series) -> list[list[Point]]:
    """What is seen of a curve between the axes, in data units."""
    points = stepped(series.x, series.y) if series.kind == "step" else list(zip(series.x, series.y, strict=True))
    return lines_within(points, chart.x_range, chart.y_range)


def spread(wanted: Sequence[float], pitch: float, least: float, most: float) -> list[float]:
    """Positions at least ``pitch`` apart within [least, most], as near to the wanted ones as can be.

    Neighbours that want too little room form a block around their mean (pool adjacent violators). Where there is not
    room for all, they share it evenly.
    """
    if not wanted:
        return []
    if (len(wanted) - 1) * pitch > most - least:
        pitch = (most - least) / (len(wanted) - 1)
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    blocks: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        # Taking the pitch out makes "at least a pitch apart" into "not descending".
        blocks.append((wanted[index] - rank * pitch, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    level = [value for value, count in blocks for _ in range(count)]
    top = most - (len(wanted) - 1) * pitch
    places = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        places[index] = min(max(level[rank], least), top) + rank * pitch
    return places


def _ticks(given: Sequence[float] | None, within: tuple[float, float], intervals: int) -> tuple[float, ...]:
    least, most = within
    slack = 1e-9 * (most - least)
    return tuple(tick for tick in given or pretty(least, most, intervals) if least - slack <= tick <= most + slack) or (
        least,
        most,
    )


def _names_fit_at_ends(chart: Chart, names: Sequence[Series], letters: Typesetter, width: float) -> bool:
    if not names or any(one.kind == "points" for one in names):
        return False
    least, most = chart.x_range
    reach = least + ENDS_FROM * (most - least)
    widest = max(letters.width(one.name, NAME) for one in names)
    return all(_end(chart, one) >= reach for one in names) and widest + 2 * GAP <= NAMES_AT_MOST * width


def _end(chart: Chart, series: Series) -> float:
    """The last x at which the curve is seen."""
    return max((piece[-1][0] for piece in visible(chart, series)), default=-math.inf)


def key_length(series: Series) -> float:
    """Length of what stands before a name in the legend: a piece of the line, or a single mark."""
    return KEY / 3 if series.kind == "points" else KEY


def _legend(names: Sequence[Series], letters: Typesetter, x: float, y: float, width: float) -> tuple[Key, ...]:
    keys: list[Key] = []
    at = x
    for one in names:
        own = key_length(one) + GAP + letters.width(one.name, NAME)
        if keys and at + own > x + width:
            at, y = x, y + NAME * LINE
        keys.append(Key(one, at, y))
        at += own + 3 * GAP
    return tuple(keys)


def _gutter(chart: Chart, letters: Typesetter, width: float) -> float:
    """Room that the risk table's names want left of the axis, with half of the number that stands under its start."""
    if chart.table is None:
        return 0.0
    first = max((letters.width(str(counts[0]), NAME) for _, counts in chart.table.rows if counts), default=0.0)
    own = max((letters.width(name, NAME) for name, _ in chart.table.rows), default=0.0)
    return min(own + first / 2 + GAP + KEY_SHORT, GUTTER_AT_MOST * width)


def _columns(table: RiskTable, frame: Frame, letters: Typesetter) -> tuple[int, ...]:
    """Every column of the risk table, or every second, third ... where the numbers would touch."""
    widest = max((letters.width(str(count), NAME) for _, counts in table.rows for count in counts), default=0.0)
    inside = [i for i, at in enumerate(table.x) if frame.x_range[0] <= at <= frame.x_range[1]]
    places = [frame.place(table.x[i], 0.0)[0] for i in inside]
    pitch = min((b - a for a, b in pairwise(places)), default=math.inf)
    step = max(1, math.ceil((widest + GAP) / pitch)) if pitch > 0 else 1
    return tuple(inside[::step])
