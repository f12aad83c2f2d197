"""A cohort folder is written: the table, what the cohort says of itself, and files linked or copied into it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nodal.cohort.check import ABOUT_NAME, TABLE_NAME, About
from nodal.cohort.table import COLUMNS

__all__ = ["NewRow", "place", "safe_name", "write_table"]


@dataclass(frozen=True)
class NewRow:
    """A row to be written; what is not known is left out.

    Attributes:
        values: column -> text, of the interface's columns. further: other columns.
    """

    patient_id: str
    values: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, str] = field(default_factory=dict)


def write_table(out: Path, rows: Sequence[NewRow], about: About) -> None:
    """Writes ``cohort.csv`` and ``cohort.json``; all columns of the interface are there, further ones after them.

    Raises:
        ValueError: a row with a value for a column that the interface does not know.
    """
    further = list(dict.fromkeys(name for row in rows for name in row.further))
    with (out / TABLE_NAME).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS, *further], restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            unknown = set(row.values) - set(COLUMNS)
            if unknown:
                raise ValueError(f"{sorted(unknown)} are no columns of the interface")
            writer.writerow({"patient_id": row.patient_id, **row.values, **row.further})
    (out / ABOUT_NAME).write_text(json.dumps(asdict(about), indent=1) + "\n", encoding="utf-8")


def place(source: Path, target: Path, *, copy: bool) -> None:
    """Brings one file into the cohort as a copy or as a link to where it lies; what was there is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if copy:
        shutil.copy2(source, target)
    else:
        target.symlink_to(source.resolve())


def safe_name(text: str) -> str:
    """An identifier as the name of a folder: letters, digits, dot, dash and underscore stay, others become a dash."""
    name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text)
    return name.lstrip(".") or "-"
