"""The words that SR and PDF share: shares, points, sources, suggestions, systems."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.survival import index_tables
from nodal.clinical.record import FIELDS, Conflict, Said, Unusable
from nodal.outlook import ImpiFinding, IndexFinding, Indices, PublishedRate, Suggestion
from nodal.report import clinical_words as clinical
from nodal.report import index_words as words
from nodal.report import system_words as systems

from tests.conftest import ROOT
from tests.unit.report.judged import judged, record
from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit

TABLES = (index_tables.IPI, index_tables.AA_IPI, index_tables.R_IPI, index_tables.NCCN_IPI, index_tables.CNS_IPI)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.006, "0.6 %"),
        (0.034, "3.4 %"),
        (0.102, "10.2 %"),
        (0.12, "12 %"),
        (0.73, "73 %"),
        (1.0, "100 %"),
        (0, "0.0 %"),
    ],
)
def test_a_share_has_the_digits_it_was_published_with(share: float, text: str) -> None:
    assert words.percent(share) == text


def test_every_published_share_is_written_exactly() -> None:
    shares = [rate.share for table in TABLES for group in table.groups for rate in group.rates]
    assert len(shares) > 50
    for share in shares:
        assert float(words.percent(share).removesuffix(" %")) == pytest.approx(100 * share, abs=1e-9)


def test_every_published_endpoint_has_a_name() -> None:
    used = {rate.endpoint for table in TABLES for group in table.groups for rate in group.rates}
    assert used == set(words.ENDPOINTS) == set(words.ENDPOINTS_SHORT)


@pytest.mark.parametrize(
    ("months", "text"), [(12, "1-year"), (60.0, "5-year"), (18, "18-month"), (30.5, "30.5-month"), (24, "2-year")]
)
def test_horizons(months: float, text: str) -> None:
    assert words.horizon(months) == text
    assert words.endpoint_at("os", months) == f"{text} overall survival"
    assert words.endpoint_at("pfs", months, short=True) == f"{text} PFS"


def test_an_endpoint_without_a_time() -> None:
    assert words.endpoint_at("complete_remission", None) == "complete remission"
    assert words.endpoint_at("ttp", 24) == "2-year ttp"


def open_ipi(least: int, most: int) -> IndexFinding:
    return IndexFinding(
        "IPI", None, (least, most), 5, None, ("low-intermediate", "high-intermediate"), ("ldh_ratio", "stage"), ()
    )


def test_an_index_in_a_sentence() -> None:
    finding = judged(sample_inputs(1)).findings.indices
    assert finding.ipi is not None
    assert finding.r_ipi is not None
    assert words.index_sentence(finding.ipi) == "IPI 3 of 5 points, high-intermediate risk"
    assert words.index_sentence(finding.r_ipi) == "R-IPI 3 of 5 points, poor"
    assert words.index_sentence(open_ipi(2, 3)) == (
        "IPI 2 to 3 of 5 points, low-intermediate or high-intermediate risk; LDH and Ann Arbor stage not known"
    )


def test_a_reader_in_a_hurry_gets_the_survival_under_todays_treatment() -> None:
    finding = judged(sample_inputs(1)).findings.indices
    assert finding.ipi is not None
    assert finding.cns_ipi is not None
    assert finding.nccn_ipi is not None
    chosen = words.headline_rates(finding.ipi)
    assert [(rate.endpoint, rate.months, rate.share) for rate in chosen] == [("os", 60, 0.67), ("pfs", 60, 0.58)]
    assert all("Ruppert" in rate.source for rate in (*chosen, *words.headline_rates(finding.nccn_ipi)))
    [relapse] = words.headline_rates(finding.cns_ipi)
    assert (relapse.share, relapse.interval) == (0.034, (0.022, 0.044))


def test_the_last_of_equal_rates_does_not_replace_the_first() -> None:
    rates = tuple(PublishedRate("os", 60, share, None, "somewhere") for share in (0.5, 0.6))
    assert words.headline_rates(replace(open_ipi(1, 2), survival=rates)) == rates[:1]


def test_impi_never_comes_as_a_probability() -> None:
    known = words.impi_words(ImpiFinding(1.7304, (1.7304, 1.7304), ()))
    assert known == "IMPI linear predictor 1.73; its baseline survival is not published, so that no share follows"
    ranged = words.impi_words(ImpiFinding(None, (1.2, 1.9), ("stage",), (40.0, 70.0), "the site's cohort"))
    assert ranged.startswith("IMPI linear predictor 1.20 to 1.90, percentile 40 to 70 of the site's cohort; Ann Arbor")


def test_only_computed_indices_are_shown_in_the_order_of_the_fields() -> None:
    indices = Indices(cns_ipi=open_ipi(0, 1), ipi=open_ipi(1, 2))
    assert [field for field, _ in words.shown_indices(indices)] == ["ipi", "cns_ipi"]
    assert set(words.INDEX_TITLES) == set(vars(indices))


def test_every_field_of_the_record_has_a_name() -> None:
    assert set(FIELDS) <= set(clinical.FIELD_NAMES)
    assert clinical.field_name("some_thing") == "some thing"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("age_years", 66, "66 years"),
        ("stage", 4, "IV"),
        ("ldh_ratio", 1.84, "1.84 times the upper limit of normal"),
        ("ecog", 2, "2"),
        ("extranodal_sites", ("bone_marrow", "liver"), "bone marrow, liver"),
        ("extranodal_sites", (), "none"),
        ("bulky", False, "no"),
        ("sex", "F", "female"),
        ("cell_of_origin", "non-GCB", "non-GCB"),
        ("timepoint", "end_of_treatment", "end of treatment"),
        ("stage", ("IV",), "IV"),
    ],
)
def test_values_with_their_units(field: str, value: object, text: str) -> None:
    assert clinical.value_words(field, value) == text  # type: ignore[arg-type]


def test_every_value_of_a_record_can_be_said() -> None:
    known = record()
    for field in FIELDS:
        value = getattr(known, field)
        if value is not None:
            assert clinical.value_words(field, value)


def test_a_conflict_names_what_was_used_and_what_was_not() -> None:
    conflict = Conflict(
        "age_years", Said(66, "dicom"), (Said(56, "fhir", "20240530"), Said(65, "api", "20240601120000"))
    )
    assert clinical.conflict_words(conflict) == (
        "Age: 66 years (image header) used; 56 years (FHIR server, 2024-05-30), "
        "65 years (entered by hand, 2024-06-01) also given"
    )


def test_what_was_not_used_says_why() -> None:
    unusable = Unusable("ldh_ratio", "hl7", "20240609080000", "LDH 442 U/L", "no upper limit")
    assert clinical.unusable_words(unusable) == 'LDH: "LDH 442 U/L" (HL7 message) not used: no upper limit'


def test_a_suggestion_is_marked_and_ends_each_sentence_once() -> None:
    suggestion = Suggestion("extranodal_sites", ("liver",), "A lesion in the liver.", ("Is it contiguous?",))
    assert clinical.suggestion_words(suggestion) == (
        "Suggested extranodal sites, to be confirmed: liver. A lesion in the liver. Is it contiguous?"
    )


def test_every_system_has_a_title_and_every_level_a_sentence() -> None:
    assert set(SYSTEMS) <= set(systems.SYSTEM_TITLES)
    for level in ("E0", "E1", "E2"):
        system = judged(sample_inputs(1), level).findings.systems["lamp"]  # type: ignore[arg-type]
        assert (systems.SIMULATION_TRAINED in systems.evidence_sentence(system)) == (level == "E0")


def test_simulated_survival_on_a_real_study_is_noticed() -> None:
    shown = judged(sample_inputs(1), "E0").findings
    assert systems.shows_simulated(shown)
    assert systems.shows_simulated(replace(shown, systems=shown.systems, nomograms={}))
    bare = {name: replace(system, endpoint={}) for name, system in shown.systems.items()}
    assert systems.shows_simulated(replace(shown, systems=bare))
    assert not systems.shows_simulated(replace(shown, virtual=True))
    assert not systems.shows_simulated(judged(sample_inputs(1), "E1").findings)
    assert not systems.shows_simulated(judged(sample_inputs(1), "E0", withheld=True).findings)


def test_a_probability_with_its_interval_or_its_range() -> None:
    assert systems.probability_words(0.73, (0.73, 0.73), (0.61, 0.83)) == "73 % (61 to 83 %)"
    assert systems.probability_words(None, (0.61, 0.83), (0.5, 0.9)) == "between 61 and 83 %"


def _rows(page: str, heading: str) -> list[list[str]]:
    section = page.split(f"### {heading}\n", 1)[1].strip().split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_reference_lists_every_published_share_with_its_source(table: index_tables.IndexTable) -> None:
    page = (ROOT / "docs/reference/indices.md").read_text(encoding="utf-8")
    heads, _, *rows = _rows(page, table.name)
    notes = page.split(f"### {table.name}\n", 1)[1].split("\n###", 1)[0]
    assert len(rows) == len(table.groups)
    for row, group in zip(rows, table.groups, strict=True):
        points = f"{group.least}" if group.least == group.most else f"{group.least}-{group.most}"
        assert row[:2] == [group.name, points]
        for head, cell, rate in zip(heads[2:], row[2:], group.rates, strict=True):
            name, note = head.rsplit(" [", 1)
            assert name == words.endpoint_at(rate.endpoint, rate.months)
            assert f"[{note} {rate.source}" in notes
            interval = f" ({words.percent_range(*rate.interval)})" if rate.interval else ""
            assert cell == words.percent(rate.share) + interval
