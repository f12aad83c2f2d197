"""A document of sheets: text, lines and pictures placed in points from the top left corner, written in one go."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from nodal.report.fonts import HanStyle, Typesetter
from nodal.report.pdf_fonts import FontBook

__all__ = [
    "ACCENT",
    "CAUTION",
    "CAUTION_TINT",
    "HAIR",
    "INK",
    "MUTED",
    "PAPER",
    "TINT",
    "Colour",
    "Document",
    "shortened",
]

Colour = tuple[float, float, float]

# A restrained palette; each pair of text and ground keeps its contrast when printed in grey.
INK: Colour = (0.09, 0.13, 0.18)
MUTED: Colour = (0.38, 0.43, 0.49)
HAIR: Colour = (0.80, 0.83, 0.86)
TINT: Colour = (0.953, 0.961, 0.969)
ACCENT: Colour = (0.05, 0.33, 0.42)
CAUTION: Colour = (0.48, 0.26, 0.02)
CAUTION_TINT: Colour = (0.992, 0.953, 0.890)
PAPER: Colour = (1.0, 1.0, 1.0)

_Drawing = Callable[[Canvas, FontBook], None]
_ELLIPSIS = "…"


def shortened(typesetter: Typesetter, text: str, size: float, bold: bool, max_width: float) -> str:
    """The text, or as much of its beginning as fits ``max_width`` points together with an ellipsis."""
    if typesetter.width(text, size, bold) <= max_width:
        return text
    fits, over = 0, len(text)
    while over - fits > 1:
        middle = (fits + over) // 2
        if typesetter.width(text[:middle].rstrip() + _ELLIPSIS, size, bold) <= max_width:
            fits = middle
        else:
            over = middle
    return text[:fits].rstrip() + _ELLIPSIS


class Document:
    """Collects drawings sheet by sheet; :meth:`save` writes them, always to the same bytes.

    Coordinates are in points, x to the right, y down from the top of the sheet; a text's y is its baseline.

    Args:
        size: of every sheet, (width, height) in points. title: for the file's properties; never a patient's name.
        han: regional forms of Chinese characters.
    """

    def __init__(self, size: tuple[float, float], title: str, han: HanStyle = "JP") -> None:
        self.width, self.height = size
        self.type = Typesetter(han=han)
        self._title = title
        self._sheets: list[list[_Drawing]] = [[]]

    @property
    def sheets(self) -> int:
        """How many sheets there are."""
        return len(self._sheets)

    def new_sheet(self) -> None:
        """Turns to a fresh sheet."""
        self._sheets.append([])

    def blank(self) -> Document:
        """An empty document of the same size that shares the text shaped so far: a layout is tried on it."""
        other = Document((self.width, self.height), self._title)
        other.type = self.type
        return other

    def watermark(self, text: str, colour: Colour = CAUTION, opacity: float = 0.16) -> None:
        """Writes a line across every sheet there is, from the lower left to the upper right, over all else."""
        angle = math.degrees(math.atan2(self.height, self.width))
        line = self.type.line(text, bold=True)
        size = 0.86 * math.hypot(self.width, self.height) / line.width_em

        def draw(canvas: Canvas, fonts: FontBook) -> None:
            canvas.saveState()
            canvas.setFillColorRGB(*colour)
            canvas.setFillAlpha(opacity)
            canvas.translate(self.width / 2, self.height / 2)
            canvas.rotate(angle)
            fonts.draw(line, -line.width_em * size / 2, -0.35 * size, size)
            canvas.restoreState()

        for sheet in range(self.sheets):
            self._add(draw, sheet)

    def _add(self, drawing: _Drawing, sheet: int | None = None) -> None:
        self._sheets[-1 if sheet is None else sheet].append(drawing)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        bold: bool = False,
        colour: Colour = INK,
        align: Literal["left", "right", "centre"] = "left",
        max_width: float | None = None,
        sheet: int | None = None,
    ) -> float:
        """One line of text; returns its width in points.

        Args:
            align: which part of the line ``x`` means. max_width: text wider than this ends in an ellipsis.
            sheet: index of an earlier sheet, for what is known only at the end.
        """
        if max_width is not None:
            text = shortened(self.type, text, size, bold, max_width)
        line = self.type.line(text, bold)
        width = line.width_em * size
        start = x - {"left": 0.0, "right": width, "centre": width / 2}[align]
        baseline = self.height - y

        def draw(canvas: Canvas, fonts: FontBook) -> None:
            canvas.setFillColorRGB(*colour)
            fonts.draw(line, start, baseline, size)

        self._add(draw, sheet)
        return width

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        width: float,
        *,
        bold: bool = False,
        colour: Colour = INK,
        leading: float = 1.38,
    ) -> float:
        """Wrapped text, first baseline at y; returns the baseline that a following line would have."""
        for line in self.type.wrap(text, size, width, bold):
            self.text(x, y, line, size, bold=bold, colour=colour)
            y += size * leading
        return y

    def rule(self, x0: float, y0: float, x1: float, y1: float, *, width: float = 0.5, colour: Colour = HAIR) -> None:
        """A straight line."""
        self.polygon([(x0, y0), (x1, y1)], stroke=colour, width=width, closed=False)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: Colour | None = None,
        stroke: Colour | None = None,
        line: float = 0.5,
        radius: float = 0.0,
    ) -> None:
        """A rectangle with its top left corner at (x, y)."""

        def draw(canvas: Canvas, fonts: FontBook) -> None:
            canvas.setFillColorRGB(*(fill or PAPER))
            canvas.setStrokeColorRGB(*(stroke or PAPER))
            canvas.setLineWidth(line)
            flags = {"fill": int(fill is not None), "stroke": int(stroke is not None)}
            if radius:
                canvas.roundRect(x, self.height - y - height, width, height, radius, **flags)
            else:
                canvas.rect(x, self.height - y - height, width, height, **flags)

        self._add(draw)

    def polygon(
        self,
        points: Sequence[tuple[float, float]],
        *,
        stroke: Colour | None,
        width: float,
        closed: bool = True,
        fill: Colour | None = None,
        dash: Sequence[float] | None = None,
        opacity: float = 1.0,
    ) -> None:
        """A line through points, closed or open, and the area within.

        Args:
            dash: lengths of dashes and gaps in turn, in points. opacity: of the fill alone.
        """

        def draw(canvas: Canvas, fonts: FontBook) -> None:
            canvas.setStrokeColorRGB(*(stroke or PAPER))
            canvas.setLineWidth(width)
            path = canvas.beginPath()
            path.moveTo(points[0][0], self.height - points[0][1])
            for x, y in points[1:]:
                path.lineTo(x, self.height - y)
            if closed:
                path.close()
            canvas.setLineJoin(1)
            # Only what is asked for is written: a plain line costs no more operators than it needs.
            special = dash is not None or opacity < 1
            if special:
                canvas.saveState()
            if dash is not None:
                canvas.setDash(list(dash))
            if fill is not None:
                canvas.setFillColorRGB(*fill)
            if opacity < 1:
                canvas.setFillAlpha(opacity)
            canvas.drawPath(path, stroke=int(stroke is not None), fill=int(fill is not None))
            if special:
                canvas.restoreState()

        self._add(draw)

    def picture(self, grey: npt.NDArray[np.uint8], x: float, y: float, width: float, height: float) -> None:
        """A grey picture, shape (rows, columns), with its top left corner at (x, y)."""
        reader = ImageReader(Image.fromarray(grey))

        def draw(canvas: Canvas, fonts: FontBook) -> None:
            canvas.drawImage(reader, x, self.height - y - height, width, height)

        self._add(draw)

    def save(self) -> bytes:
        """The finished PDF. Without dates and random identifiers: the same drawings give the same bytes."""
        stream = io.BytesIO()
        canvas = Canvas(stream, pagesize=(self.width, self.height), invariant=1, pageCompression=1)
        canvas.setTitle(self._title)
        canvas.setAuthor("Nodal")
        canvas.setCreator("Nodal")
        fonts = FontBook(canvas)
        for drawings in self._sheets:
            for drawing in drawings:
                drawing(canvas, fonts)
            canvas.showPage()
        canvas.save()
        return stream.getvalue()
