"""What the haematologist reads: what is printed at which level of evidence, what is open, and that all of it fits."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from nodal.clinical.record import ClinicalRecord
from nodal.findings import NotComputed
from nodal.report.marks import WATERMARK
from nodal.report.pdf import render_pdf
from nodal.report.pdf_groups import group_title

from tests.unit.report.judged import judged, nomogram_finding
from tests.unit.report.paper import letters
from tests.unit.report.reports import CASES, TARGET, drawn, joined, made, pages_of, text_of
from tests.unit.report.sample import with_findings

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("ignore:The PN component length")]


@pytest.mark.parametrize("name", ["complete", "three unknown", "E0 withheld", "E0 shown", "virtual", "long name"])
def test_the_summary_is_one_sheet(name: str) -> None:
    """Indices, models and what is open all stand on the first sheet, the nomogram on the second."""
    first, second, *_ = pages_of(name)
    for part in ("TMTV", "Published indices", "Prognosis models", "Suggestion"):
        assert part in first
    assert "Suggestion" not in second
    assert "MTDLR nomogram" in second
    assert "Total points" in second


def test_the_order_of_the_sheets() -> None:
    text = text_of("complete")
    order = ("Published indices", "MTDLR nomogram", "Lesion Site", "Prognosis models: evidence", "Scan quality Uptake",
             "Clinical record Field", "Not computed, and why", "Series of the study", "Provenance Node")  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_indices_with_points_group_and_published_survival_with_its_source() -> None:
    first = pages_of("complete")[0]
    assert "IPI 3 3 of 5 High-intermediate 5-year OS 67 %, PFS 58 % [1]" in first
    assert "NCCN-IPI 5 5 of 8 High-intermediate 5-year OS 63 %, PFS 54 % [1]" in first
    assert "2-year CNS relapse 3.4 % [2]" in first
    assert "[1] Ruppert, Blood 2020;135:2041" in first
    assert "Linear predictor only: its baseline survival is not published" in first


def test_missing_factors_open_a_range_and_are_asked_for() -> None:
    first = pages_of("three unknown")[0]
    assert re.search(r"IPI 1 2 3 4 1 to 4 of 5 Low, low-intermediate, high-intermediate or high", first)
    assert "Not known LDH, ECOG performance status and Ann Arbor stage; this leaves open: IPI, R-IPI, NCCN-IPI" in first
    assert "5-year OS" not in first
    assert "Group open" in first


def test_a_missing_score_is_called_as_its_axis() -> None:
    inputs = judged(made(2))
    drawn = nomogram_finding("pfs", ("score:auto_radio",))
    pages = [joined(p) for p in letters(render_pdf(with_findings(inputs, nomograms={"mtdlr": {"pfs": drawn}}), TARGET))]
    assert "Not known AutoRadio; this leaves open: MTDLR nomogram." in pages[0]


def test_a_disagreement_a_suggestion_and_a_conflict_stand_on_the_first_sheet() -> None:
    first = pages_of("many conflicts")[0]
    assert "LAMP puts this patient into the low-risk group for PFS, DeepMTS into the high-risk group." in first
    assert "Suggested Ann Arbor stage, to be confirmed: IV." in first
    assert "Ann Arbor stage: III (FHIR server, 2024-06-05) used; IV (file with the study, 2024-05-10)" in first
    assert "10 more conflicts: see Clinical record" in first
    assert "5 statements that could not be used" in first
    assert "a doubt about the scan" in first
    assert "4 more: see Scan quality" in first


def test_the_record_has_value_unit_source_and_date_and_every_conflict() -> None:
    text = text_of("many conflicts")
    assert "LDH 1.84 times the upper limit of normal HL7 message 2024-06-09 442 U/L, upper limit 240 U/L" in text
    assert "bone marrow, bone, cns, liver, stomach, bowel, lung" in text
    assert len(re.findall(r"Conflict [A-Z]", text)) == 12 + 2
    assert len(re.findall(r"Not usable LDH", text)) == 5


def test_what_is_not_known_stands_in_the_record_too() -> None:
    text = text_of("three unknown")
    assert text.count("not known –") == 3


def withheld_words() -> list[str]:
    """Every figure and word that the evidence level holds back, as the report would print it."""
    findings = judged(made(8), "E0").findings
    found: list[str] = []
    for system in findings.systems.values():
        for one in system.endpoint.values():
            for survival in one.survival:
                assert survival.probability is not None
                found.append(f"{100 * survival.probability:.0f} %")
                found.append(f"{100 * survival.ci[0]:.0f}–{100 * survival.ci[1]:.0f} %")
            found += [f"{group.capitalize()} risk" for group in one.groups]
    found += ["0.2718", "At risk", "This patient", "low-risk group"]
    found += [f"{nomogram.total_points:.0f} points" for nomogram in findings.nomograms["mtdlr"].values()]
    return found


def test_nothing_withheld_is_anywhere_in_the_text() -> None:
    held, shown = text_of("E0 withheld"), text_of("E0 shown")
    # Published rates and the chance that a rejected region is a lesion are percentages too.
    published = set(re.findall(r"(?:OS|PFS|relapse) [\d.]+ %", held))
    rest = held
    for rate in published:
        rest = rest.replace(rate, "")
    for word in withheld_words():
        assert word in shown, word
        assert word not in rest, word


def test_a_withheld_system_gives_score_rank_and_attention() -> None:
    text = text_of("E0 withheld")
    assert "Score 0.42 Percentile 83 among virtual patients" in text
    assert "No clinical baseline" in text
    assert "LAMP weight, %" in text
    assert "LAMP: simulation-trained, not for clinical use" in text
    assert "not shown at this evidence level" in text


def test_a_disagreement_that_names_a_withheld_system_is_not_printed() -> None:
    inputs = judged(
        made(2), "E0", withheld=True, disagreements=("DeepMTS puts this patient into the high-risk group.",)
    )
    text = " ".join(joined(page) for page in letters(render_pdf(inputs, TARGET)))
    assert "puts this patient" not in text


@pytest.mark.parametrize("name", CASES)
def test_the_watermark_crosses_each_sheet_only_where_simulation_is_shown_of_a_person(name: str) -> None:
    for page in drawn(name):
        across = "".join(one.text for one in page if one.tilted)
        assert across == (WATERMARK.replace(" ", "") if name == "E0 shown" else "")


@pytest.mark.parametrize("name", ["E0 withheld", "E0 shown", "virtual"])
def test_simulation_trained_stands_beside_every_figure_of_such_a_system(name: str) -> None:
    first, *others = pages_of(name)
    assert first.count("Simulation-trained, not for clinical use") == 2
    for page in others:
        if any(part in page for part in ("MTDLR nomogram", "weight, %", "evidence and limits")):
            assert "imulation-trained, not for clinical use" in page


def test_the_setting_is_said_on_the_first_sheet() -> None:
    assert "shown by setting" in pages_of("E0 shown")[0]
    assert "shown by setting" not in text_of("virtual")


def test_a_virtual_patient_is_said_on_every_sheet_and_everything_is_printed() -> None:
    pages = pages_of("virtual")
    assert all("irtual patient: simulated images" in page for page in pages)
    assert "VIRTUAL PATIENT" in pages[0]
    assert "High risk 65 % at 3 years" in pages[0]


@pytest.mark.parametrize(("name", "level", "cohorts"), [
    ("complete", "E1: trained on the site's cohort, internally validated", "St Elsewhere 2012-2020"),
    ("E2", "E2: trained on the site's cohort, internally and externally validated", "St Elsewhere 2012-2020, North"),
])  # fmt: skip
def test_evidence_names_level_cohorts_events_and_concordance(name: str, level: str, cohorts: str) -> None:
    text = text_of(name)
    assert level in text
    assert f"patients: {cohorts}, n = 258, 93 events" in text
    assert "C-index PFS 0.74 (0.69–0.79), OS 0.76 (0.69–0.82)" in text
    assert "model uncertainty, not outcome" in pages_of(name)[0]
    assert "(OUT_OF_DISTRIBUTION)" in text


def test_every_figure_of_every_system_is_in_the_table() -> None:
    text = text_of("complete")
    assert "DeepMTS PFS 0.42 83 High 85 % (76–90 %) 65 % (48–77 %) 54 % (35–69 %)" in text
    assert "LAMP PFS −0.11 58 Low" in text


def test_groups_say_who_they_are() -> None:
    text = text_of("complete")
    assert "Kaplan-Meier curves of patients of St Elsewhere 2012-2020" in text
    assert "Low risk 171, 31 events; High risk 87, 62 events" in text
    assert re.search(r"At risk Low risk 171 139", text)


def test_a_study_without_record_or_systems_has_neither_section() -> None:
    text = text_of("no prognosis")
    assert "Published indices" not in text
    assert "Prognosis models" not in text
    assert "Age 66 years image header" in text


@pytest.mark.parametrize(("code", "told"), [("NO_ANATOMY", True), ("FOV_PARTIAL", True), ("NO_BUNDLE", False)])
def test_the_first_sheet_says_why_no_model_judged_the_scan(code: str, told: bool) -> None:
    inputs = judged(made(8))
    missing = (NotComputed("systems.site", code, "the volume holds physiological uptake"),)
    alone = with_findings(inputs, systems={}, nomograms={}, disagreements=(), not_computed=missing)
    first = joined([one for one in letters(render_pdf(alone, TARGET))[0] if not one.tilted])
    assert ("Not computed: the volume holds physiological uptake." in first) is told


def test_the_first_sheet_says_that_there_is_no_model_of_an_endpoint() -> None:
    inputs = judged(made(2))
    system = inputs.findings.systems["lamp"]
    for endpoints, told in ((("pfs", "os"), 0), (("pfs",), 1), (("os",), 1)):
        kept = replace(system, endpoint=dict.fromkeys(endpoints, system.endpoint["pfs"]))
        first = joined(letters(render_pdf(with_findings(inputs, systems={"lamp": kept}, nomograms={}), TARGET))[0])
        assert first.count("No model of this endpoint") == told


def test_a_system_without_a_model_of_survival_gives_its_score() -> None:
    inputs = judged(made(2))
    bare = replace(inputs.findings.systems["lamp"], endpoint={}, scores={"p_event_24m": 0.2718, "arm": 1.5})
    for level, expected in (("E1", "P event 24m 0.2718, arm 1.5"), ("E0", "Arm 1.5")):
        changed = with_findings(inputs, systems={"lamp": replace(bare, evidence=level)}, nomograms={})
        pages = [joined(page) for page in letters(render_pdf(changed, TARGET))]
        assert expected in pages[0]
        assert any("0.2718" in page for page in pages) is (level == "E1")


def test_attention_of_two_systems_has_a_column_each() -> None:
    inputs = judged(made(8))
    lesions = tuple(replace(one, attention={"lamp": 0.25, "multitask_unet": 0.625}) for one in inputs.findings.lesions)
    text = " ".join(joined(page) for page in letters(render_pdf(with_findings(inputs, lesions=lesions), TARGET)))
    assert "LAMP weight, % Multi-task U-Net weight, %" in text
    assert len(re.findall(r"\d+ 25\.0 62\.5", text)) == 8


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("high", "High risk"),
        ("low-intermediate", "Low-intermediate risk"),
        ("DFR low, NCCN-IPI 4 and more", "DFR low, NCCN-IPI 4 and more"),
    ],
)
def test_names_of_groups(name: str, title: str) -> None:
    assert group_title(name) == title


def test_four_groups_of_two_scores_are_drawn_with_their_own_names() -> None:
    inputs = judged(made(2))
    drawn = inputs.findings.nomograms["mtdlr"]["pfs"]
    names = ("DFR low, NCCN low", "DFR low, NCCN high", "DFR high, NCCN low", "DFR high, NCCN high")
    curves = tuple(replace(drawn.group_curves[n % 2], name=name) for n, name in enumerate(names))
    changed = replace(drawn, group="DFR high, NCCN low", group_curves=curves)
    pages = [
        joined(page)
        for page in letters(render_pdf(with_findings(inputs, nomograms={"dfr_combined": {"pfs": changed}}), TARGET))
    ]
    assert all(name in pages[1] for name in names)
    assert "This patient: DFR high, NCCN low." in pages[1]


def test_an_empty_record_is_shown_as_unknown() -> None:
    inputs = with_findings(made(1), clinical=ClinicalRecord())
    text = " ".join(joined(page) for page in letters(render_pdf(inputs, TARGET)))
    assert text.count("not known –") == 9
