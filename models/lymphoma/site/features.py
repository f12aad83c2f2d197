"""What the range check of the site's model compares: measures of the whole patient, on scales without long tails."""

from __future__ import annotations

import numpy as np

from lymphoma.prognosis.covariates import LEAST_TLG_G, LEAST_TMTV_ML
from lymphoma.prognosis.measures import PetMeasures

__all__ = ["FEATURES", "range_features"]

FEATURES = ("log_tmtv_ml", "log_tlg_g", "log_suv_max", "log_suv_peak", "dmax_bulk_mm", "log_lesion_count")
"""In the order of the bundle's statistics. Age and clinical factors are not among them: where they lie beyond the
training patients, the nomogram says so, and a factor that is not known opens a range."""


def range_features(pet: PetMeasures) -> tuple[float, ...]:
    """The values of :data:`FEATURES`; NaN where a measure is not known."""
    return (
        _log(pet.tmtv_ml, LEAST_TMTV_ML),
        _log(pet.tlg_g, LEAST_TLG_G),
        _log(pet.suv_max),
        _log(pet.suv_peak),
        np.nan if pet.dmax_bulk_mm is None else float(pet.dmax_bulk_mm),
        _log(pet.lesion_count),
    )


def _log(value: float | None, least: float = 0.0) -> float:
    if value is None or max(value, least) <= 0:
        return np.nan
    return float(np.log(max(value, least)))
