"""What the range check compares of a patient: a few numbers of the field that the network looks at, and the burden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lymphoma.deepmts.inputs import HU_MOST, SUV_UNIT
from lymphoma.prognosis.covariates import LEAST_TMTV_ML
from lymphoma.prognosis.measures import PetMeasures

__all__ = ["RANGE_NAMES", "range_features"]

RANGE_NAMES = (
    "log_body_voxels",
    "body_length_share",
    "lung_share",
    "soft_tissue_hu",
    "log_suv_median",
    "log_suv_mean",
    "log_suv_99",
    "log_tmtv_ml",
    "log_suv_max",
    "log_lesion_count",
)
"""In the order of a bundle's statistics."""

BODY_HU, LUNG_HU, SOFT_HU = -300.0, (-950.0, -500.0), (-50.0, 150.0)
LEAST_SUV = 0.05
LEAST_SLICE = 0.02
"""Share of a slice that is body; less is a couch or noise [A]."""


def range_features(arrays: Mapping[str, npt.NDArray[Any]], pet: PetMeasures) -> tuple[float, ...]:
    """The numbers of one patient; NaN where one is not known.

    Lung is counted per voxel of body and lung together, so that a CT that does not match the PET in scale shows.

    Args:
        arrays: of :func:`lymphoma.deepmts.inputs.inputs_of`.
    """
    suv = arrays["pet"].astype(np.float64) * SUV_UNIT
    hu = arrays["ct"].astype(np.float64) * HU_MOST
    body = (hu > BODY_HU) & (suv > LEAST_SUV)
    lung = (hu > LUNG_HU[0]) & (hu < LUNG_HU[1]) & (suv > LEAST_SUV)
    soft = body & (hu > SOFT_HU[0]) & (hu < SOFT_HU[1])
    within = suv[body]
    burden = (
        _log(pet.tmtv_ml, LEAST_TMTV_ML),
        _log(pet.suv_max, 1.0),
        _log(pet.lesion_count, 1.0),
    )
    if not within.size or not soft.any():
        return (*[np.nan] * (len(RANGE_NAMES) - len(burden)), *burden)
    return (
        float(np.log(within.size)),
        float((body.mean(axis=(1, 2)) > LEAST_SLICE).mean()),
        float(lung.sum() / (lung.sum() + body.sum())),
        float(hu[soft].mean()),
        _log(float(np.median(within)), LEAST_SUV),
        _log(float(within.mean()), LEAST_SUV),
        _log(float(np.quantile(within, 0.99)), LEAST_SUV),
        *burden,
    )


def _log(value: float | None, least: float) -> float:
    return np.nan if value is None else float(np.log(max(value, least)))
