"""The nomogram as drawn: read back from the finished PDF with a ruler, not from the numbers that went in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import lymphoma.site
import numpy as np
import pytest
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.reading import values_of
from lymphoma.training.bundle import load_bundle
from nodal.outlook import NomogramFinding
from nodal.prognosis.nomograms import nomogram_finding as from_model
from nodal.report.fonts import Typesetter
from nodal.report.inputs import ReportInputs, Target
from nodal.report.pdf import render_pdf
from nodal.report.pdf_nomogram import PATIENT
from nodal.report.pdf_scale import numbers_below, words_around
from nodal.settings import Profile

from tests.unit.report.judged import PATIENT as VALUES
from tests.unit.report.judged import judged, nomogram_finding
from tests.unit.report.paper import Letter, Word, letters, shapes, words
from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit

TARGET = Target(Profile(), "simulation_trained")
MARK = tuple(round(255 * part) for part in PATIENT)
# A label's baseline is 8.6 points below its axis; ink of a figure may reach a little below the baseline.
BELOW = (10.5, 4.0)
FIGURES_FROM = 466.0


@dataclass(frozen=True)
class Sheet:
    """A page of a nomogram: its words, and the patient's marks from top to bottom."""

    words: list[Word]
    marks: list[tuple[float, float]]

    def row(self, y: float) -> tuple[np.ndarray, np.ndarray]:
        """Positions and numbers of the labels below the axis at y."""
        found = [w for w in self.words if y - BELOW[0] <= w.baseline <= y - BELOW[1] and 130 < w.x < FIGURES_FROM]
        return np.array([w.x for w in found]), np.array([float(w.text) for w in found])

    def figure(self, y: float) -> str:
        """What is printed at the right of the axis at y."""
        found = [w for w in self.words if y - 4.0 <= w.baseline <= y and w.left > FIGURES_FROM]
        return " ".join(w.text for w in sorted(found, key=lambda w: w.left))

    def axis(self, name: str) -> float:
        """The y of the axis whose name begins with ``name``."""
        baseline = next(w.baseline for w in self.words if w.text == name and w.left < 60)
        return baseline + 2.4


def sheet_of(pdf: bytes, page: int, pages: list[list[Letter]]) -> Sheet:
    marks = [(one.x, one.y) for one in shapes(pdf, page) if one.colour == MARK]
    return Sheet(words(pages[page]), sorted(marks, key=lambda mark: -mark[1]))


def nomogram_sheets(inputs: ReportInputs) -> list[Sheet]:
    """One per page that holds a nomogram."""
    pdf = render_pdf(inputs, TARGET)
    pages = letters(pdf)
    found = [sheet_of(pdf, n, pages) for n in range(len(pages))]
    return [one for one in found if {"Points", "Total"} <= {word.text for word in one.words}]


def along(positions: np.ndarray, numbers: np.ndarray, x: float) -> float:
    """The number at x on a linear axis, by its outermost labels."""
    first, last = int(positions.argmin()), int(positions.argmax())
    share = (x - positions[first]) / (positions[last] - positions[first])
    return float(numbers[first] + share * (numbers[last] - numbers[first]))


def where(positions: np.ndarray, numbers: np.ndarray, value: float) -> float:
    """The position of a number on a linear axis."""
    first, last = int(positions.argmin()), int(positions.argmax())
    share = (value - numbers[first]) / (numbers[last] - numbers[first])
    return float(positions[first] + share * (positions[last] - positions[first]))


def survival_at(positions: np.ndarray, percents: np.ndarray, x: float) -> float:
    """Survival at x on an axis of survival: log(-log S) runs evenly along it."""
    order = np.argsort(positions)
    return float(np.exp(-np.exp(np.interp(x, positions[order], np.log(-np.log(percents[order] / 100))))))


@pytest.fixture(scope="module")
def complete() -> list[Sheet]:
    return nomogram_sheets(judged(sample_inputs(2)))


