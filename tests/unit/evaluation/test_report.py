"""The evaluation report: every number, in the right place, with nothing asked for from outside, the same every time."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lymphoma.evaluation.result import Estimate, Evaluation
from nodal.errors import WrongUsage
from nodal.evaluation.cohort_tables import covariate_table
from nodal.evaluation.contents import contents_of
from nodal.evaluation.html import evaluation_html
from nodal.evaluation.json_out import evaluation_json
from nodal.evaluation.page import Figures, Page, Section, Table
from nodal.evaluation.patients import Origins
from nodal.evaluation.pdf import evaluation_pdf
from nodal.evaluation.provenance import BundleJudged, Provenance
from nodal.evaluation.report import HTML, JSON, PDF, write_report
from nodal.evaluation.tables import model_table
from nodal.evaluation.words import Notes, decimal, interval, p_value, percent, years

from tests.conftest import ROOT
from tests.unit.evaluation.evaluation_sample import NO_LDH, NO_SURVIVAL, sample

pytestmark = pytest.mark.unit

PROVENANCE = Provenance(
    "0.1.0", "c" * 64, (BundleJudged("lamp", "lamp", "1.2.0", "d" * 64, "E1", "patients", True),),
    Origins(table=380, segmented=20, method="suv4", unusable=3),
)  # fmt: skip
EVALUATION = sample()
PAGE = contents_of(EVALUATION, PROVENANCE)
TEXT = evaluation_html(PAGE)
PAPER = evaluation_pdf(PAGE)


class _Reader(HTMLParser):
    """Text, tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def table_of(page: Page, title: str) -> Table:
    """The last table of a section."""
    (section,) = [one for one in page.sections if one.title == title]
    return [block for block in section.blocks if isinstance(block, Table)][-1]


def paper_words(pdf: bytes, folder: Path) -> str:
    (folder / "report.pdf").write_bytes(pdf)
    done = subprocess.run(["pdftotext", "-layout", folder / "report.pdf", "-"], capture_output=True, check=True)
    return " ".join(done.stdout.decode().split())


def test_json_holds_every_number(tmp_path: Path):
    """Read back it is the evaluation, digit for digit."""
    text = evaluation_json(EVALUATION, PROVENANCE)
    read = json.loads(text)
    result, (given,) = read["endpoints"][0], EVALUATION.endpoints
    assert read["layout"] == 1
    assert read["provenance"]["bundles"][0]["sha256"] == "d" * 64
    assert [one["model"]["key"] for one in result["results"]] == [one.model.key for one in given.results]
    for one, its in zip(result["results"], given.results, strict=True):
        assert one["discrimination"]["harrell"]["value"] == its.discrimination.harrell.value
        assert tuple(one["decision"]["model"]) == its.decision.model
        assert [tuple(curve["survival"]) for curve in one["groups"]["curves"]] == [
            c.survival for c in its.groups.curves
        ]


def test_the_reference_names_every_field_of_the_json():
    """A reader of the file finds each of its names in the docs."""
    text = (ROOT / "docs/reference/evaluation.md").read_text(encoding="utf-8")
    read = json.loads(evaluation_json(EVALUATION, PROVENANCE))
    result = read["endpoints"][0]
    parts = [
        read, read["provenance"], read["provenance"]["bundles"][0], read["provenance"]["origins"], result,
        result["protocol"], result["models"][0], result["results"][1], result["results"][1]["groups"],
        result["results"][1]["calibration"]["horizons"][0], result["results"][1]["decision"], result["added"][0],
        result["comparisons"][0], result["cox"], result["added"][0]["harrell"],
    ]  # fmt: skip
    missing = {name for part in parts for name in part if not re.search(rf"\b{name}\b", text)}
    assert not missing


def test_json_refuses_what_is_no_number():
    """A NaN would be written in a form that other readers refuse."""
    (result,) = EVALUATION.endpoints
    broken = replace(EVALUATION, endpoints=(replace(result, tau_months=float("nan")),))
    with pytest.raises(ValueError, match="JSON compliant"):
        evaluation_json(broken)


def test_html_asks_for_nothing_outside_itself():
    """One file that can be sent and kept: no script, no link, no picture beside it."""
    page = _Reader(TEXT)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name in ("src", "href", "onload")]
    assert "url(" not in TEXT
    assert "@import" not in TEXT
    assert set(re.findall(r"https?://[^\"' ]+", TEXT)) == {"http://www.w3.org/2000/svg"}


def test_names_with_markup_stay_text(tmp_path: Path):
    """Cohorts and centres are named by people."""
    page = _Reader(TEXT)
    assert "<test>" not in TEXT
    assert "L1 <test> & more" in page.text
    assert "North & <East>: 210 patients, 64 events" in page.text
    assert "L1 <test> & more" in paper_words(PAPER, tmp_path)


