"""A picture in SVG 1.1: the same strokes and words as on a sheet of the PDF, for pages on a screen.

Text stays text, so that it can be searched and read aloud. Whatever face the reader's machine has, ``textLength``
holds each line to the width it was laid out with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Literal

from nodal.report.fonts import Typesetter
from nodal.report.pdf_sheet import HAIR, INK, PAPER, Colour, shortened

__all__ = ["FONT_STACK", "SvgSheet"]

FONT_STACK = "'Noto Sans', 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
# XML 1.0 production [2]: characters that cannot stand in a document, not even as references.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ANCHOR = {"left": "start", "right": "end", "centre": "middle"}


class SvgSheet:
    """Collects elements; :meth:`svg` gives the picture, the same text for the same drawings.

    Args:
        width, height: in points; the picture scales with the page around it. title: what it shows, read aloud.
        typesetter: shared between pictures, it keeps what it has measured.
    """

    def __init__(self, width: float, height: float, title: str, typesetter: Typesetter | None = None) -> None:
        self.width, self.height = width, height
        self.type = typesetter or Typesetter()
        self._title = title
        self._elements: list[str] = []

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
    ) -> float:
        """One line of text; returns its width in points. Wider than ``max_width`` it ends in an ellipsis."""
        if max_width is not None:
            text = shortened(self.type, text, size, bold, max_width)
        width = self.type.width(text, size, bold)
        if not text.strip():
            return width
        attributes = {
            "x": _number(x),
            "y": _number(y),
            "font-size": _number(size),
            "fill": _hex(colour),
            "textLength": _number(width),
            "lengthAdjust": "spacingAndGlyphs",
        }
        if align != "left":
            attributes["text-anchor"] = _ANCHOR[align]
        if bold:
            attributes["font-weight"] = "600"
        self._elements.append(f"<text{_attributes(attributes)}>{_safe(text)}</text>")
        return width

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
        attributes = {"x": _number(x), "y": _number(y), "width": _number(width), "height": _number(height)}
        if radius:
            attributes["rx"] = _number(radius)
        self._elements.append(f"<rect{_attributes(attributes | _ink(fill, stroke, line))}/>")

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
        """A line through points, closed or open, and the area within."""
        (x, y), *rest = points
        path = f"M{_number(x)} {_number(y)}" + "".join(f"L{_number(x)} {_number(y)}" for x, y in rest)
        attributes = {"d": path + "Z" * closed} | _ink(fill, stroke, width)
        if dash is not None:
            attributes["stroke-dasharray"] = " ".join(_number(length) for length in dash)
        if opacity < 1:
            attributes["fill-opacity"] = _number(opacity)
        self._elements.append(f"<path{_attributes(attributes)}/>")

    def svg(self) -> str:
        """The picture as an ``svg`` element that can stand in a page of HTML or in a file of its own."""
        size = f"{_number(self.width)} {_number(self.height)}"
        head = {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {size}",
            "role": "img",
            "font-family": FONT_STACK,
            "stroke-linejoin": "round",
        }
        body = "\n".join(self._elements)
        return f"<svg{_attributes(head)}>\n<title>{_safe(self._title)}</title>\n{body}\n</svg>\n"


def _safe(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _attributes(values: dict[str, str]) -> str:
    return "".join(f' {name}="{_safe(value)}"' for name, value in values.items())


def _ink(fill: Colour | None, stroke: Colour | None, width: float) -> dict[str, str]:
    ink = {"fill": "none" if fill is None else _hex(fill)}
    if stroke is not None:
        ink |= {"stroke": _hex(stroke), "stroke-width": _number(width)}
    return ink


def _hex(colour: Colour) -> str:
    return "#fff" if colour == PAPER else "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def _number(value: float) -> str:
    """At most two decimals: a hundredth of a point is finer than any screen."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
