"""One record of several sources: what is used, what is shown beside it, and what is not used and why."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from nodal.clinical.combine import ORDER, age_at, differ, record_of
from nodal.clinical.record import ClinicalRecord, Said, Source, Statement, Unusable, Value
from nodal.clinical.values import checked

pytestmark = pytest.mark.unit

SCAN = "20260110"


def stated(field: str, value: Value, source: Source, entered: str = "20260111", **more: str) -> Statement:
    return Statement(field, value, source, f"{entered}120000+0000", **more)


def of(*statements: Statement, unusable: tuple[Unusable, ...] = (), scan: str | None = SCAN) -> ClinicalRecord:
    return record_of(statements, unusable, study_date=scan)


class TestOneSource:
    def test_a_field_keeps_its_source_date_and_words(self) -> None:
        record = of(stated("ldh_ratio", 2, "fhir", effective="20260108", said="480 U/L, upper limit 240 U/L"))
        assert record.ldh_ratio == 2.0
        assert record.sources == {"ldh_ratio": "fhir"}
        assert record.dates == {"ldh_ratio": "20260108"}
        assert record.said == {"ldh_ratio": "480 U/L, upper limit 240 U/L"}
        assert (record.stage, record.ecog, record.conflicts, record.unusable) == (None, None, (), ())

    def test_a_correction_is_no_conflict(self) -> None:
        record = of(stated("stage", 2, "fhir", "20260111"), stated("stage", 4, "fhir", "20260112"))
        assert (record.stage, record.conflicts) == (4, ())

    def test_entries_are_compared_as_instants_across_zones(self) -> None:
        first = replace(stated("stage", 2, "api"), entered_at="20260111230000-0500")
        second = replace(stated("stage", 3, "api"), entered_at="20260112010000+0000")
        record = of(first, second)
        assert (record.stage, record.entered_at) == (2, "20260111230000-0500")

    def test_the_ldh_nearest_to_the_scan_counts_even_if_it_came_first(self) -> None:
        near = stated("ldh_ratio", 2.5, "hl7", "20260111", effective="20260109")
        later = stated("ldh_ratio", 0.9, "hl7", "20260220", effective="20260215")
        record = of(near, later)
        assert (record.ldh_ratio, record.dates["ldh_ratio"], record.conflicts) == (2.5, "20260109", ())

    def test_of_two_on_the_same_day_the_correction_counts(self) -> None:
        wrong = stated("ldh_ratio", 2.5, "hl7", "20260111", effective="20260109")
        right = stated("ldh_ratio", 1.5, "hl7", "20260114", effective="20260109")
        assert of(right, wrong).ldh_ratio == 1.5

    @pytest.mark.parametrize(
        ("effective", "used"), [("20251012", True), ("20251011", False), ("20260221", True), ("20260222", False)]
    )
    def test_what_treatment_changes_is_used_within_its_time_only(self, effective: str, used: bool) -> None:
        record = of(stated("stage", 4, "fhir", effective=effective), stated("cell_of_origin", "GCB", "fhir"))
        assert record.stage == (4 if used else None)
        assert [one.field for one in record.unusable] == ([] if used else ["stage"])

    def test_the_cell_of_origin_has_no_time(self) -> None:
        assert of(stated("cell_of_origin", "GCB", "fhir", effective="20200101")).cell_of_origin == "GCB"

    def test_an_old_value_beside_a_usable_one_is_no_note(self) -> None:
        old = stated("ldh_ratio", 5.0, "fhir", effective="20240101")
        new = stated("ldh_ratio", 1.0, "fhir", effective="20260109")
        record = of(old, new)
        assert (record.ldh_ratio, record.unusable) == (1.0, ())


class TestSeveralSources:
    def test_the_order_holds_and_every_other_value_is_shown(self) -> None:
        values = dict(zip(ORDER, (1, 2, 3, 4), strict=False))
        record = of(*(stated("stage", value, source) for source, value in values.items()))
        (conflict,) = record.conflicts
        assert (record.stage, record.sources["stage"]) == (1, "api")
        assert (conflict.field, conflict.used) == ("stage", Said(1, "api"))
        assert conflict.others == (Said(2, "file"), Said(3, "fhir"), Said(4, "hl7"))

    def test_who_agrees_is_not_listed(self) -> None:
        record = of(stated("ecog", 1, "api"), stated("ecog", 1, "hl7"), stated("ecog", 3, "fhir"))
        (conflict,) = record.conflicts
        assert conflict.others == (Said(3, "fhir"),)

    @pytest.mark.parametrize(
        ("field", "one", "same", "other"),
        [
            ("age_years", 60.0, 61.0, 61.5),
            ("weight_kg", 70.0, 71.0, 71.1),
            ("height_m", 1.70, 1.72, 1.73),
            ("ldh_ratio", 2.00, 2.02, 2.03),
            ("extranodal_sites", ("bone", "liver"), ("liver", "bone"), ("liver",)),
            ("bulky", True, True, False),
        ],
    )
    def test_rounding_is_no_conflict(self, field: str, one: Value, same: Value, other: Value) -> None:
        assert not of(stated(field, one, "api"), stated(field, same, "fhir")).conflicts
        assert len(of(stated(field, one, "api"), stated(field, other, "fhir")).conflicts) == 1
        assert differ(field, one, other)
        assert differ(field, other, one)

    def test_no_sites_is_a_word_too(self) -> None:
        record = of(stated("extranodal_sites", (), "api"), stated("extranodal_sites", ("liver",), "fhir"))
        assert record.extranodal_sites == ()
        assert record.conflicts[0].others == (Said(("liver",), "fhir"),)

    def test_headers_do_not_move_the_entry(self) -> None:
        record = of(stated("sex", "M", "dicom", "20270101"), stated("stage", 2, "api", "20260112"))
        assert record.entered_at == "20260112120000+0000"
        assert of(stated("sex", "M", "dicom")).entered_at is None

    def test_who_agrees_does_not_move_the_entry(self) -> None:
        record = of(stated("stage", 2, "api", "20260112"), stated("stage", 2, "hl7", "20260301"))
        assert record.entered_at == "20260112120000+0000"


class TestAge:
    @pytest.mark.parametrize(
        ("born", "scan", "years"),
        [
            ("19650110", "20260110", 61),
            ("19650111", "20260110", 60),
            ("19650109", "20260110", 61),
            ("20000229", "20250228", 24),
            ("20000229", "20250301", 25),
            ("20260110", "20260110", 0),
        ],
    )
    def test_completed_years_by_the_calendar(self, born: str, scan: str, years: int) -> None:
        assert age_at(born, scan) == years
        assert of(stated("birth_date", born, "fhir"), scan=scan).age_years == years

    def test_the_header_is_shown_where_it_is_off_by_more_than_a_year(self) -> None:
        born = stated("birth_date", "19600101", "dicom")
        assert not of(born, stated("age_years", 65.0, "dicom")).conflicts
        (conflict,) = of(born, stated("age_years", 64.0, "dicom")).conflicts
        assert (conflict.field, conflict.used.value, conflict.others) == ("age_years", 66.0, (Said(64.0, "dicom"),))

    def test_a_source_that_says_the_same_twice_is_listed_once(self) -> None:
        record = of(
            stated("age_years", 50.0, "api"),
            stated("birth_date", "19600101", "dicom"),
            stated("age_years", 66.0, "dicom"),
        )
        assert record.conflicts[0].others == (Said(66.0, "dicom"),)

    def test_without_a_scan_no_age_follows_and_that_is_said(self) -> None:
        record = of(stated("birth_date", "19600101", "fhir"), scan=None)
        assert record.age_years is None
        assert [one.field for one in record.unusable] == ["birth_date"]

    @pytest.mark.parametrize("born", ["20260111", "18600101"])
    def test_nobody_unborn_or_of_150_years(self, born: str) -> None:
        record = of(stated("birth_date", born, "fhir"), stated("age_years", 44, "hl7"))
        assert (record.age_years, record.sources["age_years"]) == (44.0, "hl7")
        assert [one.field for one in record.unusable] == ["birth_date"]


class TestTimepoint:
    def test_undated_it_is_that_of_every_scan(self) -> None:
        assert of(stated("timepoint", "baseline", "api")).timepoint == "baseline"

    def test_dated_it_is_that_of_the_scan_of_this_day(self) -> None:
        first = stated("timepoint", "baseline", "api", effective="20260110")
        second = stated("timepoint", "interim", "api", "20260401", effective="20260401")
        assert of(first, second).timepoint == "baseline"
        assert of(first, second, scan="20260401").timepoint == "interim"
        nothing = of(first, second, scan="20270101")
        assert (nothing.timepoint, nothing.unusable) == (None, ())

    def test_the_word_on_this_very_scan_goes_before_one_on_every_scan(self) -> None:
        dated = stated("timepoint", "interim", "api", "20260111", effective="20260110")
        general = stated("timepoint", "baseline", "api", "20260301")
        assert of(general, dated).timepoint == "interim"
        assert of(general, dated, scan="20260501").timepoint == "baseline"

    def test_sources_that_differ_are_shown(self) -> None:
        record = of(stated("timepoint", "baseline", "api"), stated("timepoint", "follow_up", "fhir"))
        assert record.conflicts[0].others == (Said("follow_up", "fhir"),)


class TestUnusable:
    NOTE = Unusable("ldh_ratio", "hl7", "20260111120000+0000", "480 U/L", "no upper limit of normal")

    def test_is_shown(self) -> None:
        assert of(unusable=(self.NOTE, self.NOTE)).unusable == (self.NOTE,)

    def test_beside_a_usable_word_of_the_same_message_it_is_shown_too(self) -> None:
        other = stated("ldh_ratio", 2.0, "hl7", "20260111", effective="20260109")
        record = of(other, unusable=(self.NOTE,))
        assert (record.ldh_ratio, record.unusable) == (2.0, (self.NOTE,))

    def test_a_later_usable_word_of_the_same_source_takes_its_place(self) -> None:
        better = stated("ldh_ratio", 2.0, "hl7", "20260112", effective="20260111")
        assert of(better, unusable=(self.NOTE,)).unusable == ()
        assert of(replace(better, source="fhir"), unusable=(self.NOTE,)).unusable == (self.NOTE,)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("stage", 5), ("stage", True), ("stage", 2.5), ("ecog", 5), ("ldh_ratio", 0.0), ("ldh_ratio", 480.0),
            ("age_years", 200.0), ("age_years", float("nan")), ("sex", "X"), ("weight_kg", 0.0), ("height_m", 172.0),
            ("extranodal_sites", ("spleen",)), ("extranodal_sites", "liver"), ("bulky", 1), ("cell_of_origin", "ABC"),
            ("timepoint", "later"), ("birth_date", "19601301"), ("ldh", 2.0),
        ],
    )  # fmt: skip
    def test_what_a_field_cannot_hold_is_no_value(self, field: str, value: Value) -> None:
        record = of(stated(field, value, "fhir"), stated("sex", "F", "hl7"))
        assert [(one.field, one.source) for one in record.unusable] == [(field, "fhir")]
        assert record.sources == {"sex": "hl7"}

    def test_extranodal_words_are_told(self) -> None:
        with pytest.raises(ValueError, match=r"adrenal, bone, bone_marrow.*thyroid"):
            checked("extranodal_sites", ("spleen",))


def test_the_order_of_statements_does_not_matter() -> None:
    """All orders of a few, and random orders of many drawn at random."""
    few = (
        stated("stage", 2, "fhir"), stated("stage", 3, "fhir"), stated("stage", 4, "api", "20260109"),
        stated("birth_date", "19600101", "dicom"), stated("age_years", 70.0, "hl7"),
    )  # fmt: skip
    assert len({repr(of(*order)) for order in itertools.permutations(few)}) == 1
    draw = random.Random(4)
    choices: dict[str, list[Value]] = {
        "stage": [1, 2, 3], "ldh_ratio": [0.9, 0.905, 2.0], "weight_kg": [70.0, 71.0, 72.0], "ecog": [0, 1, 9],
        "birth_date": ["19600101", "19700101"], "age_years": [66.0, 55.0], "timepoint": ["baseline", "interim"],
        "extranodal_sites": [("liver", "bone"), ("bone", "liver"), ()],
    }  # fmt: skip
    for _ in range(100):
        many = []
        for _ in range(20):
            field = draw.choice(list(choices))
            day = draw.choice([None, "20260101", "20260110", "20230101", "20260401"])
            entered = draw.choice(["20260111", "20260112"])
            one = stated(field, draw.choice(choices[field]), draw.choice(ORDER), entered)
            many.append(replace(one, effective=day))
        expected = of(*many)
        for _ in range(5):
            draw.shuffle(many)
            assert of(*many) == expected


def test_the_record_gives_nothing_that_nobody_said() -> None:
    assert of() == ClinicalRecord()
