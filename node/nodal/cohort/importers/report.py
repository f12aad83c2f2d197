"""What an import did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["ImportReport", "PassedOver", "Source"]

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
