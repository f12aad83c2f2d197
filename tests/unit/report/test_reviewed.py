"""A judged contour in every object: statuses, probabilities, rejected candidates, attention and its organs."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
import pytest
from nodal.findings import Findings, from_json, to_json
from nodal.report.canonical import canonical_findings, findings_digest
from nodal.report.colours import weight_colour
from nodal.report.inputs import ReportInputs, Target
from nodal.report.lesion_words import ATTENTION_MEANING, percent_of
from nodal.report.marks import marks
from nodal.report.pdf import render_pdf
from nodal.report.release import release
from nodal.report.seg import build_seg
from nodal.report.sr import build_sr
from nodal.report.summary import summary_image, summary_pdf
from nodal.settings import Profile
from pydicom import Dataset, dcmread
from skimage.color import rgb2lab

from tests.unit.report.judged import judged
from tests.unit.report.paper import letters, shapes
from tests.unit.report.reports import TARGET, joined, made, pages_of, text_of
from tests.unit.report.reviewed import out_of_range, reviewed
from tests.unit.report.sample import with_findings
from tests.unit.report.test_sr import children, groups, numbers, statements
from tests.unit.report.test_validators import both, errors, run

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("ignore:The PN component length")]

QUALITATIVE, REJECTED = "C0034375", "REJECTED"


@cache
def eight() -> ReportInputs:
    return reviewed(judged(made(8)))


@cache
def objects(level: str = "E0") -> tuple[Dataset, Dataset]:
    """SEG and SR."""
    inputs = eight() if level == "E0" else reviewed(judged(made(8)), evidence="E1")
    seg = build_seg(inputs, TARGET)
    assert seg is not None
    sr = build_sr(inputs, TARGET, seg)
    assert sr is not None
    return dcmread(io.BytesIO(seg.data)), dcmread(io.BytesIO(sr.data))


def described(level: str = "E0") -> list[str]:
    return [str(segment.SegmentDescription) for segment in objects(level)[0].SegmentSequence]


class TestFindings:
    def test_they_come_back_from_their_file(self, tmp_path: Path) -> None:
        path = tmp_path / "findings.json"
        path.write_text(to_json(eight().findings))
        assert from_json(path) == eight().findings
        assert canonical_findings(canonical_findings(eight().findings)) == canonical_findings(eight().findings)

    def test_older_findings_are_still_read(self, tmp_path: Path) -> None:
        known = json.loads(to_json(made(2).findings))
        for lesion in known["lesions"]:
            del lesion["context"], lesion["decided_by"]
        for candidate in known["rejected_candidates"]:
            del candidate["number"], candidate["hottest_mm"], candidate["decided_by"]
        for name in ("words", "notes", "in_range", "in_range_features"):
            del known["segmentation"][name]
        path = tmp_path / "findings.json"
        path.write_text(json.dumps(known))
        assert from_json(path) == made(2).findings

    @pytest.mark.parametrize("change", ["status", "p_lesion", "context", "decided_by", "candidate", "words", "range"])
    def test_each_of_them_counts_in_the_digest(self, change: str) -> None:
        findings = eight().findings
        first, *others = findings.lesions
        lesion: dict[str, object] = {
            "status": "to_confirm", "p_lesion": 0.71, "context": {"lamp": (("liver", 0.5),)}, "decided_by": None
        }  # fmt: skip
        changed: dict[str, Findings] = {
            name: replace(findings, lesions=(replace(first, **{name: value}), *others))  # type: ignore[arg-type]
            for name, value in lesion.items()
        }
        one, *rest = findings.rejected_candidates
        changed["candidate"] = replace(findings, rejected_candidates=(replace(one, number=9), *rest))
        made_by = findings.segmentation
        changed["words"] = replace(findings, segmentation=replace(made_by, words=None))
        changed["range"] = replace(findings, segmentation=replace(made_by, in_range="unusual"))
        assert findings_digest(changed[change]) != findings_digest(findings)

    def test_organs_go_with_the_system_that_named_them(self) -> None:
        findings = reviewed(judged(made(3), "E0")).findings
        kept, gone = release(findings, "simulation_trained"), release(findings, "measurements")
        assert any(lesion.context for lesion in kept.lesions)
        assert not any(lesion.context or lesion.attention for lesion in gone.lesions)
        assert gone.rejected_candidates == findings.rejected_candidates
        assert [lesion.p_lesion for lesion in gone.lesions] == [lesion.p_lesion for lesion in findings.lesions]


class TestSegmentation:
    def test_lesions_to_be_confirmed_say_so_where_a_viewer_lists_them(self) -> None:
        labels = [str(segment.SegmentLabel) for segment in objects()[0].SegmentSequence]
        assert [label.endswith(", to be confirmed") for label in labels] == [False] * 6 + [True] * 2

    def test_the_description_has_status_probability_and_the_level_of_the_judge(self) -> None:
        first, second, *_, last = described()
        assert first.startswith("FDG-avid lesion, accepted by a person, probability of a lesion > 99 %;")
        assert second.startswith("FDG-avid lesion, accepted, probability of a lesion 95 %;")
        assert last.startswith("FDG-avid lesion, to be confirmed, probability of a lesion 50 %;")
        assert all("level E0: trained on virtual patients" in text for text in described())
        assert all("Simulation-trained, not for clinical use" in text for text in described())
        assert all("level E1: trained on the site's cohort" in text for text in described("E1"))
        assert not any("imulation" in text for text in described("E1"))

    def test_only_accepted_lesions_are_called_neoplasm(self) -> None:
        kinds = [segment.SegmentedPropertyTypeCodeSequence[0].CodeValue for segment in objects()[0].SegmentSequence]
        assert kinds == ["108369006"] * 6 + ["52988006"] * 2


class TestStructuredReport:
    def test_each_lesion_has_its_status_and_who_decided(self) -> None:
        found = groups(objects()[1])
        measured = [group for group in found if numbers(group).get(("PLESION", None)) is not None]
        status = [children(group, "STATUS")[0].ConceptCodeSequence[0].CodeValue for group in measured]
        assert status == ["ACCEPTED"] * 6 + ["TOCONFIRM"] * 2
        decided = [
            [item.ConceptCodeSequence[0].CodeValue for item in children(group, "DECIDEDBY")] for group in measured
        ]
        assert decided == [["PERSON"], *[[]] * 7]

    def test_a_simulation_trained_judge_qualifies_each_probability(self) -> None:
        for level, expected in (("E0", ["SIMTRAINED"]), ("E1", [])):
            report = objects(level)[1]
            every = [item for group in groups(report) for item in children(group, "PLESION")]
            every += [child for item in rejected_items(report) for child in children(item, "PLESION")]
            assert len(every) == 8 + 5
            for item in every:
                limits = [limit.ConceptCodeSequence[0].CodeValue for limit in children(item, "LIMITS")]
                assert limits == expected

    def test_the_patient_is_marked_at_an_accepted_lesion_where_there_is_one(self) -> None:
        inputs = eight()
        hottest = max((one for one in inputs.findings.lesions if one.status == "accepted"), key=lambda one: one.suv_max)
        assert any(one.suv_max > hottest.suv_max for one in inputs.findings.lesions)
        k, j, i = (round(float(index)) for index in inputs.suv.index_kji(hottest.hottest_mm))
        whole, place = groups(objects()[1])[:2]
        (region,) = children(place, "111030")
        assert list(region.GraphicData) == [i + 0.5, j + 0.5]
        referenced = region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        assert referenced == inputs.pet_headers[k].SOPInstanceUID
        assert finding(whole) == finding(place) == "1163043007"

    def test_nothing_is_called_lymphoma_while_all_is_open(self) -> None:
        result = build_sr(reviewed(judged(made(2)), unconfirmed=2), TARGET, None)
        assert result is not None
        whole, place = groups(dcmread(io.BytesIO(result.data)))[:2]
        assert finding(whole) == finding(place) == "52988006"
        label = children(place, "121106")[0].TextValue
        assert label.startswith("Whole patient: no accepted lesion, ")
        assert "2 of 2 lesions to be confirmed" in label

    def test_rejected_candidates_are_listed_with_their_numbers(self) -> None:
        items = rejected_items(objects()[1])
        assert items[1].TextValue == "200.0 mL, SUVmax 17.6 in liver, probability of a lesion 6 %"
        assert items[-1].TextValue.endswith("probability of a lesion 23 %, left out by a person")
        for item, candidate in zip(items, eight().findings.rejected_candidates, strict=True):
            told = {child.ConceptNameCodeSequence[0].CodeValue: child for child in item.ContentSequence}
            values = {name: float(child.MeasuredValueSequence[0].NumericValue) for name, child in told.items()}
            expected = (candidate.number, candidate.volume_ml, candidate.suv_max, candidate.p_lesion)
            assert tuple(values[name] for name in ("REJECTEDNUMBER", "126032", "126401", "PLESION")) == pytest.approx(
                expected, rel=1e-5
            )

    def test_attention_has_its_organs_and_what_it_means(self) -> None:
        report = objects()[1]
        weighed = [item for group in groups(report) for item in children(group, "ATT")]
        assert len(weighed) == 6
        assert children(weighed[0], "CONTEXTORGANS")[0].TextValue == "spleen 41 %, liver 21 %, small bowel 10 %"
        assert statements(report)["ATTENTIONNOTE"] == [ATTENTION_MEANING]
        assert "causation" in ATTENTION_MEANING

    def test_without_attention_nothing_is_said_of_it(self) -> None:
        result = build_sr(reviewed(made(2), attending=False), TARGET, None)
        assert result is not None
        assert "ATTENTIONNOTE" not in statements(dcmread(io.BytesIO(result.data)))

    def test_a_scan_out_of_range_says_what_failed(self) -> None:
        result = build_sr(out_of_range(made(1)), TARGET, None)
        assert result is not None
        said = statements(dcmread(io.BytesIO(result.data)))
        assert said["SCANRANGE"][0].endswith("learned from: liver SUV mean, voxel volume ml, body volume l")
        assert said["PHYSUPTAKE"] == ["Physiological uptake not removed"]


def finding(group: Dataset) -> str:
    """Code value of a group's finding."""
    return str(children(group, "121071")[0].ConceptCodeSequence[0].CodeValue)


