"""A clinical record as it is sent in."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nodal.clinical.record import ClinicalRecord, Source

__all__ = ["ClinicalIn"]


class ClinicalIn(BaseModel):
    """What the clinic knows of the patient at baseline; what is left out is unknown. Unknown names are an error."""

    model_config = ConfigDict(extra="forbid")

    age_years: float | None = Field(None, ge=0, le=130, description="At the scan, in years.")
    sex: Literal["M", "F"] | None = None
    stage: Literal[1, 2, 3, 4] | None = Field(None, description="Ann Arbor.")
    ldh_ratio: float | None = Field(None, gt=0, le=100, description="LDH over the upper limit of normal.")
    ecog: Literal[0, 1, 2, 3, 4] | None = None
    extranodal_sites: tuple[str, ...] | None = Field(None, description="Names of organs; empty when there are none.")
    cell_of_origin: Literal["GCB", "non-GCB"] | None = None
    bulky: bool | None = None
    b_symptoms: bool | None = None
    timepoint: Literal["baseline", "interim", "end_of_treatment", "follow_up"] | None = None
    entered_at: str | None = Field(
        None,
        pattern=r"^\d{14}(\.\d{1,6})?([+-]\d{4})?$",
        description="Instant of entry, DICOM DT (YYYYMMDDHHMMSS); the node's own clock when left out.",
    )

    def record(self, now: datetime) -> ClinicalRecord:
        """The record, with its entry time and the source of every field that is known."""
        values = self.model_dump(exclude={"entered_at"})
        known: dict[str, Source] = {name: "api" for name, value in values.items() if value is not None}
        entered = self.entered_at or now.strftime("%Y%m%d%H%M%S%z")
        return ClinicalRecord(**values, entered_at=entered, sources=known)
