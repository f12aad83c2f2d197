"""How much of the body the scan shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.body import body_mask, head_axis
from lymphoma.imaging.volume import Volume

__all__ = ["Coverage", "coverage"]

WHOLE_MM = 600.0
"""The least axial extent of a scan from skull base to mid-thigh; a small adult measures about 750 mm."""

HEAD_TOP_CM2 = 75.0
"""A section through a head below its vertex is larger (an adult's at the skull base about 200 cm2), a raised
forearm smaller; an assumption between the two."""

LEG_CM2 = 40.0
"""The least section of a leg, calf or thigh; an assumption."""

THIGH_MM = 120.0
"""Length of femur that must be seen to count as mid-thigh: a third of a small adult's; an assumption."""

BRAIN = ("brain",)
FEMUR = ("femur_left", "femur_right", "femur", "femurs")
HIP = ("hip_left", "hip_right", "hip")

BELOW_BRAIN = ("heart", "liver", "urinary_bladder", *HIP, *FEMUR)
"""What lies below a brain in every patient; a "brain" below one of them is a mistake of the organ map."""

BRAIN_ML = 20.0
"""Less is a mistake of the organ map; a cerebellum has about 120 mL [A]."""

BRAIN_CUT_CM2 = 10.0
"""A larger section of brain in the last slice was cut there; a smaller one may be a rim of interpolation [A]."""

FEMUR_CM2 = 2.0
"""Section of one femur's shaft, about 6 cm2, less what a coarse map loses; single voxels do not count [A]."""

FEMUR_GAP_MM = 25.0
"""Slices in which the map lost a femur that it has above and below [A]."""


@dataclass(frozen=True)
class Coverage:
    """What part of the body lies in the field of view.

    Attributes:
        field_of_view: "whole" is skull base to mid-thigh; everything less is "partial".
        extent_mm: length of the body seen, along the patient.
        brain_covered: the whole brain, up to the top of the head. thighs_covered: down to the middle of the thighs.
            None where the images cannot tell.
        reasons: a sentence for everything that is missing or could not be judged.
    """

    field_of_view: Literal["whole", "partial"]
    extent_mm: float
    brain_covered: bool | None
    thighs_covered: bool | None
    reasons: tuple[str, ...]


def coverage(suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Coverage:
    """Grades the field of view; head and foot are told by the patient's z axis, whatever the array's order.

    Without organs the body's profile decides: the extent; the top of the head is seen when the largest connected
    section of the body's uppermost slice is smaller than 75 cm2 (a head cut below its vertex, a neck, a chest are
    larger); the thighs when the lowest slice shows two separate legs. Neither can be told of a scan under 600 mm.
    With organs: the brain is in the field and does not end at its upper edge; 120 mm of femur are seen in one piece,
    below the hip bones. The organs are a network's and may be wrong in places: small bits of either do not count.

    A scan is partial when less than 600 mm of body are seen, when the organ map knows the brain and finds none of
    it, or when the thighs are known to be missing. A head cut above the skull base leaves it whole, with
    ``brain_covered`` False.

    Args:
        suv: SUV on the PET grid. ct_hu: on the same grid.
    """
    axis, towards_head = head_axis(suv)
    sections = np.moveaxis(body_mask(suv, ct_hu), axis, 0)[::towards_head]
    spacing_mm = suv.spacing_mm[::-1]
    pixel_cm2 = float(np.prod(np.delete(spacing_mm, axis))) / 100.0
    extent_mm = _extent_mm(sections, float(spacing_mm[axis]))
    long_enough = extent_mm >= WHOLE_MM
    reasons = [] if long_enough else [f"{extent_mm:.0f} mm of the body are seen, less than {WHOLE_MM:.0f} mm"]
    brain = _brain_by_organs(anatomy, axis, towards_head)
    if brain is None:
        brain = _brain_by_profile(sections, pixel_cm2, long_enough)
    thighs = _thighs_by_organs(anatomy, axis, towards_head, float(spacing_mm[axis]))
    if thighs is None:
        thighs = _thighs_by_profile(sections, pixel_cm2, long_enough)
    no_brain = anatomy.has(*BRAIN) and not _has_brain(anatomy, axis, towards_head)
    if no_brain:
        reasons.append("no part of the brain lies in the field of view")
    elif brain is False:
        reasons.append("the top of the head is not seen")
    if thighs is False:
        reasons.append("the field of view ends above the middle of the thighs")
    if brain is None:
        reasons.append("whether the brain is covered cannot be told without an organ map")
    if thighs is None:
        reasons.append("whether the thighs are covered cannot be told without an organ map")
    partial = not long_enough or no_brain or thighs is False
    return Coverage("partial" if partial else "whole", extent_mm, brain, thighs, tuple(reasons))


def _extent_mm(sections: npt.NDArray[np.bool_], step_mm: float) -> float:
    seen = np.flatnonzero(sections.any(axis=(1, 2)))
    return float(seen[-1] - seen[0] + 1) * step_mm if seen.size else 0.0


def _parts_cm2(section: npt.NDArray[np.bool_], pixel_cm2: float) -> npt.NDArray[np.float64]:
    """Areas of the connected parts of one section, largest first."""
    labels, count = ndimage.label(section)
    return np.sort(np.bincount(labels.ravel(), minlength=count + 1)[1:] * pixel_cm2)[::-1]


def _brain_by_profile(sections: npt.NDArray[np.bool_], pixel_cm2: float, long_enough: bool) -> bool | None:
    if not sections.any():
        return None
    ends_in_air = _parts_cm2(sections[-1], pixel_cm2)[:1].sum() < HEAD_TOP_CM2
    if not ends_in_air:
        return False
    return True if long_enough else None


def _thighs_by_profile(sections: npt.NDArray[np.bool_], pixel_cm2: float, long_enough: bool) -> bool | None:
    if not long_enough:
        return None
    legs = _parts_cm2(sections[np.flatnonzero(sections.any(axis=(1, 2)))[0]], pixel_cm2)[:2]
    apart = len(legs) == 2 and legs[1] >= max(LEG_CM2, legs[0] / 2)
    return True if apart else None


def _brain_by_organs(anatomy: Anatomy, axis: int, towards_head: int) -> bool | None:
    """Whether the map holds a brain that does not end at the upper edge; None where it cannot tell a brain."""
    if not anatomy.has(*BRAIN):
        return None
    if not _has_brain(anatomy, axis, towards_head):
        return False
    return bool(_areas_cm2(anatomy, BRAIN, axis)[::towards_head][-1] < BRAIN_CUT_CM2)


def _has_brain(anatomy: Anatomy, axis: int, towards_head: int) -> bool:
    organs = anatomy.require(*BRAIN)
    least = BRAIN_ML / organs.voxel_volume_ml

    def height(*names: str) -> float:
        """Mean section, counted towards the head; -1 for less than 20 mL."""
        voxels = np.moveaxis(anatomy.mask(*names), axis, 0).sum(axis=(1, 2))[::towards_head]
        return float(np.average(np.arange(len(voxels)), weights=voxels)) if voxels.sum() >= least else -1.0

    brain = height(*BRAIN)
    return brain >= 0.0 and all(brain > height(name) for name in BELOW_BRAIN if anatomy.has(name))


def _thighs_by_organs(anatomy: Anatomy, axis: int, towards_head: int, step_mm: float) -> bool | None:
    """Whether so much femur is seen in one piece, below the hip bones where the map can tell those."""
    if not anatomy.has(*FEMUR):
        return None
    seen = _areas_cm2(anatomy, FEMUR, axis)[::towards_head] >= FEMUR_CM2
    if anatomy.has(*HIP):
        hips = np.flatnonzero(_areas_cm2(anatomy, HIP, axis)[::towards_head] >= FEMUR_CM2)
        seen[(hips[-1] + 1 if hips.size else 0) :] = False  # a humerus may be taken for a femur
    gap = int(FEMUR_GAP_MM / step_mm)
    whole = ndimage.binary_closing(np.pad(seen, gap + 1), np.ones(gap + 1)) if gap else seen
    lengths = np.bincount(ndimage.label(whole)[0])[1:]
    return bool(lengths.size and lengths.max() * step_mm >= THIGH_MM)


def _areas_cm2(anatomy: Anatomy, names: tuple[str, ...], axis: int) -> npt.NDArray[np.float64]:
    """Area of organs in each section across ``axis``."""
    organs = anatomy.require(*names)
    pixel_cm2 = float(np.prod(np.delete(organs.spacing_mm[::-1], axis))) / 100.0
    return np.asarray(np.moveaxis(anatomy.mask(*names), axis, 0).sum(axis=(1, 2)) * pixel_cm2)
