"""Charts: ink where the data say, words that do not run into each other, colours that everybody can tell apart."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from nodal.report.chart import Chart, RiskTable, Series
from nodal.report.chart_layout import Frame, spread, tick_texts
from nodal.report.chart_lines import area_within, lines_within, stepped
from nodal.report.draw_chart import DASHES, PALETTE, draw_chart
from nodal.report.fonts import Typesetter
from nodal.report.pdf_sheet import Document
from nodal.report.svg_sheet import SvgSheet
from skimage.color import deltaE_ciede2000, rgb2lab

pytestmark = pytest.mark.unit

SPACE = "{http://www.w3.org/2000/svg}"
LETTERS = Typesetter()
WIDTH, HEIGHT = 260.0, 230.0
TICKS = (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)
LOW = Series("Low risk", (0, 20, 60), (1.0, 0.9, 0.8), "step", (1.0, 0.85, 0.7), (1.0, 0.95, 0.9), colour=0)
HIGH = Series("High risk", (0, 10, 60), (1.0, 0.6, 0.4), "step", colour=1)
CURVES = Chart(
    "Survival by group", "Months", "Event-free", (0, 60), (0, 1), (LOW, HIGH), TICKS, percent=True,
    table=RiskTable(TICKS, (("Low risk", (240, 232, 200, 139, 93, 51)), ("High risk", (90, 69, 55, 32, 15, 3)))),
    note="Log-rank p < 0.001; groups cut in the training folds, never in the patients drawn here.",
)  # fmt: skip


def drawn(chart: Chart, width: float = WIDTH, height: float = HEIGHT) -> tuple[ElementTree.Element, Frame]:
    sheet = SvgSheet(width, height, chart.title, LETTERS)
    frame = draw_chart(sheet, chart, 0, 0, width, height)
    return ElementTree.fromstring(sheet.svg()), frame


def texts(tree: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """Each text with its box: left, top, right, bottom."""
    found = []
    for one in tree.iter(f"{SPACE}text"):
        x, y, width, size = (float(one.attrib[name]) for name in ("x", "y", "textLength", "font-size"))
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[one.attrib.get("text-anchor", "start")]
        found.append((str(one.text), left, y - 0.72 * size, left + width, y + 0.22 * size))
    return found


def strokes(tree: ElementTree.Element, colour: int) -> list[list[tuple[float, float]]]:
    """Points of the open lines in a colour of the palette that are no key of a legend."""
    ink = "#" + "".join(f"{round(255 * part):02x}" for part in PALETTE[colour])
    paths = [one for one in tree.iter(f"{SPACE}path") if one.attrib.get("stroke") == ink and one.attrib["d"][-1] != "Z"]
    lines = [[(float(a), float(b)) for a, b in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", p.attrib["d"])] for p in paths]
    return [line for line in lines if len(line) > 2]


def overlaps(tree: ElementTree.Element) -> list[tuple[str, str]]:
    found = texts(tree)
    return [
        (a[0], b[0])
        for i, a in enumerate(found)
        for b in found[i + 1 :]
        if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
    ]


def test_a_curve_is_drawn_where_its_values_are():
    """Read back from the ink through the axis' own ticks."""
    tree, frame = drawn(CURVES)
    (line,) = strokes(tree, 1)
    expected = [(0, 1.0), (10, 1.0), (10, 0.6), (60, 0.6), (60, 0.4)]
    # Half of the last digit written, 0.005 pt, on both axes.
    for got, want in zip(line, [frame.place(*point) for point in expected], strict=True):
        assert got == pytest.approx(want, abs=0.0051)
    at = {text: (left + right) / 2 for text, left, _, right, _ in texts(tree)}
    assert at["12"] == pytest.approx(frame.place(12, 0)[0], abs=0.01)


def test_numbers_at_risk_stand_under_their_ticks():
    """Each column under its tick, each row named."""
    tree, frame = drawn(CURVES)
    middle = {text: (left + right) / 2 for text, left, _, right, _ in texts(tree)}
    assert CURVES.table is not None
    for _, counts in CURVES.table.rows:
        for months, count in zip(TICKS, counts, strict=True):
            assert middle[str(count)] == pytest.approx(frame.place(months, 0)[0], abs=0.01)
    assert {"At risk", "Low risk", "High risk"} <= set(middle)


