"""Where the organs lie to one another, and what lies where whatever an organ map says."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.scan_range.view import Mask, ScanView

__all__ = ["place_features"]

AIR_LIMIT_HU = -500.0
LEAST_AIR_ML = 800.0
"""Less air in the body is no pair of lungs."""

LONG_MM = 600.0
"""A shorter piece of a body does not tell how high in it the lungs should lie."""

SLAB_MM = 80.0
SOFT_HU = (-20.0, 250.0)
SMOOTH_MM = 15.0
BRIGHTER = 1.3
OPENING_MM = 18.0
LEAST_SOLID_ML = 100.0
LEAST_ORGAN_ML = 20.0


def place_features(view: ScanView) -> dict[str, float]:
    """Positions in mm (x to the left, z to the head) and shares; NaN for what is not seen.

    The ``air_`` and ``solid_`` features need no organ map: a network that learned where the liver belongs may look for
    it there on a scan turned over.
    """
    return {**_order(view), **_sides(view), **_by_air(view)}


def _centre(view: ScanView, *organs: str) -> npt.NDArray[np.float64]:
    mask = view.organ(*organs)
    return view.centre_mm(mask) if mask.sum() * view.voxel_ml >= LEAST_ORGAN_ML else np.full(3, np.nan)


def _order(view: ScanView) -> dict[str, float]:
    lungs, liver = _centre(view, "lung_left", "lung_right")[2], _centre(view, "liver")[2]
    return {
        "lungs_above_liver_mm": float(lungs - liver),
        "liver_above_pelvis_mm": float(liver - _centre(view, "hip", "sacrum")[2]),
        "brain_above_lungs_mm": float(_centre(view, "brain")[2] - lungs),
        "heart_above_liver_mm": float(_centre(view, "heart")[2] - liver),
    }


def _sides(view: ScanView) -> dict[str, float]:
    """How far to the left of the body's middle, in its own sections, an organ lies."""

    def to_left(*organs: str) -> float:
        mask = view.organ(*organs)
        if mask.sum() * view.voxel_ml < LEAST_ORGAN_ML:
            return math.nan
        sections = view.pet_body & np.any(mask, axis=(1, 2), keepdims=True)
        return float(view.centre_mm(mask)[0] - view.centre_mm(sections)[0])

    return {
        "liver_to_left_mm": to_left("liver"),
        "spleen_to_left_mm": to_left("spleen"),
        "heart_to_left_mm": to_left("heart"),
        "lung_left_to_left_mm": to_left("lung_left"),
    }


def _by_air(view: ScanView) -> dict[str, float]:
    """The lungs as air in the body: the heart takes from the left one, the apex is narrow, the liver below.

    ``air_to_left``: (left - right) / both. ``air_taper``: how much longer the upper half of the air is than the lower,
    over its length. ``solid_to_left_mm``: of avid tissue around the lungs' lower end. ``air_height``: of the
    lungs' middle over the body's, over the length seen.
    """
    unknown = dict.fromkeys(("air_to_left", "air_taper", "solid_to_left_mm", "air_height"), math.nan)
    air = view.ct_body & (view.ct_hu.array < AIR_LIMIT_HU)
    if air.sum() * view.voxel_ml < LEAST_AIR_ML:
        return unknown
    points = view.suv.points_mm(np.argwhere(air))
    low, middle, high = np.quantile(points[:, 2], [0.05, 0.5, 0.95])
    axis_x = _body_middle_x(view, low, high)
    body_z = view.suv.points_mm(np.argwhere(view.ct_body.any(axis=(1, 2)))[:, [0, 0, 0]] * [1, 0, 0])[:, 2]
    length_mm = float(np.ptp(body_z))
    return {
        "air_to_left": float(np.mean(np.sign(points[:, 0] - axis_x))),
        "air_taper": float((high - 2 * middle + low) / max(high - low, 1.0)),
        "solid_to_left_mm": _solid_to_left(view, float(low), axis_x),
        "air_height": float((middle - body_z.mean()) / length_mm) if length_mm >= LONG_MM else math.nan,
    }


def _body_middle_x(view: ScanView, low_mm: float, high_mm: float) -> float:
    return float(view.centre_mm(view.ct_body & _between(view, low_mm, high_mm))[0])


def _solid_to_left(view: ScanView, height_mm: float, axis_x: float) -> float:
    """Centroid of the solid, avid tissue around the lungs' lower end, in mm to the left of the body's middle.

    The liver is by far the largest piece of soft tissue there that is brighter than the body's average and that an
    opening by 2 cm leaves over.
    """
    slab = view.ct_body & _between(view, height_mm - SLAB_MM, height_mm + SLAB_MM)
    soft = slab & (view.ct_hu.array > SOFT_HU[0]) & (view.ct_hu.array < SOFT_HU[1])
    if not soft.any():
        return math.nan
    edge_mm = float(view.suv.spacing_mm.mean())
    smooth = ndimage.uniform_filter(view.suv.array, max(1, round(SMOOTH_MM / edge_mm)))
    avid = soft & (smooth > BRIGHTER * float(np.median(view.suv.array[slab])))
    rounds = max(1, round(OPENING_MM / edge_mm))
    labels, count = ndimage.label(ndimage.binary_opening(avid, iterations=rounds))
    solid = (
        np.asarray(labels == 1 + int(np.bincount(labels.ravel(), minlength=count + 1)[1:].argmax())) if count else avid
    )
    if not count or solid.sum() * view.voxel_ml < LEAST_SOLID_ML:
        return math.nan
    return float(view.centre_mm(solid)[0] - axis_x)


def _between(view: ScanView, low_mm: float, high_mm: float) -> Mask:
    """Sections whose middle lies between two heights, shape (sections, 1, 1)."""
    count, rows, columns = view.suv.array.shape
    middles = np.stack([np.arange(count), np.full(count, rows / 2), np.full(count, columns / 2)], axis=1)
    z = view.suv.points_mm(middles)[:, 2]
    return np.asarray((z >= low_mm) & (z <= high_mm))[:, None, None]
