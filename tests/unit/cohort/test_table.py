"""The table: every column, every way a row can be wrong, and back to the same rows."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome
from nodal.cohort.model import Fault
from nodal.cohort.table import COLUMNS, Row, read_table, write_table
from nodal.errors import Code, Refused

from tests.unit.cohort.fakes import ALIVE, table

pytestmark = pytest.mark.unit

HEADER = "patient_id,study,reference,age,stage"


def written(folder: Path, text: str | bytes) -> tuple[Row, ...]:
    path = folder / "cohort.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


def read_one(folder: Path, **values: str) -> Row:
    (row,) = read_table(table(folder, {"patient_id": "A", "study": "s", **ALIVE, **values}) / "cohort.csv")
    return row


def codes(row: Row) -> list[Code]:
    return [fault.code for fault in row.faults]


def test_every_column_is_read(tmp_path: Path) -> None:
    row = read_one(
        tmp_path, reference="a.dcm; b.nii.gz", age="61", sex="f", stage="IIIB", ldh_ratio="1.4", ecog="1",
        extranodal_sites="bone; Bone Marrow", cell_of_origin="non-gcb", bulky="yes", b_symptoms="0", pfs_months="7.5",
        pfs_event="1", os_months="31", os_event="0", centre="North", organs="o.nii.gz", no_lesion="1", ward="7b",
    )  # fmt: skip
    assert row == Row(
        line=2,
        patient_id="A",
        study="s",
        references=("a.dcm", "b.nii.gz"),
        organs="o.nii.gz",
        no_lesion=True,
        centre="North",
        clinical=ClinicalFactors(61, "F", 3, 1.4, 1, ("bone", "bone_marrow"), "non-GCB", True, False),
        pfs=Outcome(7.5, True),
        os=Outcome(31, False),
        further={"ward": "7b"},
    )


@pytest.mark.parametrize("unknown", ["", "NA", "unknown", "NaN", "?"])
def test_what_is_not_known_is_none(tmp_path: Path, unknown: str) -> None:
    row = read_one(tmp_path, **dict.fromkeys(COLUMNS[3:], unknown))
    assert row.clinical == ClinicalFactors()
    assert row.pfs is row.os is None
    assert codes(row) == [Code.NO_FOLLOW_UP]


def test_columns_that_are_not_there_are_unknown(tmp_path: Path) -> None:
    (row,) = written(tmp_path, "patient_id,study,os_months,os_event\nA,s,12,1\n")
    assert row.os == Outcome(12, True)
    assert row.clinical == ClinicalFactors()
    assert row.faults == (Fault(Code.NO_FOLLOW_UP, "no PFS is known", ("pfs",)),)


def test_no_extranodal_site_is_not_unknown(tmp_path: Path) -> None:
    assert read_one(tmp_path, extranodal_sites="none").clinical.extranodal_sites == ()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("age", "200"), ("age", "-1"), ("age", "old"), ("sex", "X"), ("stage", "5"), ("stage", "V"), ("ldh_ratio", "0"),
        ("ldh_ratio", "480"), ("ecog", "5"), ("ecog", "1.5"), ("extranodal_sites", "3"), ("cell_of_origin", "ABC"),
        ("bulky", "maybe"), ("b_symptoms", "2"), ("age", "inf"),
    ],
)  # fmt: skip
def test_a_clinical_value_that_cannot_be_bars_prognosis(tmp_path: Path, column: str, value: str) -> None:
    row = read_one(tmp_path, **{column: value})
    assert [(fault.code, fault.bars) for fault in row.faults] == [(Code.CLINICAL_IMPLAUSIBLE, ("pfs", "os"))]
    assert column in row.faults[0].sentence
    assert row.clinical == ClinicalFactors()


@pytest.mark.parametrize(
    ("values", "code", "bars"),
    [
        ({"pfs_months": "-3"}, Code.OUTCOME_IMPLAUSIBLE, ("pfs",)),
        ({"pfs_months": "730"}, Code.OUTCOME_IMPLAUSIBLE, ("pfs",)),
        ({"pfs_months": "soon"}, Code.OUTCOME_IMPLAUSIBLE, ("pfs",)),
        ({"os_event": "2"}, Code.OUTCOME_IMPLAUSIBLE, ("os",)),
        ({"os_event": ""}, Code.OUTCOME_INCOMPLETE, ("os",)),
        ({"pfs_months": ""}, Code.OUTCOME_INCOMPLETE, ("pfs",)),
        ({"pfs_months": "0"}, Code.NO_FOLLOW_UP, ("pfs",)),
        ({"pfs_months": "31"}, Code.PFS_AFTER_OS, ("pfs", "os")),
    ],
)
def test_an_outcome_that_cannot_be(tmp_path: Path, values: dict[str, str], code: Code, bars: tuple[str, ...]) -> None:
    row = read_one(tmp_path, **values)
    assert [(fault.code, fault.bars) for fault in row.faults] == [(code, bars)]
    assert {name for name in ("pfs", "os") if getattr(row, name) is None} == set(bars)


def test_a_death_without_progression_ends_both(tmp_path: Path) -> None:
    row = read_one(tmp_path, pfs_months="30", pfs_event="1", os_months="30", os_event="1")
    assert row.pfs == row.os == Outcome(30, True)


def test_a_bad_row_never_stops_the_rest(tmp_path: Path) -> None:
    rows = written(
        tmp_path,
        f"{HEADER}\nA,s\nB,s,,60,2\n,s,,60,2\nC,s,,60,2,more\n\nD,\xff,,60,2\nE,s,,60,2\n".encode("latin-1"),
    )
    assert [(row.line, row.patient_id) for row in rows] == [(2, "A"), (3, "B"), (4, ""), (5, "C"), (7, "D"), (8, "E")]
    assert [Code.ROW_UNREADABLE in codes(row) for row in rows] == [True, False, True, True, True, False]


def test_a_quote_that_is_not_closed_swallows_one_row_only(tmp_path: Path) -> None:
    rows = written(tmp_path, f'{HEADER}\nA,"s,,60,2\nB,"s, t",,60,2\nC,s,,60,2\n')
    assert [(row.line, row.study) for row in rows] == [(2, ""), (3, "s, t"), (4, "s")]
    assert codes(rows[0]) == [Code.ROW_UNREADABLE]


def test_a_field_of_a_megabyte_is_no_end(tmp_path: Path) -> None:
    limit = csv.field_size_limit(2**30)  # as some libraries do on import
    try:
        rows = written(tmp_path, f"{HEADER}\nA,{'s' * 10**6},,60,2\nB,s,,60,2\n")
    finally:
        csv.field_size_limit(limit)
    assert [row.study for row in rows] == ["", "s"]
    assert codes(rows[0]) == [Code.ROW_UNREADABLE]


def test_empty_cells_after_the_last_column_are_nothing(tmp_path: Path) -> None:
    (row,) = written(tmp_path, f"{HEADER}\nA,s,,60,2,,,\n,,,\n")
    assert (row.study, row.clinical.stage) == ("s", 2)


def test_a_patient_in_two_rows_bars_both(tmp_path: Path) -> None:
    rows = written(tmp_path, f"{HEADER}\nA,s,,,\nB,t,,,\nA,u,,,\n")
    assert [Code.PATIENT_DUPLICATE in codes(row) for row in rows] == [True, False, True]
    assert [fault.bars for fault in rows[0].faults if fault.code is Code.PATIENT_DUPLICATE] == [
        ("segmentation", "pfs", "os")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEADER}\n", "no row"),
        ("", "no column patient_id"),
        ("patient_id,age\nA,6\n", "no column study"),
        ("patient_id;study\nA;s\n", "semicolons"),
        ("patient_id,study,age,age\nA,s,1,2\n", "more than once"),
    ],
)
def test_a_table_that_cannot_be_read_as_a_whole(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        written(tmp_path, text)
    assert caught.value.code is Code.COHORT_TABLE


def test_a_table_saved_by_a_spreadsheet(tmp_path: Path) -> None:
    (row,) = written(tmp_path, b"\xef\xbb\xbfPatient_ID , study\r\nM\xc3\xbcller-1,s\r\n")
    assert (row.patient_id, row.study) == ("Müller-1", "s")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    full = Row(
        line=2,
        patient_id="A, the first",
        study="studies/A",
        references=("r1.dcm", "r2.dcm"),
        organs="organs.nii.gz",
        no_lesion=True,
        centre="North",
        clinical=ClinicalFactors(61.25, "F", 3, 1.4, 0, (), "GCB", False, True),
        pfs=Outcome(7.123456, True),
        os=Outcome(31.0, False),
        further={"ward": "7b"},
    )
    bare = replace(
        full, line=3, patient_id="B", references=(), organs=None, no_lesion=False, centre="", pfs=None,
        clinical=ClinicalFactors(), further={"ward": ""},
        faults=(Fault(Code.NO_FOLLOW_UP, "no PFS is known", ("pfs",)),),
    )  # fmt: skip
    write_table(tmp_path / "cohort.csv", [full, bare])
    assert read_table(tmp_path / "cohort.csv") == (full, bare)
    assert (tmp_path / "cohort.csv").read_text().split("\n")[0].split(",")[:17] == list(COLUMNS)
