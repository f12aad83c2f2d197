"""The report: what it says, that it fits, and that it is the same every time."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from nodal.findings import BundleUsed, Flag, NotComputed
from nodal.report.inputs import ReportInputs, Target
from nodal.report.pdf import render_pdf
from nodal.report.pdf_flow import LEFT, RIGHT
from nodal.settings import Profile

from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("ignore:The PN component length")]

OWN = Target(Profile(), "measurements")
# Made once: nobody changes inputs.
made = cache(sample_inputs)
A4_POINTS = (595.28, 841.89)


@pytest.fixture(scope="module")
def eight() -> ReportInputs:
    return made(8)


@pytest.fixture(scope="module")
def sixty() -> ReportInputs:
    long = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh "
    return made(
        60, PatientName=f"{long * 2}^Adolphus {'Wilhelmina ' * 3}", PatientID="X" * 64, AccessionNumber="9" * 16,
        ReferringPhysicianName=f"{long}^Prof.", StudyDescription="PET/CT whole body with contrast " * 2,
    )  # fmt: skip


def tool(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def words_of(pdf: bytes, folder: Path) -> str:
    """All text, spaces and line ends as one space."""
    (folder / "report.pdf").write_bytes(pdf)
    return " ".join(tool("pdftotext", "-layout", folder / "report.pdf", "-").split())


def boxes(pdf: bytes, folder: Path) -> list[list[tuple[float, float, float, float, str]]]:
    """Per page the words with their boxes (left, top, right, bottom) in points."""
    (folder / "report.pdf").write_bytes(pdf)
    tree = ElementTree.fromstring(tool("pdftotext", "-bbox", folder / "report.pdf", "-"))
    space = "{http://www.w3.org/1999/xhtml}"
    return [
        [
            (*(float(word.attrib[side]) for side in ("xMin", "yMin", "xMax", "yMax")), word.text or "")
            for word in page.iter(f"{space}word")
        ]
        for page in tree.iter(f"{space}page")
    ]


def test_it_says_what_a_radiologist_asks(eight: ReportInputs, tmp_path: Path) -> None:
    text = words_of(render_pdf(eight, OWN), tmp_path)
    totals = eight.findings.totals
    for expected in (
        "Specimen, Ada", "NODAL-0001 (HOSPITAL)", "1958-03-14", "female", "66 years", "2024-06-11 09:15", "ACC0815",
        "Referrer, Rosa", f"{totals.tmtv_ml:.0f} mL", f"TLG {totals.tlg_g:.0f} g", f"SUVmax {totals.suv_max:.1f} g/mL",
        f"SUVpeak {totals.suv_peak:.1f} g/mL", "Lesions 8", "612 mm", "0.35 m⁻¹", "Bulky, at least 100 mm no",
        "60 min", "3.9 MBq/kg", "EANM 1.3–3.0", "1.8 mm", "SUV ≥ 4.0", "26-connected", "BQML",
        "Physiological uptake not removed", "Baseline scan assumed", "UNVERIFIED", "Page 1 of 2", "Page 2 of 2",
        "brain 412 18.2 – 2", "(NO_CLINICAL_RECORD)", "Not an image series.", "Nodal 0.1.0",
        eight.findings.lesion_map_sha256, eight.findings.study_instance_uid,
    ):  # fmt: skip
        assert expected in text, expected
    for lesion in eight.findings.lesions:
        row = rf"{lesion.number} \S.* {lesion.volume_ml:.1f} {lesion.suv_max:.1f} {lesion.suv_peak:.1f} "
        assert re.search(row + rf"{lesion.suv_mean:.1f} {lesion.tlg_g:.1f} {lesion.longest_diameter_mm:.0f}", text)


def test_hottest_image_is_the_instance_number(eight: ReportInputs, tmp_path: Path) -> None:
    lesion = eight.findings.lesions[0]
    k = round(float(eight.suv.index_kji(lesion.hottest_mm)[0]))
    number = eight.pet_headers[k].InstanceNumber
    text = words_of(render_pdf(eight, OWN), tmp_path)
    assert f"{lesion.tlg_g:.1f} {lesion.longest_diameter_mm:.0f} {number} " in text


def test_nothing_of_the_run_is_printed(eight: ReportInputs) -> None:
    changed = replace(eight.findings.provenance, started="2031-01-01T00:00:00Z", device="cuda:0", stage_seconds={})
    assert render_pdf(with_findings(eight, provenance=changed), OWN) == render_pdf(eight, OWN)


def test_same_input_same_bytes_other_input_other_bytes(eight: ReportInputs) -> None:
    again = sample_inputs(8)
    assert render_pdf(eight, OWN) == render_pdf(again, OWN)
    other = with_findings(eight, settings_sha256="0" * 64)
    assert render_pdf(other, OWN) != render_pdf(eight, OWN)


def test_properties_hold_no_name(eight: ReportInputs, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(eight, OWN))
    said = tool("pdfinfo", path)
    assert "FDG PET/CT lymphoma measurement" in said
    assert "A4" in said
    assert "Specimen" not in said
    assert "NODAL-0001" not in said


@pytest.mark.parametrize("lesions", [0, 1, 8])
def test_every_font_is_embedded(lesions: int, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(made(lesions, PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう"), OWN))
    rows = [line.split() for line in tool("pdffonts", path).splitlines()[2:]]
    assert rows
    assert all(row[-5:-3] == ["yes", "yes"] for row in rows)


def test_sixty_lesions_and_long_names_stay_inside_the_margins(sixty: ReportInputs, tmp_path: Path) -> None:
    pages = boxes(render_pdf(sixty, OWN), tmp_path)
    assert len(pages) == 4
    for page in pages:
        for left, top, right, bottom, word in page:
            # A glyph's box may reach past its advance by a fraction of a point.
            assert left >= LEFT - 15, word  # the numbers left of the first projection hang into the margin
            assert right <= RIGHT + 1, word
            assert top >= 20, word
            assert bottom <= A4_POINTS[1] - 12, word


def test_sixty_lesions_and_long_names_do_not_overprint(sixty: ReportInputs, tmp_path: Path) -> None:
    for page in boxes(render_pdf(sixty, OWN), tmp_path):
        sides = np.array([word[:4] for word in page])
        low, high = sides[:, None, :2], sides[:, None, 2:]
        common = np.clip(np.minimum(high, sides[None, :, 2:]) - np.maximum(low, sides[None, :, :2]), 0, None)
        areas = np.prod(sides[:, 2:] - sides[:, :2], axis=1)
        shared = np.prod(common, axis=2) / np.minimum(areas[:, None], areas[None, :])
        np.fill_diagonal(shared, 0.0)
        # Boxes are as high as the face's whole line (1.36 em); lines are set 1.2 em apart and more.
        first, second = np.unravel_index(int(shared.argmax()), shared.shape)
        assert shared.max() <= 0.3, (page[first][4], page[second][4])


def test_every_lesion_has_its_row_and_every_sheet_its_head(sixty: ReportInputs, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(sixty, OWN))
    pages = [tool("pdftotext", "-layout", "-f", str(n), "-l", str(n), path, "-") for n in (1, 2, 3)]
    # A row: number, site, five measures with one decimal, diameter, image.
    found = re.findall(r"^\s*(\d+)\s+\S.*?(?:\s+\d+\.\d){5}\s+\d+\s+\d+$", "\n".join(pages), re.MULTILINE)
    assert [int(number) for number in found] == list(range(1, 61))
    for page in pages:
        assert "SUVmax" in page
        assert "UNVERIFIED" in page
    for page in pages[1:]:
        assert "Wolfeschlegelsteinhausen" in page
        assert "2024-06-11" in page


def test_partial_field_of_view_is_the_title(tmp_path: Path) -> None:
    text = words_of(render_pdf(made(3, partial=True), OWN), tmp_path)
    assert "Limited field of view, not whole-body TMTV" in text
    assert "Metabolic volume in this field of view" in text
    assert text.count("TMTV") == 1
    assert "SDmax not computed" in text


def test_virtual_patient_is_said_on_top(tmp_path: Path) -> None:
    text = words_of(render_pdf(made(1, virtual=True), OWN), tmp_path)
    assert text.index("VIRTUAL PATIENT") < text.index("Specimen")


def test_no_lesion_is_said_and_no_table_is_drawn(tmp_path: Path) -> None:
    assert "1 avid region not taken for lesions, listed below." in words_of(render_pdf(made(0), OWN), tmp_path)
    text = words_of(render_pdf(with_findings(made(0), rejected_candidates=()), OWN), tmp_path)
    assert "No FDG-avid lesion" in text
    assert "Nothing in this scan met the rule: SUV ≥ 4.0, components of at least 3 mL" in text
    assert "TMTV 0 mL" in text
    assert "SUVpeak" not in text


def test_lesions_to_be_confirmed_are_told_apart(tmp_path: Path) -> None:
    inputs = made(3)
    first, *others = inputs.findings.lesions
    totals = replace(inputs.findings.totals, tmtv_range_ml=(38.0, 57.0))
    inputs = with_findings(inputs, lesions=(replace(first, status="to_confirm"), *others), totals=totals)
    text = words_of(render_pdf(inputs, OWN), tmp_path)
    assert "1 of 3 lesions to be confirmed" in text
    assert "38.0 mL accepted, 57.0 mL with lesions to be confirmed" in text
    assert "Hollow square" in text


def test_a_contour_by_a_person_needs_no_warning_of_physiological_uptake(tmp_path: Path) -> None:
    inputs = made(2)
    used = replace(inputs.findings.segmentation, reference_sop_instance_uid="2.25.77")
    text = words_of(render_pdf(with_findings(inputs, segmentation=used), OWN), tmp_path)
    assert "Physiological uptake not removed" not in text
    assert "Reference contour 2.25.77" in text


def test_long_lists_of_reasons_flow_over_sheets(tmp_path: Path) -> None:
    inputs = made(2)
    reason = "a reason that is so long that it has to be broken over several lines of the sheet, " * 3
    missing = tuple(NotComputed(f"item_{n}", "NO_BUNDLE", f"{n}: {reason}") for n in range(40))
    flags = tuple(Flag("SOME_FLAG", f"{n}: {reason}") for n in range(12))
    bundles = (BundleUsed("lamp", "1.2.0", "ab" * 32),)
    findings = inputs.findings
    inputs = with_findings(
        inputs,
        not_computed=missing,
        quality=replace(findings.quality, flags=flags),
        provenance=replace(findings.provenance, bundles=bundles),
    )
    pdf = render_pdf(inputs, OWN)
    text = words_of(pdf, tmp_path)
    assert all(f"item {n}" in text for n in range(40))
    assert f"lamp 1.2.0, SHA-256 {'ab' * 32}" in text
    assert all(bottom <= A4_POINTS[1] - 12 for page in boxes(pdf, tmp_path) for *_, bottom, _ in page)


@pytest.mark.parametrize(
    "name", ["Müller^Jörg", "Παπαδόπουλος^Γεώργιος", "Достоевский^Фёдор", "Wang^XiaoDong=王^小东", "Kim=김^희중"]
)
def test_names_of_every_script_can_be_read_back(name: str, tmp_path: Path) -> None:
    text = words_of(render_pdf(made(0, PatientName=name), OWN), tmp_path)
    for part in re.split(r"[\^=]", name):
        assert part in text
    assert "U+" not in text