def test_screen_and_paper_say_the_same(tmp_path: Path):
    """Every figure and note of every table on both; text on paper may wrap anywhere."""
    screen = re.sub(r"\s", "", "".join(_Reader(TEXT).words))
    paper = re.sub(r"\s", "", paper_words(PAPER, tmp_path))
    tables = [block for section in PAGE.sections for block in section.blocks if isinstance(block, Table)]
    assert len(tables) > 12
    for table in tables:
        for cell in (cell for row in table.rows for cell in row.cells):
            for words in (cell.text, cell.below):
                assert re.sub(r"\s", "", words) in screen
                if " " not in words.strip():
                    assert words.strip() in paper
    for heading in (section.title for section in PAGE.sections):
        assert heading.replace(" ", "") in paper


def test_models_stand_in_the_given_order_with_those_left_out():
    """The order is fixed beforehand; a model that cannot be compared stays in its place and says why."""
    (result,) = EVALUATION.endpoints
    table = model_table(result)
    assert [row.cells[0].text for row in table.rows] == [model.label for model in result.models]
    (left_out,) = [row for row in table.rows if row.cells[0].text == "NCCN-IPI"]
    assert left_out.cells[1].text == "– (b)"
    assert f"(b) {NO_LDH}." in table.notes
    (reference,) = [row for row in table.rows if row.kind == "strong"]
    assert reference.cells[0].text == "IMPI refitted"


def test_headline_is_what_is_added_to_the_refitted_impi():
    """It comes first after what was judged, with the sentence that the figures allow."""
    titles = [section.title for section in PAGE.sections]
    assert titles[:3] == [
        "What was judged, and on whom", "Progression-free survival", "What is added to the refitted IMPI",
    ]  # fmt: skip
    (result,) = EVALUATION.endpoints
    said = _Reader(TEXT).text
    for one in result.added:
        assert one.verdict.sentence in said
    assert f"(a) {NO_SURVIVAL[0].upper()}{NO_SURVIVAL[1:]}." in said


def test_as_published_is_named_and_kept_apart():
    """Figures that do not hold with censoring come after all others, and nowhere else."""
    apart = [section for section in PAGE.sections if section.apart]
    assert [section.title for section in apart] == ["As published"]
    others = [section for section in PAGE.sections if not section.apart]
    heads = {c.title for s in others for b in s.blocks if isinstance(b, Table) for c in b.columns}
    assert not {"Naive AUC", "Hosmer-Lemeshow"} & heads
    assert "With censoring they do not hold" in _Reader(TEXT).text


def test_withheld_percentages_say_so():
    """Fewer than ten events: the word in place of a number, the rule below the table."""
    table = next(b for s in PAGE.sections if s.title == "Risk groups" for b in s.blocks if isinstance(b, Table))
    high = next(row for row in table.rows if row.cells[0].text.strip() == "high risk")
    assert [cell.text for cell in high.cells[2:5]] == ["withheld", "60.0 %", "withheld"]
    assert any("fewer than 10 events is not printed" in note for note in table.notes)
    pictures = [f for s in PAGE.sections for b in s.blocks if isinstance(b, Figures) for f in b.pictures]
    notes = [getattr(f.picture, "note", "") for f in pictures]
    assert "1 of 5 groups withheld: fewer than 10 events." in notes


@pytest.mark.parametrize("virtual", [True, False])
def test_virtual_patients_are_said_to_be_virtual(virtual, tmp_path: Path):
    """A banner at the top of both, and not where patients are patients."""
    page = contents_of(sample(virtual=virtual))
    banner = "VIRTUAL PATIENTS"
    assert (banner in _Reader(evaluation_html(page)).text) == virtual
    assert (banner in paper_words(evaluation_pdf(page), tmp_path)) == virtual


def test_what_it_was_made_from_is_said():
    """Bundles by name, version and digest; where measures come from; who is not among the patients."""
    said = _Reader(TEXT).text
    assert "lamp 1.2.0, level E1, trained on patients; judged each patient by its prediction without him or her" in said
    assert f"SHA-256 {'d' * 64}" in said
    assert "380 from measures.csv; 20 inside the node's own segmentation (suv4)" in said
    assert "Not among the patients: 3 rows that cannot be used" in said
    assert "seed 7" in said
    assert "lifelines 0.30.3" in said


def test_hazard_ratios_are_of_a_step_that_a_reader_can_use():
    """exp(0.03) a year is exp(0.3) a decade; a logarithm's coefficient times log 2 is a doubling."""
    table = covariate_table(EVALUATION.endpoints[0].cox)
    found = {row.cells[0].text: row.cells[2].text for row in table.rows}
    assert found["Age, per 10 years"] == "1.35"
    assert found["TMTV, doubled"] == "1.32"
    assert [found[f"Ann Arbor stage: {level} to I"] for level in ("II", "III", "IV")] == ["1.22", "1.65", "2.23"]
    assert found["Bulky disease: yes to no"].startswith("–")