def rejected_items(report: Dataset) -> list[Dataset]:
    (qualitative,) = children(report, QUALITATIVE)
    return children(qualitative, REJECTED)


def dashes(pdf: bytes) -> int:
    """Dashed lines of the first page."""
    page = pdfium.PdfDocument(pdf)[0]
    return sum(raw.FPDFPageObj_GetDashCount(item) > 0 for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH]))


class TestJudges:
    """dciodvfy, dsrdump and dcmqi."""

    @pytest.mark.parametrize(
        "case", ["reviewed", "nothing accepted", "sixty", "comprehensive", "out of range", "level E1", "summary"]
    )
    def test_dciodvfy_finds_no_error(self, case: str, tmp_path: Path) -> None:
        plain = Target(Profile(sr="comprehensive", seg="none"), "simulation_trained")
        inputs, target = {
            "reviewed": (eight(), TARGET),
            "nothing accepted": (reviewed(judged(made(2)), unconfirmed=2), TARGET),
            "sixty": (reviewed(judged(made(60)), unconfirmed=9, rejected=40), TARGET),
            "comprehensive": (eight(), plain),
            "out of range": (out_of_range(made(3)), TARGET),
            "level E1": (reviewed(judged(made(3)), evidence="E1"), TARGET),
            "summary": (eight(), TARGET),
        }[case]
        paths = both(inputs, tmp_path, target)
        if case == "summary":
            paths = [tmp_path / "summary.dcm"]
            paths[0].write_bytes(summary_image(inputs, target).data)
        for path in paths:
            assert errors(path) == set(), path.name

    def test_dcmqi_reads_probabilities_attention_and_the_range(self, tmp_path: Path) -> None:
        inputs, out = eight(), tmp_path / "sr.json"
        done = run("tid1500reader", "--inputDICOM", both(inputs, tmp_path, TARGET)[-1], "--outputMetadata", out)
        assert done.returncode == 0, done.stderr
        read = json.loads(out.read_text())["Measurements"]
        lesions = [group for group in read if "ReferencedSegment" in group and group.get("measurementItems")]
        for group, lesion in zip(lesions, inputs.findings.lesions, strict=True):
            told = {item["quantity"]["CodeValue"]: float(item["value"]) for item in group["measurementItems"]}
            assert told["PLESION"] == pytest.approx(lesion.p_lesion, rel=1e-5)
            assert told.get("ATT") == (pytest.approx(lesion.attention["lamp"], rel=1e-5) if lesion.attention else None)
        totals = {
            (item["quantity"]["CodeValue"], item.get("derivationModifier", {}).get("CodeValue")): float(item["value"])
            for group in read
            if group["TrackingIdentifier"] == "Whole patient"
            for item in group.get("measurementItems", ())
        }
        low, high = inputs.findings.totals.tmtv_range_ml
        assert low < high
        assert totals["TMTVLOW", None] == pytest.approx(low, rel=1e-5)
        assert totals["TMTVHIGH", None] == pytest.approx(high, rel=1e-5)
        assert totals["126032", "255619001"] == pytest.approx(low, rel=1e-5)
        assert totals["246206008", None] == 6

    def test_dsr2html_shows_the_candidates_with_their_numbers(self, tmp_path: Path) -> None:
        page = run("dsr2html", both(eight(), tmp_path, TARGET)[-1]).stdout
        for words in (
            "Rejected candidate",
            "Probability of being a lesion",
            "Organs that the lesion was compared with",
        ):
            assert words in page, words


