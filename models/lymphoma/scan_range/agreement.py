"""Whether PET and CT show one and the same body, beyond what their registration says."""

from __future__ import annotations

import math

import numpy as np

from lymphoma.imaging.alignment import pet_ct_shift_mm
from lymphoma.scan_range.view import AIR_HU, Mask, ScanView

__all__ = ["agreement_features"]

LEAST_SECTIONS = 10
LUNG_HU = -600.0
LEAST_AIR_ML = 300.0


def agreement_features(view: ScanView) -> dict[str, float]:
    """Outlines, and uptake where the CT shows air; NaN where the CT is missing or too short.

    ``outline_dice``: over the sections that both show. ``outline_dice_worst``: tenth percentile over sections.
    ``outline_shift_mm``: :func:`lymphoma.imaging.pet_ct_shift_mm`. ``air_suv_log``: 90th percentile of SUV in the CT's
    lungs over the body's median: organs of somebody else's body lie there.
    """
    both = (view.ct_hu.array.max(axis=(1, 2)) > AIR_HU + 100) & view.pet_body.any(axis=(1, 2))
    if both.sum() < LEAST_SECTIONS:
        return dict.fromkeys(("outline_dice", "outline_dice_worst", "outline_shift_mm", "air_suv_log"), math.nan)
    pet, ct = view.pet_body[both], view.ct_body[both]
    shift = pet_ct_shift_mm(view.suv, view.ct_hu)
    return {
        "outline_dice": _dice(pet, ct),
        "outline_dice_worst": float(np.quantile([_dice(a, b) for a, b in zip(pet, ct, strict=True)], 0.1)),
        "outline_shift_mm": math.nan if shift is None else shift,
        "air_suv_log": _air_suv_log(view),
    }


def _dice(one: Mask, other: Mask) -> float:
    return float(2 * (one & other).sum() / max(int(one.sum() + other.sum()), 1))


def _air_suv_log(view: ScanView) -> float:
    air = view.ct_body & (view.ct_hu.array < LUNG_HU)
    if air.sum() * view.voxel_ml < LEAST_AIR_ML:
        return math.nan
    body = float(np.median(view.suv.array[view.pet_body]))
    return math.log(max(float(np.quantile(view.suv.array[air], 0.9)), 0.01) / max(body, 0.01))