@pytest.mark.parametrize("number", [0, 1], ids=["pfs", "os"])
def test_points_summed_from_the_drawing_give_the_printed_survival(complete: list[Sheet], number: int) -> None:
    sheet = complete[number]
    scale = sheet.row(sheet.axis("Points"))
    *covariates, total, first, second, third = sheet.marks
    assert len(covariates) == len(VALUES)
    points = sum(along(*scale, x) for x, _ in covariates)
    totals = sheet.row(total[1])
    assert along(*totals, total[0]) == pytest.approx(points, abs=0.25)
    assert int(sheet.figure(total[1])) == round(points)
    ruler = where(*totals, points)
    for mark in (first, second, third):
        printed = float(sheet.figure(mark[1]).split()[0]) / 100
        assert survival_at(*sheet.row(mark[1]), ruler) == pytest.approx(printed, abs=0.01)
        assert mark[0] == pytest.approx(ruler, abs=0.3)


def shipped(**measures: float) -> ReportInputs:
    """A virtual study judged by the shipped clinical PET model, whose volume has a logarithmic axis."""
    inputs = judged(sample_inputs(2, virtual=True), "E0")
    bundle = load_bundle(Path(lymphoma.site.__path__[0]) / "bundle", ("site",))
    patient = Prospect(inputs.findings.clinical, PetMeasures(**measures))  # type: ignore[arg-type]
    drawn = {}
    for endpoint in ("pfs", "os"):
        model = bundle.survival(endpoint)
        assert model is not None
        drawn[endpoint] = from_model("site", model, values_of(model.terms, patient), model.predict(patient))
    systems = {"site": replace(inputs.findings.systems["deepmts"], bundle="site")}
    return with_findings(inputs, systems=systems, nomograms={"site": drawn})


def test_the_shipped_model_is_read_back_too() -> None:
    inputs = shipped(tmtv_ml=412.0, suv_peak=16.3, dmax_bulk_mm=402.0)
    (sheet,) = nomogram_sheets(inputs)
    drawn = inputs.findings.nomograms["site"]
    axes = len(drawn["pfs"].axes)
    for number, finding in enumerate((drawn["pfs"], drawn["os"])):
        first = number * (axes + 4)
        marks = sheet.marks[first : first + axes + 4]
        origin = sorted((w.baseline for w in sheet.words if w.text == "Points"), reverse=True)[number] + 2.4
        points = sum(along(*sheet.row(origin), x) for x, _ in marks[:axes])
        ruler = where(*sheet.row(marks[axes][1]), points)
        for mark, said in zip(marks[axes + 1 :], finding.survival, strict=True):
            printed = float(sheet.figure(mark[1]).split()[0]) / 100
            assert survival_at(*sheet.row(mark[1]), ruler) == pytest.approx(printed, abs=0.01)
            assert printed == pytest.approx(said.probability, abs=0.005)


def test_the_drawing_agrees_with_the_model_itself(complete: list[Sheet]) -> None:
    """The printed survival is that of the Cox model, computed past every axis."""
    for sheet, finding in zip(complete, judged(sample_inputs(2)).findings.nomograms["mtdlr"].values(), strict=True):
        printed = [float(sheet.figure(y).split()[0]) / 100 for _, y in sheet.marks[-3:]]
        assert printed == pytest.approx([one.probability for one in finding.survival], abs=0.005)


def test_each_mark_lies_on_its_value(complete: list[Sheet]) -> None:
    """Age 66 between 60 and 70 as a ruler has it; a protective covariate runs from right to left."""
    sheet = complete[0]
    x, y = sheet.marks[0]
    assert along(*sheet.row(y), x) == pytest.approx(66, abs=0.2)
    origin = sheet.axis("Cell")
    labels = {w.text: w.x for w in sheet.words if origin - BELOW[0] <= w.baseline <= origin - BELOW[1]}
    assert labels["GCB"] < labels["non-GCB"]


def test_a_missing_covariate_has_no_mark_and_leaves_a_range() -> None:
    whole, open_ = (nomogram_sheets(judged(sample_inputs(2), missing=missing))[0] for missing in ((), ("ldh_ratio",)))
    y = open_.axis("LDH")
    assert any(abs(mark[1] - whole.axis("LDH")) < 1 for mark in whole.marks)
    assert not any(abs(mark[1] - y) < 1 for mark in open_.marks)
    assert open_.figure(y) == "not known"
    # The total and each survival have two ends, and the range between the ends is printed.
    ends = [mark for mark in open_.marks if abs(mark[1] - open_.axis("Total")) < 1]
    totals = open_.row(ends[0][1])
    low, high = sorted(along(*totals, x) for x, _ in ends)
    assert open_.figure(ends[0][1]) == f"{low:.0f} to {high:.0f}"
    rows = sorted({round(y) for _, y in open_.marks if y < ends[0][1] - 5}, reverse=True)
    assert len(rows) == 3
    for row in rows:
        marks = [mark for mark in open_.marks if round(mark[1]) == row]
        shares = sorted(survival_at(*open_.row(marks[0][1]), x) for x, _ in marks)
        printed = [float(part) / 100 for part in open_.figure(marks[0][1]).split()[0].split("–")]
        assert printed == pytest.approx(shares, abs=0.01)