class TestReport:
    def test_the_first_sheet_has_the_range_and_what_waits(self) -> None:
        (first, *_) = pages_of("reviewed")
        low, high = eight().findings.totals.tmtv_range_ml
        assert f"{low:.0f} mL accepted, {high:.0f} mL with lesions to be confirmed" in first
        assert "Lesions 6, and 2 to be confirmed" in first
        assert "Lesions judged by a simulation-trained network, not for clinical use" in first
        assert "dashed: to be confirmed" in first

    def test_only_lesions_to_be_confirmed_are_dashed(self) -> None:
        for inputs, lesions in ((eight(), 2), (judged(made(8)), 0)):
            for pdf in (render_pdf(inputs, TARGET), summary_pdf(inputs)):
                assert dashes(pdf) == 2 * lesions  # coronal and sagittal

    def test_an_unusual_scan_is_said_and_still_judged(self) -> None:
        inputs = eight()
        used = replace(inputs.findings.segmentation, in_range="unusual", in_range_features=("liver_suv_mean",))
        said = marks(replace(inputs.findings, segmentation=used))
        assert "Scan unusual for the networks that judged the lesions (liver SUV mean)" in said
        assert not any("out of range" in mark for mark in marks(inputs.findings))

    def test_each_lesion_has_its_probability_and_status(self) -> None:
        text = text_of("reviewed")
        for row in ("54.8 person > 99 %", "25.0 95 %", "1.1 76 %", "– to confirm 31 %", "– to confirm 50 %"):
            assert row in text, row

    def test_what_was_not_taken_is_listed(self) -> None:
        text = text_of("reviewed")
        assert "Not taken for lesions" in text
        assert re.search(r"2 liver 200 17\.6 \d+ 6 %", text)
        assert re.search(r"5 vertebrae lumbar 80\.0 16\.4 \d+ 23 % left out by a person", text)

    @pytest.mark.paper("lamp-attention")
    def test_attention_is_listed_with_organs_and_what_it_means(self) -> None:
        text = text_of("reviewed")
        assert "Attention of LAMP" in text
        assert ATTENTION_MEANING in text
        assert "1 54.8 % spleen 41 %, liver 21 %, small bowel 10 %" in text

    def test_every_lesion_with_a_weight_is_listed_once(self) -> None:
        for name, count in (("reviewed, sixty lesions", 51), ("reviewed, long name", 40)):
            (page,) = (text for text in pages_of(name) if "Attention of LAMP" in text)
            _, _, listed = page.partition("weight")
            found = re.findall(r"(?<![\d.])(\d{1,2}) \d+\.\d %", listed)
            assert sorted(int(number) for number in found) == list(range(1, count + 1)), name

    @pytest.mark.paper("lamp-attention")
    def test_lesions_are_filled_by_their_weight(self) -> None:
        pdf = render_pdf(eight(), TARGET)
        (page,) = (n for n, text in enumerate(pages_of("reviewed")) if "Attention of LAMP" in text)
        drawn = {shape.colour for shape in shapes(pdf, page)}
        weights = {one.number: one.attention["lamp"] for one in eight().findings.lesions if one.attention}
        most = max(weights.values())
        for weight in weights.values():
            expected = np.array(weight_colour(weight / most))
            assert min(np.abs(expected - np.array(colour)).max() for colour in drawn) <= 1

    def test_a_study_where_all_is_open_is_not_called_free_of_lesions(self) -> None:
        (first, *_) = pages_of("reviewed, none accepted")
        assert "No accepted lesion" in first
        assert "No FDG-avid lesion" not in first
        assert "2 to be confirmed, together 38.0 mL; 5 avid regions not taken for lesions" in first
        summary = " ".join(joined(page) for page in letters(summary_pdf(reviewed(judged(made(2)), unconfirmed=2))))
        assert "No accepted lesion" in summary

    def test_a_scan_out_of_range_is_said_on_the_first_sheet(self) -> None:
        (first, *_) = pages_of("out of range")
        assert (
            "Scan out of range (liver SUV mean, voxel volume ml, body volume l): threshold only; physiological uptake "
            "not removed; no prognosis"
        ) in first
        assert first.count("hysiological uptake not removed") == 1

    def test_the_method_says_who_judged_and_that_readers_decided(self) -> None:
        text = text_of("reviewed")
        assert "Candidates judged by a network of level E0" in text
        assert "2 of the candidates as readers decided, last 2024-06-12 08:15:00" in text
        assert "ef" * 32 in text

    def test_notes_of_the_segmentation_are_printed(self) -> None:
        noted = replace(eight().findings.segmentation, notes=("the windows were made smaller: memory ran out",))
        pages = letters(render_pdf(with_findings(eight(), segmentation=noted), TARGET))
        assert "The windows were made smaller: memory ran out." in " ".join(joined(page) for page in pages)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0 %"), (0.004, "< 1 %"), (0.006, "1 %"), (0.5, "50 %"), (0.994, "99 %"), (0.996, "> 99 %"), (1.0, "100 %")],
)
def test_a_share_never_becomes_none_or_all_by_rounding(share: float, words: str) -> None:
    assert percent_of(share) == words


def test_the_scale_of_weights_darkens_evenly_and_is_never_grey() -> None:
    steps = np.array([weight_colour(share) for share in np.linspace(0, 1, 21)]) / 255
    lightness, *chroma = rgb2lab(steps[None])[0].T
    falls = -np.diff(lightness)
    # Even to half a step: 8-bit colours, and corners of the gamut that are pulled in.
    assert np.all(falls > 0.5 * falls.mean())
    assert np.hypot(*chroma).min() > 25
