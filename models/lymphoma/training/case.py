"""A case: one patient as every system sees him or her, and a cohort of them that is read one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.survival.clinical import ClinicalFactors

__all__ = ["Case", "Cohort", "Outcome", "Subject"]


@dataclass(frozen=True)
class Outcome:
    """Time to event or censoring of one endpoint.

    Attributes:
        months: from baseline, above 0. event: False when censored at that time.
    """

    months: float
    event: bool


@dataclass(frozen=True)
class Subject:
    """A patient of a cohort before any image is read; small, so that a cohort of any size fits in memory.

    Attributes:
        content: digest of all that :meth:`Cohort.load` will read; the same content gives the same case.
        pfs, os: None where not known.
    """

    patient_id: str
    centre: str
    clinical: ClinicalFactors
    pfs: Outcome | None
    os: Outcome | None
    content: str


@dataclass(frozen=True, eq=False)
class Case:
    """One patient's arrays.

    Attributes:
        suv: float32, SUV by body weight, slices ascending towards the head. ct_hu: float32, on the grid of ``suv``.
        lesions: uint16 lesion map on the same grid, 0 and 1..n; None without a reference.
        anatomy: organs on the same grid; its ``organs`` is None where not known.
    """

    subject: Subject
    suv: Volume
    ct_hu: Volume
    lesions: Volume | None
    anatomy: Anatomy


class Cohort(Protocol):
    """Patients that can be loaded one at a time."""

    @property
    def name(self) -> str:
        """What the cohort is called in reports and cards."""
        ...

    @property
    def virtual(self) -> bool:
        """Whether its patients are simulated."""
        ...

    @property
    def subjects(self) -> Sequence[Subject]:
        """All usable patients, in a fixed order."""
        ...

    def load(self, subject: Subject) -> Case:
        """Reads or makes the arrays of one of ``subjects``."""
        ...
