"""What is known of a cohort folder after a look at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

from nodal.errors import Code

__all__ = [
    "ALL_USES",
    "CohortReport",
    "CohortSummary",
    "EndpointSummary",
    "Fault",
    "ImageFacts",
    "PatientReport",
    "Use",
]

Use = Literal["segmentation", "pfs", "os"]

ALL_USES: tuple[Use, ...] = ("segmentation", "pfs", "os")


@dataclass(frozen=True)
class Fault:
    """Something wrong with a patient's row or files.

    Attributes:
        sentence: for a person; holds no name or id.
        bars: what the patient cannot be used for because of it; empty: worth knowing only.
    """

    code: Code
    sentence: str
    bars: tuple[Use, ...] = ALL_USES


@dataclass(frozen=True)
class ImageFacts:
    """What was found when a patient's images were read.

    Attributes:
        faults: of PET, CT, reference and organs.
        virtual: the study says that it is a simulated patient.
        body_suv_median: SUV, over the body's voxels; None where no body was found or nothing could be read.
        has_reference: a lesion map can be made, be it an empty one that was declared.
        lesions, lesion_ml: of the reference; None without one. readers: contours that were read.
        readers_dice: mean Dice coefficient over all pairs of readers; None for fewer than two.
        images: digest of the PET and CT as arrays: two patients with the same are one.
    """

    faults: tuple[Fault, ...] = ()
    virtual: bool = False
    body_suv_median: float | None = None
    has_reference: bool = False
    lesions: int | None = None
    lesion_ml: float | None = None
    readers: int = 0
    readers_dice: float | None = None
    images: str | None = None


@dataclass(frozen=True)
class PatientReport:
    """A row of the cohort and what can be done with it.

    Attributes:
        line: of ``cohort.csv``, the header is 1. uses: empty where the patient cannot be used.
        content: digest of all files that the patient's case is read from; empty where they could not be found.
    """

    line: int
    patient_id: str
    centre: str
    uses: tuple[Use, ...]
    faults: tuple[Fault, ...]
    clinical: ClinicalFactors
    pfs: Outcome | None
    os: Outcome | None
    images: ImageFacts
    content: str


@dataclass(frozen=True)
class EndpointSummary:
    """Of the patients usable for one endpoint.

    Attributes:
        median_follow_up_months: by the reverse Kaplan-Meier method; None where it is not reached.
    """

    patients: int
    events: int
    median_follow_up_months: float | None


@dataclass(frozen=True)
class CohortSummary:
    """Numbers of a whole cohort; ``centres`` counts usable patients, the largest first."""

    rows: int
    usable: int
    segmentation: int
    pfs: EndpointSummary
    os: EndpointSummary
    centres: tuple[tuple[str, int], ...]
    mean_readers_dice: float | None


@dataclass(frozen=True)
class CohortReport:
    """A cohort folder that was checked.

    Attributes:
        name, note: of ``cohort.json`` beside the table; else the folder's name, and empty.
        virtual: declared so there, or a patient says so: a cohort with any simulated patient counts as simulated.
        patients: every row, in the order of the table.
    """

    folder: Path
    name: str
    note: str
    virtual: bool
    patients: tuple[PatientReport, ...]
    summary: CohortSummary
