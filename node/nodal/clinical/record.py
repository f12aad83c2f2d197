"""What the clinic knows of a patient: statements of several sources, and the record that they make together.

A source (a scanner's header, a FHIR server, the laboratory's HL7, a person at a form, a file beside the study) states
a field, with its date and in its own words. The record takes one value for each field and shows every other one that
differs: nothing is resolved silently, nothing is imputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lymphoma.survival.clinical import ClinicalFactors

__all__ = [
    "FIELDS",
    "UNITS",
    "ClinicalRecord",
    "Conflict",
    "Said",
    "Source",
    "Statement",
    "Timepoint",
    "Unusable",
    "Value",
]

Source = Literal["dicom", "fhir", "hl7", "api", "file"]
Timepoint = Literal["baseline", "interim", "end_of_treatment", "follow_up"]
Value = str | float | int | bool | tuple[str, ...]

FIELDS = (
    "age_years", "sex", "weight_kg", "height_m", "stage", "ldh_ratio", "ecog", "extranodal_sites", "cell_of_origin",
    "bulky", "b_symptoms", "timepoint",
)  # fmt: skip
"""What a record may hold."""

UNITS: Mapping[str, str] = {
    "age_years": "years",
    "weight_kg": "kg",
    "height_m": "m",
    "stage": "Ann Arbor",
    "ldh_ratio": "times the upper limit of normal",
}
"""Units of the fields that have one, for readers."""


@dataclass(frozen=True)
class Statement:
    """One source's word on one field.

    Attributes:
        field: of :data:`FIELDS`, or "birth_date" (DICOM DA), from which the age at the scan follows.
        effective: DICOM DA or DT, when it was so of the patient; None where the source does not tell.
        entered_at: DICOM DT, when it reached the node (of a header: the study's own instant).
        by: the person or system that said it; shown in the audit, never in a log.
        said: as the source put it, such as "480 U/L, upper limit 240 U/L".
    """

    field: str
    value: Value
    source: Source
    entered_at: str
    effective: str | None = None
    by: str | None = None
    said: str | None = None


@dataclass(frozen=True)
class Unusable:
    """Something a source said of the patient that could not be used, and why; shown, never guessed at."""

    field: str
    source: Source
    entered_at: str
    said: str
    reason: str


@dataclass(frozen=True)
class Said:
    """A value that a source gives, as it stands in a conflict."""

    value: Value
    source: Source
    date: str | None = None


@dataclass(frozen=True)
class Conflict:
    """A field on which sources differ: what was used, and what the others say."""

    field: str
    used: Said
    others: tuple[Said, ...]


@dataclass(frozen=True)
class ClinicalRecord(ClinicalFactors):
    """The clinical factors and where they came from; None is unknown.

    Attributes:
        timepoint: of the scan; None leaves the baseline assumed.
        entered_at: DICOM DT, instant of the latest statement in it; it takes part in the instant written into result
            objects. Headers do not count.
        sources: field name -> where its value came from. dates: field name -> DICOM DA or DT of the fact.
        said: field name -> as the source put it, where that differs from the value.
    """

    weight_kg: float | None = None
    height_m: float | None = None
    timepoint: Timepoint | None = None
    entered_at: str | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    unusable: tuple[Unusable, ...] = ()
