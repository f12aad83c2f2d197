"""Names, dates and numbers as they are printed."""

from __future__ import annotations

import pytest
from nodal.report import pdf_words
from nodal.report.pdf_words import amount, date, han_style, instant, patient, person_name, rule
from pydicom import Dataset

from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Specimen^Ada", ("Specimen, Ada",)),
        # The examples of PS3.5, section 6.2.1.1 and annexes H and I.
        ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", ("Adams, John Robert Quincy, B.A. M.Div. (Rev.)",)),
        ("Morrison-Jones^Susan^^^Ph.D., Chief Executive Officer",
         ("Morrison-Jones, Susan, Ph.D., Chief Executive Officer",)),
        ("Doe^John", ("Doe, John",)),
        ("Smith^Fluffy", ("Smith, Fluffy",)),
        ("ABC Farms^Running on Water", ("ABC Farms, Running on Water",)),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("Yamada, Tarou", "山田 太郎", "やまだ たろう")),
        ("Hong^Gildong=洪^吉洞=홍^길동", ("Hong, Gildong", "洪 吉洞", "홍 길동")),
        ("=山田^太郎", ("山田 太郎",)),
        ("STS_001", ("STS_001",)),
        ("^Anna", ("Anna",)),
        ("", ()),
        (None, ()),
    ],
)  # fmt: skip
def test_person_names(written: str | None, shown: tuple[str, ...]) -> None:
    header = Dataset()
    header.PatientName = written
    assert person_name(header.PatientName) == shown


def test_dates_cannot_be_mistaken() -> None:
    assert date("19580314") == "1958-03-14"
    assert date("about 1958") == "about 1958"
    assert instant("20240611101530.000000") == "2024-06-11 10:15:30"
    assert instant("2024-06-11T10:15:30") == "2024-06-11 10:15:30"
    assert instant(None) == pdf_words.UNKNOWN


@pytest.mark.parametrize(
    ("value", "unit", "digits", "shown"),
    [
        (9.96, "mL", None, "10.0 mL"),
        (134.6, "mL", None, "135 mL"),
        (2284.2, "g", None, "2\u2009284 g"),
        (0.347, "m⁻¹", 2, "0.35 m⁻¹"),
        (None, "mL", None, pdf_words.UNKNOWN),
    ],
)
def test_amounts(value: float | None, unit: str, digits: int | None, shown: str) -> None:
    assert amount(value, unit, digits=digits) == shown


def test_connectivity_is_said_once() -> None:
    used = sample_inputs(0).findings.segmentation
    assert rule(used) == "SUV ≥ 4.0, components of at least 3 mL, 26-connected"
    assert rule(type(used)("suv4", "SUV >= 4.0, 26-connected", 3.0, 26)) == "SUV ≥ 4.0, 26-connected"


@pytest.mark.parametrize(
    ("sets", "name", "style"),
    [
        ("GB18030", "Zhang^XiaoDong=张^小东", "SC"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "JP"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞", "KR"),
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう", "JP"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東", "SC"),
    ],
)
def test_regional_forms_by_character_set(sets: str | list[str], name: str, style: str) -> None:
    header = Dataset()
    header.SpecificCharacterSet = sets
    header.PatientName = name
    assert han_style(header) == style


def test_what_is_missing_in_the_header_is_a_dash_not_a_guess() -> None:
    inputs = sample_inputs(0)
    header = Dataset()
    who = patient(header, with_findings(inputs, clinical=type(inputs.findings.clinical)()).findings)
    assert who.names == ("No name in the images",)
    assert {value for _, value in who.fields} == {pdf_words.UNKNOWN}


def test_age_comes_from_the_record_where_the_header_has_none() -> None:
    who = patient(Dataset(), sample_inputs(0).findings)
    assert dict(who.fields)["Age"] == "66 years"