def test_the_range_is_said_in_words() -> None:
    sheet = nomogram_sheets(judged(sample_inputs(2), missing=("ldh_ratio",)))[0]
    said = " ".join(word.text for word in sheet.words)
    finding = nomogram_finding("pfs", ("ldh_ratio",))
    low, high = finding.survival[1].range
    assert "over the values LDH may take: at 1 year between" in said
    assert f"at 3 years between {100 * low:.0f} and {100 * high:.0f} %" in said
    assert "model uncertainty, not outcome" in said


def test_a_value_beyond_its_axis_is_said() -> None:
    beyond = nomogram_finding("pfs", patient=(97.0, *VALUES[1:]))
    inputs = with_findings(judged(sample_inputs(2)), nomograms={"mtdlr": {"pfs": beyond}})
    sheet = nomogram_sheets(inputs)[0]
    assert "97, outside" in sheet.figure(sheet.axis("Age"))
    assert "Age: beyond the ends of the axis" in " ".join(word.text for word in sheet.words)


def test_nothing_of_the_patient_is_on_a_withheld_nomogram() -> None:
    inputs = judged(sample_inputs(2), "E0", withheld=True)
    (sheet,) = nomogram_sheets(inputs)
    said = " ".join(word.text for word in sheet.words)
    assert sheet.marks == []
    assert said.count("No clinical baseline") == 2
    assert "Simulation-trained, not for clinical use" in said
    assert "%" not in said
    # The axes of points and covariates are there all the same.
    positions, numbers = sheet.row(sheet.axis("Points"))
    assert (positions.size, numbers.max()) == (11, 100)


def few_covariates(finding: NomogramFinding) -> NomogramFinding:
    """The same with its first five axes alone, as a small model has them."""
    return replace(finding, points=finding.points[:5], axes=finding.axes[:5])


def test_both_endpoints_share_a_sheet_where_they_fit() -> None:
    inputs = judged(sample_inputs(2))
    small = {key: few_covariates(one) for key, one in inputs.findings.nomograms["mtdlr"].items()}
    assert len(nomogram_sheets(inputs)) == 2
    (sheet,) = nomogram_sheets(with_findings(inputs, nomograms={"site": small}))
    said = " ".join(word.text for word in sheet.words)
    assert "Clinical PET nomogram" in said
    assert "PFS at 3 years" in said
    assert "OS at 3 years" in said


def test_labels_of_numbers_keep_the_ends_and_never_touch() -> None:
    type_ = Typesetter()
    labels = numbers_below([(f"{n}", 3.0 * n) for n in range(0, 31, 2)], type_, 6.0)
    assert {"0", "30"} <= {one.text for one in labels}
    ordered = sorted(labels, key=lambda one: one.x)
    for one, after in pairwise(ordered):
        assert after.x - one.x >= (type_.width(one.text, 6.0) + type_.width(after.text, 6.0)) / 2 + 2.9


@pytest.mark.parametrize("step", [40.0, 9.0, 1.0, 0.0])
def test_no_word_of_a_category_is_left_out_or_touches_another(step: float) -> None:
    type_ = Typesetter()
    levels = ["nodal", "extranodal", "both kinds", "marrow", "unknown origin"]
    labels = words_around([(text, 100 + step * n) for n, text in enumerate(levels)], type_, 6.0, 60.0, 400.0)
    assert sorted(one.text for one in labels) == sorted(levels)
    assert all(one.x - type_.width(one.text, 6.0) / 2 >= 60 for one in labels)
    for above in (False, True):
        side = sorted((one for one in labels if one.above is above), key=lambda one: one.x)
        for one, after in pairwise(side):
            assert after.x - one.x >= (type_.width(one.text, 6.0) + type_.width(after.text, 6.0)) / 2
