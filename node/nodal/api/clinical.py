"""Clinical records as they are sent in and asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from nodal.clinical.record import Statement, Unusable, Value
from nodal.clinical.statements import PatientStatements
from nodal.clinical.values import AGE_YEARS, HEIGHT_M, LDH_RATIO, WEIGHT_KG, checked
from nodal.errors import WrongUsage

__all__ = ["BundleTaken", "ClinicalIn", "PatientTaken", "patient_key_of"]

DT = r"^\d{14}(\.\d{1,6})?([+-]\d{4})?$"
DA_OR_DT = r"^\d{8}(\d{6}(\.\d{1,6})?([+-]\d{4})?)?$"
DA = r"^\d{8}$"


def _known_sites(sites: tuple[str, ...]) -> tuple[str, ...]:
    checked("extranodal_sites", sites)
    return sites


def _real_day(day: str) -> str:
    checked("birth_date", day[:8])
    return day


Sites = Annotated[tuple[str, ...], AfterValidator(_known_sites)]
Day = Annotated[str, Field(pattern=DA), AfterValidator(_real_day)]
DayOrInstant = Annotated[str, Field(pattern=DA_OR_DT), AfterValidator(_real_day)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DetailsIn(_Strict):
    """What is known of one field beside its value."""

    date: DayOrInstant | None = Field(None, description="When it was so: DICOM DA or DT.")
    said: str | None = Field(None, max_length=200, description='In the words of the source, such as "IIIB".')


class ClinicalIn(_Strict):
    """What the clinic knows of the patient at baseline; what is left out is unknown. Unknown names are an error."""

    age_years: float | None = Field(None, ge=AGE_YEARS[0], le=AGE_YEARS[1], description="At the scan, in years.")
    birth_date: Day | None = Field(None, description="DICOM DA; the age at each scan follows from it.")
    sex: Literal["M", "F"] | None = None
    weight_kg: float | None = Field(None, ge=WEIGHT_KG[0], le=WEIGHT_KG[1])
    height_m: float | None = Field(None, ge=HEIGHT_M[0], le=HEIGHT_M[1])
    stage: Literal[1, 2, 3, 4] | None = Field(None, description="Ann Arbor.")
    ldh_ratio: float | None = Field(
        None, gt=LDH_RATIO[0], le=LDH_RATIO[1], description="LDH over the upper limit of normal."
    )
    ecog: Literal[0, 1, 2, 3, 4] | None = None
    extranodal_sites: Sites | None = Field(None, description="Names of organs; empty when there are none.")
    cell_of_origin: Literal["GCB", "non-GCB"] | None = None
    bulky: bool | None = None
    b_symptoms: bool | None = None
    timepoint: Literal["baseline", "interim", "end_of_treatment", "follow_up"] | None = Field(
        None, description="Of every scan of the patient; with a date in details, of the scan of that day."
    )
    entered_at: str | None = Field(
        None,
        pattern=DT,
        description="Instant of entry, DICOM DT (YYYYMMDDHHMMSS); the node's own clock when left out.",
    )
    details: dict[str, DetailsIn] = Field({}, description="Field name -> its date and words.")

    @model_validator(mode="after")
    def _details_of_given_fields(self) -> ClinicalIn:
        given = self._given()
        if any(name not in given for name in self.details):
            raise ValueError("details name a field that the record does not hold")
        return self

    def statements(self, patient_key: str, by: str, now: datetime) -> PatientStatements:
        """A statement for every field that is known."""
        entered_at = self.entered_at or now.strftime("%Y%m%d%H%M%S%z")
        none = DetailsIn(date=None, said=None)
        told = [
            Statement(name, value, "api", entered_at, about.date, by, about.said)
            for name, value in self._given().items()
            for about in (self.details.get(name, none),)
        ]
        return PatientStatements(patient_key, tuple(told))

    def _given(self) -> Mapping[str, Value]:
        return self.model_dump(exclude={"entered_at", "details"}, exclude_none=True)


@dataclass(frozen=True)
class PatientTaken:
    """What was taken of one patient in a bundle.

    Attributes:
        fields: that were taken. unusable: what was not, and why. jobs: the new revisions.
    """

    patient_key: str
    fields: tuple[str, ...]
    unusable: tuple[Unusable, ...]
    jobs: tuple[str, ...]


@dataclass(frozen=True)
class BundleTaken:
    """What was taken of a bundle. ``unattributed``: why a resource in it belongs to no patient; a sentence each."""

    patients: tuple[PatientTaken, ...]
    unattributed: tuple[str, ...]


def patient_key_of(text: str) -> str:
    """A patient's key out of a path.

    Raises:
        WrongUsage: it is not ``issuer~id``, or has no id.
    """
    _issuer, tilde, patient_id = text.partition("~")
    if not tilde or not patient_id:
        raise WrongUsage("the patient is named as issuer~id; the issuer may be empty")
    return text
