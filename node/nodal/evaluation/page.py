"""What an evaluation report holds, before it is set for paper or screen: sections of words, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nodal.evaluation.forest import Forest
from nodal.report.chart import Chart

__all__ = [
    "Block",
    "Cell",
    "Column",
    "Facts",
    "Figure",
    "Figures",
    "Notice",
    "Page",
    "Paragraph",
    "Row",
    "Section",
    "Table",
]


@dataclass(frozen=True)
class Paragraph:
    """Running text. "lead" is said larger, "small" is an aside."""

    text: str
    tone: Literal["plain", "lead", "small"] = "plain"


@dataclass(frozen=True)
class Notice:
    """A line that changes how the rest is read: "banner" across the page, "caution" in a tinted box."""

    text: str
    tone: Literal["banner", "caution"] = "caution"


@dataclass(frozen=True)
class Facts:
    """Labels with what belongs to them; a text may be of several lines."""

    entries: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Column:
    """A column's title and unit."""

    title: str
    unit: str = ""
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Cell:
    """A figure with its interval below."""

    text: str
    below: str = ""


@dataclass(frozen=True)
class Row:
    """A row; "group" heads those that follow, "strong" is the one that others are held against."""

    cells: tuple[Cell, ...]
    kind: Literal["plain", "group", "strong"] = "plain"

    @property
    def continues(self) -> bool:
        """Whether it belongs to the row above: no line stands between them."""
        return not self.cells[0].text or self.cells[0].text.startswith(" ")


@dataclass(frozen=True)
class Table:
    """Rows under columns, with notes below; each row has as many cells as there are columns, a group's has one."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A picture and its size in points; ``said`` tells a reader who cannot see it what it shows."""

    picture: Chart | Forest
    width: float
    height: float
    said: str


@dataclass(frozen=True)
class Figures:
    """Pictures side by side, as many in a row as fit."""

    pictures: tuple[Figure, ...]
    title: str = ""


Block = Paragraph | Notice | Facts | Table | Figures


@dataclass(frozen=True)
class Section:
    """A heading with its blocks; ``apart`` sets it off from what may be relied on."""

    title: str
    blocks: tuple[Block, ...]
    apart: bool = False
    level: Literal[1, 2] = 2


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    subtitle: str
    notices: tuple[Notice, ...]
    sections: Sequence[Section]
    footer: str