def test_the_same_evaluation_gives_the_same_bytes():
    """On screen and on paper: no clock, no random identifier."""
    again = contents_of(sample(), PROVENANCE)
    assert evaluation_html(again) == TEXT
    assert evaluation_pdf(again) == PAPER


def test_every_font_is_embedded(tmp_path: Path):
    """It must look the same at another place."""
    (tmp_path / "report.pdf").write_bytes(PAPER)
    done = subprocess.run(["pdffonts", tmp_path / "report.pdf"], capture_output=True, text=True, check=True)
    fonts = done.stdout.splitlines()[2:]
    assert fonts
    assert all(re.search(r"\byes yes yes\b", line) for line in fonts)


def test_nothing_on_paper_leaves_the_sheet_or_touches(tmp_path: Path):
    """Tables of twelve centres and long names: words neither overlap nor run off."""
    (tmp_path / "report.pdf").write_bytes(PAPER)
    done = subprocess.run(
        ["pdftotext", "-bbox", tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True
    )
    pages = done.stdout.split("<page ")[1:]
    assert len(pages) > 5
    for page in pages:
        found = re.findall(r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">([^<]*)<', page)
        boxes = [(float(a), float(b), float(c), float(d), word) for a, b, c, d, word in found]
        assert all(left > 40 and right < 556 and bottom < 842 for left, _, right, bottom, _ in boxes)
        # A word's box has the face's ascent 1.07 and descent 0.29; what is seen is 0.71 of capitals above the baseline.
        seen = [(a, b + 0.26 * (d - b), c, d - 0.21 * (d - b), word) for a, b, c, d, word in boxes]
        for index, (left, top, right, bottom, word) in enumerate(seen):
            for a, b, c, d, other in seen[index + 1 :]:
                beside = right <= a + 0.1 or c <= left + 0.1
                assert beside or bottom <= b or d <= top, (word, other)


def test_empty_evaluations_are_written_too(tmp_path: Path):
    """Baselines alone, nothing beside the IMPI, no centres, no controls."""
    (result,) = sample(()).endpoints
    bare = replace(result, added=(), comparisons=(), subgroups=(), controls=(), table_ones=(), follow_up_months=None)
    page = contents_of(Evaluation("none", False, 400, 1, 0, 100, (bare,), ()))
    said = _Reader(evaluation_html(page)).text
    assert "No model could be set beside the refitted IMPI." in said
    assert "median follow-up not reached" in said
    assert not {"By centre", "Controls", "Comparisons"} & {section.title for section in page.sections}
    assert evaluation_pdf(page).startswith(b"%PDF")


def test_a_second_report_replaces_the_first_whole(tmp_path: Path):
    """Three files, all of the same run, and nothing left beside them."""
    folder = tmp_path / "deep" / "report"
    write_report(EVALUATION, folder)
    files = write_report(replace(EVALUATION, cohort="second"), folder, PROVENANCE)
    assert sorted(file.name for file in folder.iterdir()) == sorted((JSON, HTML, PDF))
    assert files == (folder / JSON, folder / HTML, folder / PDF)
    assert json.loads((folder / JSON).read_text())["cohort"] == "second"
    assert [entry.name for entry in folder.parent.iterdir()] == ["report"]


def test_what_is_no_report_is_not_replaced(tmp_path: Path):
    """A folder with anything else in it is left as it is."""
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(WrongUsage, match="thesis"):
        write_report(EVALUATION, tmp_path)
    with pytest.raises(WrongUsage, match="not a folder"):
        write_report(EVALUATION, tmp_path / "thesis.docx")
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_figures_in_words():
    """Signs, digits, letters of reasons."""
    assert decimal(-0.0004) == "0.000"
    assert decimal(-0.0123, signed=True) == "−0.012"
    assert decimal(0.0123, signed=True) == "+0.012"
    assert decimal(None) == "–"
    assert interval(0.5, 0.75, 2) == "0.50 to 0.75"
    assert interval(None, 0.75) == ""
    assert [p_value(p) for p in (0.0009, 0.001, 0.5, None)] == ["<0.001", "0.001", "0.500", "–"]
    assert percent(None) == "withheld"
    assert [years(m) for m in (12, 36, 18)] == ["1 year", "3 years", "18 months"]
    notes = Notes()
    cells = [notes.cell(Estimate(None, problem=why)).text for why in ("one", "two", "one")]
    assert cells == ["– (a)", "– (b)", "– (a)"]
    assert notes.lines(["First."]) == ("First.", "(a) One.", "(b) Two.")


def test_sections_of_each_endpoint():
    """Two endpoints: the same sections twice, the limits once."""
    page = contents_of(sample(endpoints=("pfs", "os")))
    titles = [section.title for section in page.sections if isinstance(section, Section)]
    assert titles.count("Calibration") == 2
    assert titles.count("Limits") == 1
    assert titles.index("Progression-free survival") < titles.index("Overall survival")
