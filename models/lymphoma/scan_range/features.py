"""What is measured of a scan to tell whether it is of the kind the networks know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.reference import reference_liver
from lymphoma.errors import NotComputable
from lymphoma.imaging.registration import Verdict
from lymphoma.imaging.volume import Volume
from lymphoma.scan_range.agreement import agreement_features
from lymphoma.scan_range.place import place_features
from lymphoma.scan_range.view import Mask, ScanView, oriented, view_of

__all__ = ["NAMES", "ScanFeatures", "scan_features"]

LEAST_ML = 5.0
"""Less of an organ is a slip of the network, or the rim of an organ that lies outside the field of view [A]."""

LEAST_LUNG_ML = 300.0
"""A slice of lung at the edge of the field is mostly diaphragm: its uptake and density are no lung's."""

LEAST_SUV = 0.01

UPTAKE: Mapping[str, tuple[str, ...]] = {
    "blood": ("aorta",),
    "brain": ("brain",),
    "spleen": ("spleen",),
    "kidneys": ("kidney_left", "kidney_right"),
    "salivary_glands": ("parotid_gland", "submandibular_gland"),
    "spine_marrow": ("vertebrae_T", "vertebrae_L"),
    "pelvic_marrow": ("hip", "sacrum"),
    "bowel": ("small_bowel",),
    "heart": ("heart",),
    "lungs": ("lung_left", "lung_right"),
    "muscle": ("skeletal_muscle",),
}
"""Measured against the liver, so that dose, weight and calibration cancel."""

VOLUMES: Mapping[str, tuple[str, ...]] = {
    "brain": ("brain",),
    "lungs": ("lung_left", "lung_right"),
    "heart": ("heart",),
    "liver": ("liver",),
    "spleen": ("spleen",),
    "kidneys": ("kidney_left", "kidney_right"),
}

CT_VALUES: Mapping[str, tuple[str, ...]] = {
    "liver": ("liver",),
    "lungs": ("lung_left", "lung_right"),
    "muscle": ("skeletal_muscle",),
    "spine": ("vertebrae_T", "vertebrae_L"),
}


@dataclass(frozen=True)
class ScanFeatures:
    """Attributes:
    values: in the order of :data:`NAMES`; NaN where the scan does not show it.
    registration: verdict of the registration of its CT; None where none was tried.
    """

    values: tuple[float, ...]
    registration: Verdict | None = None

    def __post_init__(self) -> None:
        if len(self.values) != len(NAMES):
            raise ValueError(f"{len(NAMES)} features are expected, not {len(self.values)}")


def scan_features(
    suv: Volume,
    ct_hu: Volume,
    anatomy: Anatomy,
    uptake_minutes: float | None = None,
    registered: Verdict | None = None,
) -> ScanFeatures:
    """Measures a scan.

    Logarithms are natural. What is not in the field of view, or not known, is NaN.

    Args:
        suv: SUV by body weight. ct_hu: on the same grid, as the networks get it. anatomy: organs on the same grid, in
            the classes of the anatomy network. uptake_minutes: from injection to the scan. registered: verdict
            of the registration of its CT.
    """
    suv, ct_hu = oriented(suv), oriented(ct_hu)  # the liver's reference breaks ties by the array's order
    if anatomy.organs is not None:
        anatomy = replace(anatomy, organs=oriented(anatomy.organs))
    view = view_of(suv, ct_hu, anatomy)
    found = {
        **_size(suv, view),
        "uptake_minutes": math.nan if uptake_minutes is None else uptake_minutes,
        "liver_noise_log": _liver_noise(suv, anatomy),
        **_uptake(view),
        **{f"{name}_volume_log": _volume_log(view, view.organ(*organs)) for name, organs in VOLUMES.items()},
        **_ct_values(view),
        **place_features(view),
        **agreement_features(view),
    }
    return ScanFeatures(tuple(found[name] for name in NAMES), registered)


def _size(suv: Volume, view: ScanView) -> dict[str, float]:
    """Voxel, length of the body seen, and its mean section, which tells a build whatever the length."""
    seen = view.pet_body.any(axis=(1, 2))
    length_mm = float(seen.sum()) * float(view.suv.spacing_mm[2])
    volume_ml = float(view.pet_body.sum()) * view.voxel_ml
    return {
        "voxel_edge_log": math.log(suv.voxel_volume_ml * 1000.0) / 3.0,
        "length_log": math.log(length_mm) if length_mm else math.nan,
        "section_log": math.log(volume_ml / length_mm) if length_mm else math.nan,
    }


def _liver_noise(suv: Volume, anatomy: Anatomy) -> float:
    try:
        mean, deviation = reference_liver(suv, anatomy)
    except NotComputable:
        return math.nan
    return math.log(deviation / mean) if mean > 0 and deviation > 0 else math.nan


def _uptake(view: ScanView) -> dict[str, float]:
    """Median SUV of the liver, and of other organs over it; a median bears a lesion of less than half the organ."""
    liver = _median_log(view, view.organ("liver"))
    ratios = {
        f"{name}_to_liver_log": _median_log(view, view.organ(*organs), _least_ml(name)) - liver
        for name, organs in UPTAKE.items()
    }
    fat = view.ct_body & view.pet_body & (view.ct_hu.array > -130) & (view.ct_hu.array < -70)
    return {"liver_suv_log": liver, **ratios, "fat_to_liver_log": _median_log(view, fat) - liver}


def _median_log(view: ScanView, mask: Mask, least_ml: float = LEAST_ML) -> float:
    if mask.sum() * view.voxel_ml < least_ml:
        return math.nan
    return math.log(max(LEAST_SUV, float(np.median(view.suv.array[mask]))))


def _volume_log(view: ScanView, organ: Mask) -> float:
    """NaN for an organ that the field of view cuts."""
    volume_ml = float(organ.sum()) * view.voxel_ml
    if volume_ml < LEAST_ML or organ[:2].any() or organ[-2:].any():
        return math.nan
    return math.log(volume_ml)


def _ct_values(view: ScanView) -> dict[str, float]:
    def median(mask: Mask, least_ml: float) -> float:
        return float(np.median(view.ct_hu.array[mask])) if mask.sum() * view.voxel_ml >= least_ml else math.nan

    return {f"{name}_hu": median(view.organ(*organs), _least_ml(name)) for name, organs in CT_VALUES.items()}


def _least_ml(name: str) -> float:
    return LEAST_LUNG_ML if name == "lungs" else LEAST_ML


def _names() -> tuple[str, ...]:
    plain = ("voxel_edge_log", "length_log", "section_log", "uptake_minutes", "liver_noise_log", "liver_suv_log")
    place = (
        *("lungs_above_liver_mm", "liver_above_pelvis_mm", "brain_above_lungs_mm", "heart_above_liver_mm"),
        *("liver_to_left_mm", "spleen_to_left_mm", "heart_to_left_mm", "lung_left_to_left_mm"),
        *("air_to_left", "air_taper", "solid_to_left_mm", "air_height"),
    )
    agreement = ("outline_dice", "outline_dice_worst", "outline_shift_mm", "air_suv_log")
    return (
        *plain,
        *(f"{name}_to_liver_log" for name in (*UPTAKE, "fat")),
        *(f"{name}_volume_log" for name in VOLUMES),
        *(f"{name}_hu" for name in CT_VALUES),
        *place,
        *agreement,
    )


NAMES = _names()
"""The features in their order; a bundle's statistics name the same."""
