"""What a prognosis model may read of a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lymphoma.survival.clinical import ClinicalFactors

__all__ = ["PetMeasures", "Prospect"]


@dataclass(frozen=True)
class PetMeasures:
    """Measures of the whole patient on the PET, as :class:`lymphoma.lesions.TotalMeasures` has them; None is unknown.

    Attributes:
        tmtv_ml, tlg_g: 0 without a lesion. dmax_mm, dmax_bulk_mm: 0 with one lesion, None without.
    """

    tmtv_ml: float | None = None
    tlg_g: float | None = None
    suv_max: float | None = None
    suv_peak: float | None = None
    lesion_count: int | None = None
    dmax_mm: float | None = None
    dmax_bulk_mm: float | None = None
    sdmax_per_m: float | None = None


@dataclass(frozen=True)
class Prospect:
    """A patient as a model of survival sees him or her.

    Attributes:
        scores: of the systems, by the names of the interface ("deepmts_pfs", "auto_radio", ...).
    """

    clinical: ClinicalFactors
    pet: PetMeasures = PetMeasures()
    scores: Mapping[str, float] = field(default_factory=dict)
