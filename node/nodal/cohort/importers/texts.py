"""Tables of other people: found by their columns, read without guessing."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

__all__ = ["age_years", "day_of", "rows_with", "sex_of"]

_DATES = ("%m-%d-%Y", "%Y-%m-%d", "%Y%m%d", "%d-%m-%Y", "%m/%d/%Y")
_AGE = re.compile(r"^0*(\d{1,3})(?:\.0+)?Y?$")


def rows_with(folder: Path, *columns: str) -> Iterator[dict[str, str]]:
    """Rows of every .csv below a folder that has all these columns; names and values stripped."""
    for path in sorted(folder.rglob("*.csv")):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            if not set(columns) <= set(header):
                continue
            for fields in reader:
                yield dict(zip(header, (field.strip() for field in fields), strict=False))


def day_of(text: str) -> date | None:
    """A date as NBIA, ISO or DICOM write it; None where it is none of these."""
    for form in _DATES:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def age_years(text: str) -> str:
    """``060Y`` as 60; empty where it is no age in years."""
    found = _AGE.match(text.strip())
    return found[1] if found else ""


def sex_of(text: str) -> str:
    """M, F or empty."""
    return {"m": "M", "male": "M", "f": "F", "female": "F"}.get(text.strip().lower(), "")
