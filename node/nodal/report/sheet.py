"""What a drawing needs of the surface it is drawn on: a sheet of the PDF, or a picture in SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from nodal.report.fonts import Typesetter
from nodal.report.pdf_sheet import HAIR, INK, Colour

__all__ = ["Sheet"]


class Sheet(Protocol):
    """Text and lines in points, x to the right, y down from the top left corner; a text's y is its baseline."""

    @property
    def type(self) -> Typesetter:
        """Measures and breaks text: ``type.width(text, size, bold)``, ``type.wrap(text, size, width, bold)``."""

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
        """One line of text; returns its width. ``align`` is the part of the line that ``x`` means."""

    def rule(self, x0: float, y0: float, x1: float, y1: float, *, width: float = 0.5, colour: Colour = HAIR) -> None:
        """A straight line."""

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
        """A line through points and the area within; ``dash`` in points, ``opacity`` of the fill alone."""
