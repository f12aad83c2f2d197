"""``measures.csv``: measures of the whole patient that were taken elsewhere, or before.

``patient_id`` and the fields of :class:`lymphoma.prognosis.measures.PetMeasures` by their names; an empty field is not
known. A field that cannot be bars the patient from prognosis, as in the cohort's own table.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from lymphoma.prognosis.measures import PetMeasures

from nodal.errors import Code, Refused

__all__ = ["MEASURES_NAME", "MeasureTable", "read_measures", "write_measures"]

MEASURES_NAME = "measures.csv"
_FIELDS = tuple(field.name for field in fields(PetMeasures))
_WHOLE = "lesion_count"


@dataclass(frozen=True)
class MeasureTable:
    """Attributes: measures: by patient id. unusable: ids whose row holds what cannot be, or that occur twice."""

    measures: Mapping[str, PetMeasures]
    unusable: frozenset[str] = frozenset()


def write_measures(path: Path, rows: Iterable[tuple[str, PetMeasures]]) -> None:
    """Writes patient id and measures; every float comes back bit for bit."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("patient_id", *_FIELDS))
        for patient_id, pet in rows:
            values = (getattr(pet, name) for name in _FIELDS)
            writer.writerow((patient_id, *("" if value is None else repr(value) for value in values)))


def read_measures(path: Path) -> MeasureTable:
    """Reads a table; none where the file is not there.

    Raises:
        Refused: COHORT_TABLE, a file without ``patient_id``, with a column twice, or that cannot be read.
    """
    if not path.exists():
        return MeasureTable({})
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            header = [name.strip().lower() for name in reader.fieldnames or ()]
            if "patient_id" not in header or len(set(header)) != len(header):
                raise Refused(Code.COHORT_TABLE, f"{path.name} needs one column patient_id, and no column twice")
            reader.fieldnames = header
            return _table(list(reader))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise Refused(Code.COHORT_TABLE, f"{path.name} cannot be read") from fault


def _table(rows: list[dict[str, str | None]]) -> MeasureTable:
    measures: dict[str, PetMeasures] = {}
    unusable: set[str] = set()
    for row in rows:
        patient_id = (row.get("patient_id") or "").strip()
        pet = _measures(row)
        if pet is None or patient_id in measures or patient_id in unusable:
            unusable.add(patient_id)
        else:
            measures[patient_id] = pet
    return MeasureTable({name: pet for name, pet in measures.items() if name not in unusable}, frozenset(unusable))


def _measures(row: Mapping[str, str | None]) -> PetMeasures | None:
    """None where a value is no number of 0 or more."""
    texts = {name: (row.get(name) or "").strip() for name in _FIELDS}
    try:
        values = {name: float(text) for name, text in texts.items() if text}
    except ValueError:
        return None
    if any(not math.isfinite(value) or value < 0 for value in values.values()):
        return None
    count = values.pop(_WHOLE, None)
    if count is not None and count != int(count):
        return None
    return PetMeasures(**values, lesion_count=None if count is None else int(count))