def test_crowded_numbers_at_risk_leave_columns_out_rather_than_touch():
    """Every second or third column where there is no room for all."""
    months = tuple(range(0, 61, 2))
    crowded = replace(CURVES, table=RiskTable(months, (("Low risk", tuple(24000 - i for i in months)),)))
    tree, _ = drawn(crowded)
    kept = [text for text, *_ in texts(tree) if text.startswith("2") and len(text) == 5]
    assert 3 < len(kept) < len(months)
    assert kept[0] == "24000"
    assert not overlaps(tree)


CALIBRATION = Chart(
    "Calibration", "Predicted", "Observed", (0, 1), (0, 1),
    (
        Series("Ideal", (0, 1), (0, 1), "dashed"),
        Series("IMPI, refitted with a spline", (0.4, 0.6), (0.35, 0.7), "points", (0.3, 0.6), (0.45, 0.8), 0),
        Series("A system with a long name + IMPI", (0.5, 0.9), (0.45, 0.8), "points", (0.3, 0.7), (0.6, 0.9), 1),
    ),
    percent=True, x_percent=True,
)  # fmt: skip
CLOSE = replace(
    CURVES, table=None,
    series=tuple(Series(f"Model {i}", (0, 60), (1.0, 0.5 + 0.001 * i), colour=i) for i in range(6)),
)  # fmt: skip
EARLY = replace(CURVES, series=(LOW, replace(HIGH, x=(0, 10, 30))))


@pytest.mark.parametrize("chart", [CURVES, CALIBRATION, CLOSE, EARLY], ids=["curves", "points", "close", "early end"])
@pytest.mark.parametrize("width", [200.0, 260.0, 509.0])
def test_no_word_runs_into_another_or_out_of_the_box(chart, width):
    """Narrow and wide, names at the ends of curves or in a legend."""
    tree, _ = drawn(chart, width)
    assert not overlaps(tree)
    for text, left, top, right, bottom in texts(tree):
        assert left >= -0.01, text
        assert right <= width + 0.01, text
        assert top >= -0.01, text
        assert bottom <= HEIGHT + 0.01, text
    assert {one.name for one in chart.series} <= {text for text, *_ in texts(tree)}


def test_names_stand_at_the_ends_of_curves_in_their_order():
    """Only where every curve reaches the end; a name never stands where its curve is not."""
    tree, frame = drawn(CLOSE, 400)
    rows = {text: top for text, left, top, _, _ in texts(tree) if left >= frame.right}
    assert sorted(rows, key=rows.__getitem__) == [f"Model {i}" for i in range(5, -1, -1)]
    tree, frame = drawn(EARLY, 400)
    assert not [text for text, left, *_ in texts(tree) if left >= frame.right and "risk" in text]


@pytest.mark.parametrize(
    "series",
    [
        (),
        (Series("Nobody", (), ()),),
        (Series("Unknown", (0, 60), (math.nan, math.nan), "step"),),
        (Series("Above", (0, 60), (2.0, 3.0)),),
        (Series("One", (30,), (0.5,), "points", (0.4,), (0.6,)),),
    ],
    ids=["none", "empty", "unknown", "outside", "one point"],
)
def test_a_chart_with_nothing_to_show_still_has_its_axes(series):
    """A group without patients must not stop a report."""
    tree, frame = drawn(replace(CURVES, series=series, table=None))
    assert {"0", "60", "Months"} <= {text for text, *_ in texts(tree)}
    assert frame.bottom - frame.top > 100


