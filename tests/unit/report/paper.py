"""What stands on a finished report, read back from its bytes by pdfium: letters with their boxes, and drawn shapes."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2 as pdfium
from pypdfium2 import raw


@dataclass(frozen=True)
class Letter:
    """A character with the box of its ink in points, y up from the bottom of the page.

    ``start`` and ``end`` are those of its advance, without which a narrow figure seems far from its neighbour;
    ``tilted`` is a watermark's.
    """

    text: str
    left: float
    bottom: float
    right: float
    top: float
    start: float
    end: float
    tilted: bool


@dataclass(frozen=True)
class Shape:
    """A filled path: its fill colour 0..255 and its box."""

    colour: tuple[int, int, int]
    left: float
    bottom: float
    right: float
    top: float

    @property
    def x(self) -> float:
        """The middle of the box."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        """The middle of the box."""
        return (self.bottom + self.top) / 2


@dataclass(frozen=True)
class Word:
    """Letters that follow one another on a line; ``x`` is the middle."""

    text: str
    left: float
    right: float
    baseline: float

    @property
    def x(self) -> float:
        """The middle of the word."""
        return (self.left + self.right) / 2


def letters(pdf: bytes) -> list[list[Letter]]:
    """Per page the characters that leave ink."""
    document = pdfium.PdfDocument(pdf)
    pages = []
    for page in document:
        text = page.get_textpage()
        found = []
        for index in range(text.count_chars()):
            character = chr(raw.FPDFText_GetUnicode(text, index))
            if not character.strip() or raw.FPDFText_IsGenerated(text, index) == 1:
                continue
            angle = raw.FPDFText_GetCharAngle(text, index)
            tilted = abs(math.sin(angle)) > 0.01
            start, _, end, _ = text.get_charbox(index, loose=True)
            found.append(Letter(character, *text.get_charbox(index), start, end, tilted))
        pages.append(found)
    return pages


def shapes(pdf: bytes, page: int) -> list[Shape]:
    """The filled paths of a page."""
    return list(_shapes(pdfium.PdfDocument(pdf)[page]))


def _shapes(page: pdfium.PdfPage) -> Iterator[Shape]:
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH]):
        mode, stroke = ctypes.c_int(), ctypes.c_int()
        raw.FPDFPath_GetDrawMode(item, mode, stroke)
        if mode.value == raw.FPDF_FILLMODE_NONE:
            continue
        parts = [ctypes.c_uint() for _ in range(4)]
        raw.FPDFPageObj_GetFillColor(item, *parts)
        red, green, blue = (part.value for part in parts[:3])
        yield Shape((red, green, blue), *item.get_bounds())


def words(page: list[Letter], gap: float = 0.6) -> list[Word]:
    """Letters joined to words: on one line, no more than ``gap`` points apart."""
    found: list[Word] = []
    current: list[Letter] = []

    def end() -> None:
        if current:
            text = "".join(letter.text for letter in current)
            found.append(Word(text, current[0].start, current[-1].end, min(letter.bottom for letter in current)))
            current.clear()

    for letter in page:
        if letter.tilted:
            continue
        if current:
            before = current[-1]
            apart = letter.start - before.end
            level = letter.bottom < before.top and letter.top > before.bottom - 2.0
            if not (-1.0 <= apart <= gap and level):
                end()
        current.append(letter)
    end()
    return found
