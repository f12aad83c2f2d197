"""Do PET and CT show the body in the same place?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import block_reduce
from skimage.registration import phase_cross_correlation

from lymphoma.imaging.body import body_mask, filled_sections, head_axis
from lymphoma.imaging.volume import Volume

__all__ = ["pet_ct_shift_mm"]

PET_OUTLINE_SUV = 0.2
"""Below subcutaneous fat (about 0.3), above the noise of air."""

WORKING_MM = 8.0
LEAST_EXTENT_MM = 600.0
LEAST_OVERLAP = 0.7
CT_PADDING_HU = -1024.0
SHORT_CT_MM = 40.0
FINENESS = 20
"""Parts of a working voxel to which the peak is found."""

Mask = npt.NDArray[np.bool_]


def pet_ct_shift_mm(suv: Volume, ct_hu: Volume) -> float | None:
    """Length of the rigid shift between the outline of the body on PET and on CT.

    Outlines: SUV of 0.2, and :func:`lymphoma.imaging.body_mask`, both as gradient magnitude on block means of
    about 8 mm; the shift is where their cross-correlation peaks. Edges where the scan cuts the body do not take
    part. A shift of inner organs by breathing is not seen, only one of the whole body.

    Args:
        suv: SUV on the PET grid. ct_hu: on the same grid; slices without CT hold -1024 HU or less.

    Returns:
        mm; None where it cannot be judged: under 600 mm of body (a piece of trunk looks alike wherever along the
        patient it is placed), a body cut by the sides of the field of view, or outlines that do not match at all.
    """
    pet, ct = _coarse(suv), _coarse(ct_hu)
    axis, _ = head_axis(pet)
    step_mm = float(pet.spacing_mm[2 - axis])
    pet_body = np.moveaxis(filled_sections(pet.array > PET_OUTLINE_SUV, axis), axis, 0)
    ct_body = np.moveaxis(body_mask(pet, ct), axis, 0)
    seen = _seen_by_both(pet_body, np.moveaxis(ct.array, axis, 0), step_mm)
    pet_body, ct_body = pet_body[seen], ct_body[seen]
    extent_mm = (ct_body.any(axis=(1, 2)) & pet_body.any(axis=(1, 2))).sum() * step_mm
    if extent_mm < LEAST_EXTENT_MM or _cut_at_the_sides(ct_body) or _cut_at_the_sides(pet_body):
        return None
    steps, _, _ = phase_cross_correlation(
        _edges(pet_body), _edges(ct_body), upsample_factor=FINENESS, normalization=None
    )
    if _overlap(pet_body, np.asarray(ndimage.shift(ct_body.astype(np.float32), steps, order=1))) < LEAST_OVERLAP:
        return None
    spacing_mm = np.concatenate(([step_mm], np.delete(pet.spacing_mm[::-1], axis)))
    return round(float(np.linalg.norm(steps * spacing_mm)), 1)


def _coarse(volume: Volume) -> Volume:
    """Means of whole blocks of about 8 mm; an incomplete last block is left out."""
    wanted = np.round(WORKING_MM / volume.spacing_mm[::-1]).astype(int)
    blocks = np.clip(wanted, 1, volume.array.shape)
    counts = np.asarray(volume.array.shape) // blocks
    whole = volume.array[tuple(slice(0, n) for n in counts * blocks)]
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] * blocks[::-1]
    affine[:3, 3] = volume.points_mm((blocks - 1) / 2)
    return Volume(np.asarray(block_reduce(whole, tuple(blocks.tolist()), np.mean), dtype=np.float32), affine)


def _seen_by_both(pet_body: Mask, ct_sections: npt.NDArray[np.floating], step_mm: float) -> slice:
    """Sections to compare: all, unless the CT is much shorter than the body on PET, then those that have a CT."""
    has_ct = ct_sections.max(axis=(1, 2)) > CT_PADDING_HU
    if not has_ct.any() or (pet_body.any(axis=(1, 2)) & ~has_ct).sum() * step_mm <= SHORT_CT_MM:
        return slice(None)
    known = np.flatnonzero(has_ct)
    return slice(int(known[0]), int(known[-1]) + 1)


def _cut_at_the_sides(sections: Mask) -> bool:
    """Whether more than a tenth of the border around the sections is body."""
    sides = [sections[:, 0], sections[:, -1], sections[:, :, 0], sections[:, :, -1]]
    return float(np.mean(np.concatenate([side.ravel() for side in sides]))) > 0.1


def _edges(body: Mask) -> npt.NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_gradient_magnitude(body.astype(np.float32), 1.0, mode="nearest"))


def _overlap(one: Mask, other: npt.NDArray[np.float32]) -> float:
    """Dice coefficient of a mask and a fractional one."""
    return float(2 * other[one].sum() / max(float(one.sum() + other.sum()), 1.0))
