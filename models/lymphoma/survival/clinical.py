"""The clinical factors of a patient at baseline, each of which may be unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ClinicalFactors"]


@dataclass(frozen=True)
class ClinicalFactors:
    """What the clinic knows of the patient at baseline; None is unknown.

    Attributes:
        age_years: at the scan. sex: "M" or "F". stage: Ann Arbor 1..4. ldh_ratio: LDH over the upper limit of
            normal. ecog: 0..4. extranodal_sites: names of organs. cell_of_origin: "GCB" or "non-GCB".
    """

    age_years: float | None = None
    sex: Literal["M", "F"] | None = None
    stage: Literal[1, 2, 3, 4] | None = None
    ldh_ratio: float | None = None
    ecog: Literal[0, 1, 2, 3, 4] | None = None
    extranodal_sites: tuple[str, ...] | None = None
    cell_of_origin: Literal["GCB", "non-GCB"] | None = None
    bulky: bool | None = None
    b_symptoms: bool | None = None
