"""What an import did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nodal.cohort.about import About
from nodal.cohort.check import TABLE_NAME
from nodal.cohort.table import Row, write_table

__all__ = ["ImportReport", "PassedOver", "Source", "finished"]

Source = Literal["autopet", "hecktor", "tcia"]


@dataclass(frozen=True)
class PassedOver:
    """Something of the source that is not in the cohort, and why; ``what`` is a path within the source."""

    what: str
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """A cohort folder that was made of a published data set.

    Attributes:
        note: what a reader must know of the source; also in the folder's ``cohort.json``.
    """

    folder: Path
    patients: int
    references: int
    passed_over: tuple[PassedOver, ...]
    note: str


def finished(out: Path, rows: Sequence[Row], about: About, passed: Sequence[PassedOver]) -> ImportReport:
    """Writes the table and what the cohort says of itself."""
    write_table(out / TABLE_NAME, rows)
    about.write(out)
    return ImportReport(out, len(rows), sum(bool(row.references) for row in rows), tuple(passed), about.note)
