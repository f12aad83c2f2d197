"""Sections that follow one another down the sheets, each sheet with who it is about and a footer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reportlab.lib.pagesizes import A4

from nodal.report.pdf_sheet import ACCENT, HAIR, INK, MUTED, Colour, Document

__all__ = ["BOTTOM", "LABEL", "LEFT", "RIGHT", "TOP", "WIDTH", "Column", "Flow"]

LEFT = 43.0
RIGHT = A4[0] - 43.0
WIDTH = RIGHT - LEFT
TOP = 40.0
BOTTOM: float = A4[1] - 50.0

BODY = 8.4
LABEL = 6.8


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, unit (second line), right edge or left edge in points, and side of text."""

    title: str
    unit: str
    at: float
    align: Literal["left", "right"] = "right"
    max_width: float | None = None


class Flow:
    """A document with a cursor: ``y`` is where the next thing begins.

    Args:
        running: what heads every sheet but the first, left (bold) and right.
    """

    def __init__(self, document: Document, running: tuple[str, str]) -> None:
        self.document = document
        self.y = TOP
        self._running = running

    @property
    def room(self) -> float:
        """Points left on this sheet."""
        return BOTTOM - self.y

    def turn(self) -> None:
        """Begins a new sheet."""
        self.document.new_sheet()
        left, right = self._running
        self.document.text(LEFT, TOP, left, 7.8, bold=True, max_width=0.5 * WIDTH)
        self.document.text(RIGHT, TOP, right, 7.8, align="right", max_width=0.47 * WIDTH)
        self.document.rule(LEFT, TOP + 6, RIGHT, TOP + 6)
        self.y = TOP + 26

    def ensure(self, height: float) -> bool:
        """Turns the sheet unless ``height`` points are left; returns whether it turned."""
        if self.room >= height:
            return False
        self.turn()
        return True

    def heading(self, text: str, needed: float = 40.0) -> None:
        """A section's title, kept together with ``needed`` points of what follows."""
        self.ensure(needed + 26)
        self.document.text(LEFT, self.y + 9, text, 9.6, bold=True, colour=ACCENT)
        self.document.rule(LEFT, self.y + 14, RIGHT, self.y + 14, colour=ACCENT, width=0.6)
        self.y += 24

    def paragraph(self, text: str, *, size: float = BODY, colour: Colour = INK, bold: bool = False) -> None:
        """Wrapped text over the whole width, turning the sheet line by line where it must."""
        for line in self.document.type.wrap(text, size, WIDTH, bold):
            self.ensure(size * 1.4)
            self.document.text(LEFT, self.y + size, line, size, colour=colour, bold=bold)
            self.y += size * 1.4

    def entry(
        self,
        label: str,
        *texts: str,
        label_width: float = 118.0,
        size: float = BODY - 0.6,
        label_colour: Colour = MUTED,
    ) -> None:
        """A label with wrapped texts beside it, each beginning a line."""
        lines = [line for text in texts for line in self.document.type.wrap(text, size, WIDTH - label_width)]
        labels = self.document.type.wrap(label, size, label_width - 8)
        for index in range(max(len(lines), len(labels))):
            self.ensure(size * 1.4)
            if index < len(labels):
                self.document.text(LEFT, self.y + size, labels[index], size, colour=label_colour)
            if index < len(lines):
                self.document.text(LEFT + label_width, self.y + size, lines[index], size)
            self.y += size * 1.4
        self.y += 2.2

    def table_head(self, columns: Sequence[Column]) -> None:
        """Titles and units of a table's columns, on this sheet."""
        for column in columns:
            self.document.text(column.at, self.y + 7, column.title, LABEL, bold=True, colour=MUTED, align=column.align)
            self.document.text(column.at, self.y + 15, column.unit, LABEL, colour=MUTED, align=column.align)
        self.document.rule(LEFT, self.y + 20, RIGHT, self.y + 20, colour=MUTED, width=0.6)
        self.y += 21

    def table_row(self, columns: Sequence[Column], cells: Sequence[str], height: float = 14.2) -> None:
        """One row; the caller has made sure of its room."""
        baseline = self.y + 0.68 * height
        for column, cell in zip(columns, cells, strict=True):
            self.document.text(column.at, baseline, cell, BODY, align=column.align, max_width=column.max_width)
        self.document.rule(LEFT, self.y + height, RIGHT, self.y + height, colour=HAIR, width=0.35)
        self.y += height

    def footers(self, left: str, middle: str) -> None:
        """Writes the footer of every sheet, now that their number is known."""
        count = self.document.sheets
        y = A4[1] - 28
        for sheet in range(count):
            self.document.text(LEFT, y, left, 6.8, bold=True, colour=INK, sheet=sheet)
            self.document.text(LEFT, y + 9, middle, 6.8, colour=MUTED, sheet=sheet)
            self.document.text(RIGHT, y, f"Page {sheet + 1} of {count}", 6.8, colour=INK, align="right", sheet=sheet)