def test_what_lies_outside_the_axes_is_cut_away():
    """A treat-all line that dives far below the axis stays inside the plot."""
    steep = Series("Treat all", (0.0, 0.3, 0.6), (0.2, -0.4, -5.0), colour=0)
    chart = Chart("Decision", "Threshold", "Net benefit", (0, 0.6), (-0.05, 0.25), (steep,))
    tree, frame = drawn(chart)
    ink = [one for one in tree.iter(f"{SPACE}path") if "#0d546b" in one.attrib.get("stroke", "")]
    points = [tuple(map(float, pair)) for p in ink for pair in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", p.attrib["d"])]
    lowest = max(y for x, y in points if x <= frame.right)
    assert lowest == pytest.approx(frame.bottom, abs=0.01)
    # 0.2 falls to -0.05 after 0.25 / 0.6 of the first piece, 0.3 wide.
    assert max(x for x, y in points if x <= frame.right) == pytest.approx(frame.place(0.125, 0)[0], abs=0.01)


def test_a_value_that_is_not_known_leaves_a_gap():
    """No line is drawn across it, and its band has the gap too."""
    nan = math.nan
    broken = Series("Broken", (0, 10, 20, 30, 40, 50, 60), (1, 0.9, 0.8, nan, 0.6, 0.5, 0.4), "line", colour=1)
    tree, frame = drawn(replace(CURVES, series=(broken,), table=None))
    assert [len(line) for line in strokes(tree, 1)] == [3, 3]
    band = replace(broken, lower=(0.9, 0.8, 0.7, nan, 0.5, 0.4, 0.3), upper=(1, 1, 0.9, nan, 0.7, 0.6, 0.5))
    tree, _ = drawn(replace(CURVES, series=(band,), table=None))
    areas = [one for one in tree.iter(f"{SPACE}path") if "fill-opacity" in one.attrib]
    assert len(areas) == 2
    inside = [float(x) for one in areas for x in re.findall(r"[ML](-?[\d.]+) ", one.attrib["d"])]
    assert not [x for x in inside if frame.place(20.1, 0)[0] < x < frame.place(39.9, 0)[0]]


def test_ticks_are_written_with_as_many_decimals_as_they_need():
    """Percent, minus sign, and no tail of a float."""
    assert tick_texts((0, 0.2, 1.0), True) == ["0 %", "20 %", "100 %"]
    assert tick_texts((-0.05, 0.0, 0.1), False) == ["−0.05", "0.00", "0.10"]
    assert tick_texts((0.025, 0.05), True) == ["2.5 %", "5.0 %"]


def test_names_are_moved_no_further_than_they_must():
    """Alone they stay; crowded they keep their order and their distance."""
    assert spread([10, 40], 8, 0, 100) == [10, 40]
    assert spread([50, 49], 8, 0, 100) == [53.5, 45.5]
    assert spread([99, 99, 99], 8, 0, 100) == [84, 92, 100]
    assert spread([5, 5, 5], 80, 0, 100) == [0, 50, 100]
    assert spread([], 8, 0, 100) == []


def test_lines_and_areas_are_cut_at_the_rectangle():
    """A diagonal through a square, an outline around it, a line beside it."""
    assert lines_within([(-1, -1), (2, 2)], (0, 1), (0, 1)) == [[(0, 0), (1, 1)]]
    assert lines_within([(-1, 2), (3, 2)], (0, 1), (0, 1)) == []
    assert lines_within([(0.2, 0.2), (0.2, 3), (0.6, 3), (0.6, 0.1)], (0, 1), (0, 1)) == [
        [(0.2, 0.2), (0.2, 1.0)],
        [(0.6, 1.0), (0.6, 0.1)],
    ]
    assert set(area_within([(-1, -1), (2, -1), (2, 2), (-1, 2)], (0, 1), (0, 1))) == {(0, 0), (1, 0), (1, 1), (0, 1)}
    assert stepped((0, 1), (1.0, 0.5)) == [(0, 1.0), (1, 1.0), (1, 0.5)]


# Machado, Oliveira and Fernandes, IEEE Trans Vis Comput Graph 2009;15:1291: severity 1, linear light.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_are_told_apart_with_each_kind_of_colour_blindness(kind):
    """Any two at least ten just noticeable differences apart (CIEDE2000)."""
    srgb = np.array(PALETTE)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(BLINDNESS[kind]).T, 0, 1)
    back = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb2lab(back)
    for i in range(len(PALETTE)):
        for j in range(i):
            assert float(deltaE_ciede2000(lab[i], lab[j])) > 10, (i, j)


def test_in_grey_the_rhythm_of_dashes_tells_curves_apart():
    """Two curves share a rhythm only where their lightness differs plainly."""
    light = rgb2lab(np.array(PALETTE))[:, 0]
    for i in range(len(PALETTE)):
        for j in range(i):
            assert DASHES[i] != DASHES[j] or abs(light[i] - light[j]) > 10, (i, j)


def test_the_same_chart_is_the_same_bytes_on_paper():
    """Bands with opacity and dashes included."""
    papers = [Document((WIDTH, HEIGHT), "chart") for _ in range(2)]
    for paper in papers:
        draw_chart(paper, CURVES, 0, 0, WIDTH, HEIGHT)
    assert papers[0].save() == papers[1].save()
