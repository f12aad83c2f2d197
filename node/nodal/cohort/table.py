"""``cohort.csv``: rows become patients; a bad row is told, and never stops the others."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

from nodal.cohort.model import Fault
from nodal.cohort.values import Fields
from nodal.errors import Code, Refused

__all__ = ["COLUMNS", "Row", "read_table", "write_table"]

COLUMNS = (
    "patient_id", "study", "reference", "age", "sex", "stage", "ldh_ratio", "ecog", "extranodal_sites",
    "cell_of_origin", "bulky", "b_symptoms", "pfs_months", "pfs_event", "os_months", "os_event", "centre",
)  # fmt: skip
"""The columns of the interface, in their order."""

EXTRA_COLUMNS = ("organs", "no_lesion")
"""Further columns that are read where they are there; any other is kept as it is."""

NEEDED = ("patient_id", "study")
LONGEST_LINE = 100_000
"""Characters of one row."""
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Row:
    """One patient as the table tells.

    Attributes:
        line: in the file, the header is 1.
        study: folder. references: contours, one for each reader. organs: an organ map in a place of its own.
        no_lesion: the patient is declared to have no lesion, so that an empty or absent contour is the truth.
        further: columns this version does not know, with their text.
    """

    line: int
    patient_id: str
    study: str = ""
    references: tuple[str, ...] = ()
    organs: str | None = None
    no_lesion: bool = False
    centre: str = ""
    clinical: ClinicalFactors = ClinicalFactors()
    pfs: Outcome | None = None
    os: Outcome | None = None
    further: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def read_table(path: Path) -> tuple[Row, ...]:
    """Reads a cohort table (UTF-8, commas, one header line; a field holds no line break).

    Every row is returned, with its faults. A patient id that occurs twice bars all its rows: which is right cannot
    be known.

    Raises:
        Refused: COHORT_TABLE, no such file, no rows, a column needed or named twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as fault:
        raise Refused(Code.COHORT_TABLE, f"the folder holds no {path.name} that can be read") from fault
    first, *lines = _LINE_END.split(text)
    header = [name.strip().lower() for name in _fields(first) or []]
    _check_header(header)
    rows = [_row(number, header, _fields(line)) for number, line in enumerate(lines, start=2) if line.strip(" ,\t")]
    if not rows:
        raise Refused(Code.COHORT_TABLE, "the table holds no row")
    return _without_doubles(rows)


def _fields(line: str) -> list[str] | None:
    """The fields of one line; None where a quote is not closed, which would else swallow the rows that follow, or where
    the line is no patient's any more (the reader's own limit can be moved by any library of the process)."""
    if len(line) > LONGEST_LINE:
        return None
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Writes a cohort table: all columns of the interface, then those that any row has besides.

    What :func:`read_table` reads of it are the same rows, but for ``line`` and ``faults``.
    """
    written = [_texts(row) for row in rows]
    further = [name for name in dict.fromkeys(name for texts in written for name in texts) if name not in COLUMNS]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS, *further], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(written)


def _texts(row: Row) -> dict[str, str]:
    """The fields of one line, without those that are not known."""
    clinical = row.clinical
    values = {
        "patient_id": row.patient_id,
        "study": row.study,
        "reference": ";".join(row.references),
        "age": clinical.age_years,
        "sex": clinical.sex,
        "stage": clinical.stage,
        "ldh_ratio": clinical.ldh_ratio,
        "ecog": clinical.ecog,
        "extranodal_sites": "none" if clinical.extranodal_sites == () else ";".join(clinical.extranodal_sites or ()),
        "cell_of_origin": clinical.cell_of_origin,
        "bulky": clinical.bulky,
        "b_symptoms": clinical.b_symptoms,
        "centre": row.centre,
        "organs": row.organs,
        "no_lesion": row.no_lesion or None,
    }
    for name, outcome in (("pfs", row.pfs), ("os", row.os)):
        if outcome is not None:
            values |= {f"{name}_months": outcome.months, f"{name}_event": outcome.event}
    return {name: _text(value) for name, value in {**values, **row.further}.items() if _text(value)}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _check_header(header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing and len(header) == 1 and ";" in header[0]:
        raise Refused(Code.COHORT_TABLE, "the table's columns are separated by semicolons; commas are expected")
    if missing:
        raise Refused(Code.COHORT_TABLE, f"the table has no column {' and no column '.join(missing)}")
    twice = sorted(name for name, count in Counter(header).items() if count > 1 and name)
    if twice:
        raise Refused(Code.COHORT_TABLE, f"the table has the column {twice[0]} more than once")


def _row(line: int, header: list[str], fields: list[str] | None) -> Row:
    if fields is None:
        return Row(
            line,
            "",
            faults=(
                Fault(Code.ROW_UNREADABLE, "the row has a quote that is not closed, or a field too long to be meant"),
            ),
        )
    while len(fields) > len(header) and not fields[-1].strip():
        fields.pop()
    texts = dict(zip(header, (field.strip() for field in fields), strict=False))
    patient_id = texts.get("patient_id", "")
    if len(fields) != len(header):
        said = f"the row has {len(fields)} fields, the header {len(header)}"
    elif not {"\ufffd", "\0"}.isdisjoint("".join(fields)):
        said = "the row holds bytes that are not UTF-8 text"
    elif not patient_id:
        said = "the row names no patient"
    else:
        return _patient(line, patient_id, Fields(texts))
    return Row(line, patient_id.replace("\ufffd", "?"), faults=(Fault(Code.ROW_UNREADABLE, said),))


def _patient(line: int, patient_id: str, fields: Fields) -> Row:
    clinical, outcomes = fields.clinical(), fields.outcomes()
    known = {*COLUMNS, *EXTRA_COLUMNS}
    return Row(
        line=line,
        patient_id=patient_id,
        study=fields.text("study"),
        references=fields.several("reference"),
        organs=fields.text("organs") or None,
        no_lesion=fields.flag("no_lesion", bars=("segmentation",)) or False,
        centre=fields.text("centre"),
        clinical=clinical,
        pfs=outcomes.pfs,
        os=outcomes.os,
        further={name: text for name, text in fields.texts.items() if name and name not in known},
        faults=tuple(fields.faults),
    )


def _without_doubles(rows: list[Row]) -> tuple[Row, ...]:
    times = Counter(row.patient_id for row in rows if row.patient_id)
    return tuple(
        replace(row, faults=(*row.faults, _double(times[row.patient_id]))) if times[row.patient_id] > 1 else row
        for row in rows
    )


def _double(times: int) -> Fault:
    return Fault(Code.PATIENT_DUPLICATE, f"the patient id stands in {times} rows; none of them is used")
