"""Tables on paper: columns as wide as their words, intervals below the figures, heads again on each sheet.

A table that is too wide for the sheet is cut into parts, each with the first column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nodal.evaluation.page import Cell, Column, Row, Table
from nodal.report.fonts import Typesetter
from nodal.report.pdf_flow import LEFT, RIGHT, WIDTH, Flow
from nodal.report.pdf_sheet import HAIR, INK, MUTED, TINT

__all__ = ["draw_table"]

SIZE, BELOW, HEAD = 7.4, 5.9, 6.6
"""Sizes of type in points: figures, intervals below them, heads."""
LINE, LINE_BELOW = 9.4, 7.6
PAD = 2.6
GAP = 6.5
"""Least room between columns, in points; what a table leaves of the width is added to it."""
LEAST_WORDS = 84.0
"""A column of words is not made narrower, in points; its words are wrapped."""
INDENT = 7.0


@dataclass(frozen=True)
class _Part:
    """Columns that stand side by side: which of the table, and the edges of each in points."""

    columns: tuple[int, ...]
    left: tuple[float, ...]
    right: tuple[float, ...]


def draw_table(flow: Flow, table: Table) -> None:
    """Draws it at the cursor, over as many sheets as it takes."""
    letters = flow.document.type
    for part in _parts(table, letters):
        if table.title:
            flow.ensure(60)
            flow.document.text(LEFT, flow.y + 9, table.title, 8.4, bold=True)
            flow.y += 14
        flow.ensure(50)
        _head(flow, table, part)
        label = Cell("")
        for index, row in enumerate(table.rows):
            label = label if row.continues else row.cells[0]
            _row(flow, table, row, part, ruled=index > 0 and not row.continues, label=label.text)
        flow.document.rule(LEFT, flow.y, RIGHT, flow.y, colour=HAIR, width=0.35)
        flow.y += 5
    for note in table.notes:
        flow.paragraph(note, size=6.9, colour=MUTED)
    flow.y += 8


def _natural(table: Table, index: int, letters: Typesetter) -> float:
    """Width that the widest content of a column wants."""
    column = table.columns[index]
    widest = max(letters.width(column.title, HEAD, True), letters.width(column.unit, HEAD))
    for row in table.rows:
        if row.kind == "group":
            continue
        cell = row.cells[index]
        indent = INDENT if cell.text.startswith(" ") else 0.0
        own = letters.width(cell.text.strip(), SIZE, row.kind == "strong") + indent
        widest = max(widest, own, letters.width(cell.below, BELOW))
    return widest


def _parts(table: Table, letters: Typesetter) -> list[_Part]:
    natural = [_natural(table, index, letters) for index in range(len(table.columns))]
    least = [
        min(width, LEAST_WORDS) if column.align == "left" else width
        for width, column in zip(natural, table.columns, strict=True)
    ]
    parts: list[_Part] = []
    chosen = [0]
    for index in range(1, len(table.columns)):
        if len(chosen) > 1 and sum(least[i] + GAP for i in chosen) + least[index] > WIDTH:
            parts.append(_place(table.columns, chosen, natural, least))
            chosen = [0]
        chosen.append(index)
    return [*parts, _place(table.columns, chosen, natural, least)]


def _place(columns: Sequence[Column], chosen: Sequence[int], natural: Sequence[float], least: Sequence[float]) -> _Part:
    """Columns of words share what the figures leave; what is over after that widens the gaps."""
    room = WIDTH - GAP * (len(chosen) - 1)
    wanted = sum(natural[i] for i in chosen)
    wide = [natural[i] for i in chosen]
    if wanted > room:
        words = [i for i in chosen if natural[i] > least[i]]
        give = sum(natural[i] - least[i] for i in words)
        short = min((wanted - room) / give, 1.0) if give else 0.0
        wide = [natural[i] - short * (natural[i] - least[i]) for i in chosen]
    gap = GAP + max(0.0, room - sum(wide)) / max(len(chosen) - 1, 1)
    left, edges = LEFT, []
    for width in wide:
        edges.append((left, left + width))
        left += width + gap
    return _Part(tuple(chosen), tuple(a for a, _ in edges), tuple(b for _, b in edges))


def _head(flow: Flow, table: Table, part: _Part) -> None:
    units = any(table.columns[index].unit for index in part.columns)
    for place, index in enumerate(part.columns):
        column = table.columns[index]
        x = part.left[place] if column.align == "left" else part.right[place]
        y = flow.y + HEAD
        flow.document.text(x, y, column.title, HEAD, bold=True, colour=MUTED, align=column.align)
        if column.unit:
            flow.document.text(x, y + 8, column.unit, HEAD, colour=MUTED, align=column.align)
    flow.y += HEAD + 4 + (8 if units else 0)
    flow.document.rule(LEFT, flow.y, RIGHT, flow.y, colour=MUTED, width=0.6)
    flow.y += 0.4


def _row(flow: Flow, table: Table, row: Row, part: _Part, *, ruled: bool, label: str) -> None:
    """``label`` is that of the rows that this one continues, said again on a new sheet."""
    if row.kind == "group":
        if flow.ensure(3 * LINE + 2 * PAD):
            _head(flow, table, part)
        flow.document.text(LEFT, flow.y + 1.3 * LINE, row.cells[0].text, SIZE, bold=True, max_width=WIDTH)
        flow.y += 1.3 * LINE + PAD
        return
    bold = row.kind == "strong"
    cells = [row.cells[index] for index in part.columns]
    lines = [
        _lines(cell, table.columns[index], part.right[place] - part.left[place], flow.document.type, bold)
        for place, (index, cell) in enumerate(zip(part.columns, cells, strict=True))
    ]
    height = 2 * PAD + max(
        LINE * len(text) + (LINE_BELOW if cell.below else 0) for text, cell in zip(lines, cells, strict=True)
    )
    if flow.ensure(height):
        _head(flow, table, part)
        if not cells[0].text:
            flow.document.text(LEFT, flow.y + PAD + 0.78 * LINE, label, SIZE, colour=MUTED, max_width=LEAST_WORDS)
    elif ruled:
        flow.document.rule(LEFT, flow.y, RIGHT, flow.y, colour=HAIR, width=0.35)
    if bold:
        flow.document.box(LEFT - 3, flow.y + 0.3, WIDTH + 6, height - 0.3, fill=TINT)
    for place, (text, cell) in enumerate(zip(lines, cells, strict=True)):
        _cell(flow, part, place, text, cell, table.columns[part.columns[place]], bold)
    flow.y += height


def _lines(cell: Cell, column: Column, width: float, letters: Typesetter, bold: bool) -> list[str]:
    indent = INDENT if cell.text.startswith(" ") else 0.0
    return letters.wrap(cell.text, SIZE, width - indent + 0.01, bold) if column.align == "left" else [cell.text]


def _cell(flow: Flow, part: _Part, place: int, lines: Sequence[str], cell: Cell, column: Column, bold: bool) -> None:
    indent = INDENT if cell.text.startswith(" ") else 0.0
    x = part.left[place] + indent if column.align == "left" else part.right[place]
    y = flow.y + PAD
    for line in lines:
        flow.document.text(x, y + 0.78 * LINE, line, SIZE, bold=bold, colour=INK, align=column.align)
        y += LINE
    if cell.below:
        flow.document.text(x, y + 0.8 * LINE_BELOW, cell.below, BELOW, colour=MUTED, align=column.align)
