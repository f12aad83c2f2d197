"""What the lesion network's features tell of organs, as a section of the report."""

from __future__ import annotations

import math

from lymphoma.lamp.organ_map import OrganMap

from nodal.evaluation.page import Figure, Figures, Paragraph, Section
from nodal.report.chart import Chart, Series

__all__ = ["organ_section"]

WIDTH, HEIGHT = 380.0, 290.0
MARGIN = 0.06
"""Of the range, around the outermost points."""


def organ_section(organs: OrganMap) -> Section:
    """A picture of the organs in a plane, and how to read it."""
    series = tuple(
        Series(
            name.replace("_", " "),
            organs.x[organs.organ == number].tolist(),
            organs.y[organs.organ == number].tolist(),
            "points",
            colour=number,
        )
        for number, name in enumerate(organs.names)
        if (organs.organ == number).any()
    )
    chart = Chart(
        "Organs by the features of the lesion network",
        "",
        "",
        _range(organs.x.tolist()),
        _range(organs.y.tolist()),
        series,
        (),
        (),
        note=f"t-SNE of {len(organs.x)} organs of {organs.patients} patients; distances and axes have no unit.",
    )
    told = f"Silhouette of the organs by their features: {organs.silhouette:.2f}"
    words = (
        f"{told} (1: each organ stands alone; 0 and below: they are mixed). A system that compares lesions with organs "
        "can use that only as far as the organs differ."
    )
    picture = Figure(chart, WIDTH, HEIGHT, f"{told}; a point for each of {len(organs.x)} organs.")
    return Section("Organs as the lesion network sees them", (Paragraph(words, "small"), Figures((picture,))), level=1)


def _range(values: list[float]) -> tuple[float, float]:
    low, high = math.floor(min(values)), math.ceil(max(values))
    room = MARGIN * (high - low)
    return low - room, high + room
