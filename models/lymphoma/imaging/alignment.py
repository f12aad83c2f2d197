"""Do PET and CT show the body in the same place?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
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

Mask = npt.NDArray[np.bool_]


def pet_ct_shift_mm(suv: Volume, ct_hu: Volume) -> float | None:
    """Length of the rigid shift between the outline of the body on PET and on CT.

    Outlines: SUV of 0.2 after light smoothing, and :func:`lymphoma.imaging.body_mask`, both as gradient magnitude
    on a grid of about 8 mm; the shift is where their cross-correlation peaks, to 0.4 mm. Edges where the scan cuts
    the body do not take part. On a phantom shifted by up to 23 mm it reads within 1 mm.

    A shift of inner organs by breathing is not seen, only one of the whole body.

    Args:
        suv: SUV on the PET grid. ct_hu: on the same grid; slices without CT hold -1024 HU or less.

    Returns:
        mm; None where it cannot be judged: under 600 mm of body (a piece of trunk looks alike wherever along the
        patient it is placed), a body cut by the sides of the field of view, or outlines that do not match at all.
    """
    axis, _ = head_axis(suv)
    ct_body, pet_body = body_mask(suv, ct_hu), _pet_outline(suv, axis)
    seen = _seen_by_both(pet_body, np.moveaxis(ct_hu.array, axis, 0), axis, float(suv.spacing_mm[2 - axis]))
    ct_body, pet_body = np.moveaxis(ct_body, axis, 0)[seen], np.moveaxis(pet_body, axis, 0)[seen]
    spacing_mm = np.concatenate(([suv.spacing_mm[2 - axis]], np.delete(suv.spacing_mm[::-1], axis)))
    both = ct_body.any(axis=(1, 2)) & pet_body.any(axis=(1, 2))
    if both.sum() * spacing_mm[0] < LEAST_EXTENT_MM or _cut_at_the_sides(ct_body) or _cut_at_the_sides(pet_body):
        return None
    blocks = np.maximum(1, np.round(WORKING_MM / spacing_mm)).astype(np.int64)
    coarse_ct, coarse_pet = _coarse(ct_body, blocks), _coarse(pet_body, blocks)
    steps, _, _ = phase_cross_correlation(
        _edges(coarse_pet), _edges(coarse_ct), upsample_factor=FINENESS, normalization=None
    )
    if _overlap(coarse_pet, np.asarray(ndimage.shift(coarse_ct, steps, order=1))) < LEAST_OVERLAP:
        return None
    return round(float(np.linalg.norm(steps * blocks * spacing_mm)), 1)


def _pet_outline(suv: Volume, axis: int) -> Mask:
    smooth = ndimage.gaussian_filter(suv.array.astype(np.float32), 4.0 / suv.spacing_mm[::-1])
    return filled_sections(np.asarray(smooth > PET_OUTLINE_SUV), axis)


def _seen_by_both(pet_body: Mask, ct_sections: npt.NDArray[np.floating], axis: int, step_mm: float) -> slice:
    """Sections to compare: all, unless the CT is much shorter than the body on PET, then those that have a CT."""
    has_ct = ct_sections.max(axis=(1, 2)) > CT_PADDING_HU
    has_body = np.moveaxis(pet_body, axis, 0).any(axis=(1, 2))
    if not has_ct.any() or (has_body & ~has_ct).sum() * step_mm <= SHORT_CT_MM:
        return slice(None)
    known = np.flatnonzero(has_ct)
    return slice(int(known[0]), int(known[-1]) + 1)


def _cut_at_the_sides(sections: Mask) -> bool:
    """Whether more than a tenth of the border around the sections is body."""
    sides = [sections[:, 0], sections[:, -1], sections[:, :, 0], sections[:, :, -1]]
    return float(np.mean(np.concatenate([side.ravel() for side in sides]))) > 0.1


def _coarse(mask: Mask, blocks: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Means of whole blocks; an incomplete last block is left out."""
    counts = np.asarray(mask.shape) // blocks
    whole = mask[tuple(slice(0, n) for n in counts * blocks)].astype(np.float32)
    return np.asarray(whole.reshape(np.stack((counts, blocks), axis=1).ravel().tolist()).mean(axis=(1, 3, 5)))


def _edges(coarse: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_gradient_magnitude(coarse, 1.0, mode="nearest"))


def _overlap(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Dice coefficient of two fractional masks."""
    return float(2 * np.minimum(one, other).sum() / max(float(one.sum() + other.sum()), 1.0))
