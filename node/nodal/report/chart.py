"""Charts as data: what is drawn on a page of the report or in a picture of the evaluation, before any ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Chart", "RiskTable", "Series"]


@dataclass(frozen=True)
class Series:
    """A line, a step curve or points of a chart.

    Attributes:
        x, y: of the same length; a curve ends where its data end. lower, upper: a band around it, as long as ``x``.
        colour: index into the chart's palette of lines; None is the neutral grey of a reference.
        emphasis: drawn heavier, such as the patient's own curve.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: Literal["line", "step", "points", "dashed"] = "line"
    lower: Sequence[float] | None = None
    upper: Sequence[float] | None = None
    colour: int | None = None
    emphasis: bool = False


@dataclass(frozen=True)
class RiskTable:
    """Numbers under the x axis, one row per series: patients at risk at ``x``."""

    x: Sequence[float]
    rows: Sequence[tuple[str, Sequence[int]]]
    title: str = "At risk"


@dataclass(frozen=True)
class Chart:
    """A chart with both axes in data units; ticks None are chosen by the drawer.

    Attributes:
        percent, x_percent: the axis is a share that is written as a percentage: the y axis, the x axis.
    """

    title: str
    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    series: tuple[Series, ...]
    x_ticks: tuple[float, ...] | None = None
    y_ticks: tuple[float, ...] | None = None
    percent: bool = False
    table: RiskTable | None = None
    note: str = ""
    x_percent: bool = False
