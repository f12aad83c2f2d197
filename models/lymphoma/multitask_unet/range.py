"""What the range check compares of a patient: a few robust numbers of the field, none of a single voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lymphoma.multitask_unet.inputs import LESIONS, PET
from lymphoma.prognosis.patient_folder import Arrays

__all__ = ["NAMES", "range_features"]

BODY_SUV = 0.2
"""Subcutaneous fat, the faintest tissue, reads about 0.3."""
LEAST = 1e-3
_QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.97)
NAMES = (
    *(f"log_suv_{round(100 * share)}" for share in _QUANTILES),
    "body_share",
    "log_suv_lower_third",
    "log_suv_middle_third",
    "log_suv_upper_third",
    "log_suv_left_over_right",
    "log_suv_back_over_front",
    "log_lesion_share",
)
"""Quantiles of SUV in the body; how much of the field it fills; median SUV of three thirds of the field, and of its
sides: a head for a foot, or left for right, shows in bladder and liver."""


def range_features(inputs: Arrays) -> tuple[float, ...]:
    """The numbers of one patient in the order of :data:`NAMES`; NaN where the field holds no body.

    Args:
        inputs: of :func:`lymphoma.multitask_unet.inputs.inputs_of`.
    """
    suv = inputs[PET].astype(np.float64)
    body = suv > BODY_SUV
    quantiles = np.quantile(suv[body], _QUANTILES) if body.any() else np.full(len(_QUANTILES), np.nan)
    thirds = [_middle(one) for one in np.array_split(suv, 3, axis=0)]
    right, left = np.array_split(suv, 2, axis=2)
    front, back = np.array_split(suv, 2, axis=1)
    return (
        *np.log(np.maximum(quantiles, LEAST)).tolist(),
        float(body.mean()),
        *thirds,
        _mean(left) - _mean(right),
        _mean(back) - _mean(front),
        float(np.log(max(float(inputs[LESIONS].mean()), 1e-6))),
    )


def _middle(suv: npt.NDArray[Any]) -> float:
    """Log median over the body in a part of the field."""
    body = suv[suv > BODY_SUV]
    return float(np.log(np.median(body))) if body.size else float("nan")


def _mean(suv: npt.NDArray[Any]) -> float:
    """Log mean over the body, each voxel counted up to the SUV of a warm organ, so that no lesion rules it."""
    body = suv[suv > BODY_SUV]
    return float(np.log(np.minimum(body, 3.0).mean())) if body.size else float("nan")
