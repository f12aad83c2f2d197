"""What a header says of the patient, and what of it cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest
from nodal.clinical.combine import record_of
from nodal.dicom.patient import patient_key, statements_of_header
from pydicom import Dataset

pytestmark = pytest.mark.unit


def header(**attributes: Any) -> Dataset:
    dataset = Dataset()
    known = {"StudyDate": "20260110", "StudyTime": "081530.25", "PatientID": "7", "IssuerOfPatientID": "HOSP"}
    for keyword, value in {**known, **attributes}.items():
        setattr(dataset, keyword, value)
    return dataset


def values(**attributes: Any) -> dict[str, Any]:
    return {one.field: one.value for one in statements_of_header(header(**attributes)).statements}


def test_everything_a_header_can_say() -> None:
    told = statements_of_header(
        header(PatientAge="061Y", PatientBirthDate="19640301", PatientSex="F", PatientSize="1.65", PatientWeight="62.5")
    )
    assert {one.field: one.value for one in told.statements} == {
        "age_years": 61.0, "birth_date": "19640301", "sex": "F", "height_m": 1.65, "weight_kg": 62.5,
    }  # fmt: skip
    assert {(one.source, one.entered_at, one.by) for one in told.statements} == {("dicom", "20260110081530", None)}
    assert {one.field: one.effective for one in told.statements if one.effective} == dict.fromkeys(
        ("age_years", "height_m", "weight_kg"), "20260110"
    )
    assert (told.patient_key, told.unusable) == ("HOSP~7", ())


def test_an_empty_header_says_nothing() -> None:
    told = statements_of_header(header(PatientAge="", PatientBirthDate="", PatientSex="", PatientWeight=None))
    assert (told.statements, told.unusable) == ((), ())
    assert statements_of_header(Dataset()).statements == ()
    assert patient_key(Dataset()) == "~"


@pytest.mark.parametrize(
    ("age", "years"), [("061Y", 61.0), ("018M", 1.5), ("026W", 26 * 7 / 365.25), ("100D", 100 / 365.25), ("000Y", 0.0)]
)
def test_ages_in_every_unit(age: str, years: float) -> None:
    assert values(PatientAge=age) == {"age_years": pytest.approx(years)}


def test_zero_is_how_worklists_say_unknown() -> None:
    told = statements_of_header(header(PatientSize="0", PatientWeight="0.0"))
    assert (told.statements, told.unusable) == ((), ())


@pytest.mark.parametrize(
    ("keyword", "value", "field"),
    [
        ("PatientSize", "172", "height_m"),
        ("PatientSize", "0.1", "height_m"),
        ("PatientWeight", "70000", "weight_kg"),
        ("PatientWeight", "-5", "weight_kg"),
        ("PatientAge", "200Y", "age_years"),
        ("PatientAge", "61Y", "age_years"),
        ("PatientSex", "O", "sex"),
        ("PatientBirthDate", "19641301", "birth_date"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_what_cannot_be_meant_is_said(keyword: str, value: str, field: str) -> None:
    told = statements_of_header(header(**{keyword: value}))
    assert told.statements == ()
    (note,) = told.unusable
    assert (note.field, note.source, note.said, note.entered_at) == (field, "dicom", value, "20260110081530")


def test_centimetres_are_named() -> None:
    (note,) = statements_of_header(header(PatientSize="172")).unusable
    assert "centimetres" in note.reason


def test_a_header_of_another_scan_shows_in_the_record() -> None:
    told = statements_of_header(header(PatientBirthDate="19640301", PatientAge="052Y"))
    record = record_of(told.statements, told.unusable, study_date="20260110")
    assert (record.age_years, record.sources) == (61.0, {"age_years": "dicom"})
    assert record.conflicts[0].others[0].value == 52.0
    assert record.entered_at is None


@pytest.mark.parametrize(
    ("day", "clock", "instant"),
    [("20260110", "0815", "20260110081500"), ("20260110", "", "20260110000000"), ("", "0815", "19000101081500")],
)
def test_the_instant_is_the_studys_own(day: str, clock: str, instant: str) -> None:
    (one,) = statements_of_header(header(StudyDate=day, StudyTime=clock, PatientSex="M")).statements
    assert one.entered_at == instant
