"""PET and CT made ready for fusion: window, smoothing, denoising, z-scores ("Data preprocessing" of the paper)."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from scipy import ndimage

from lymphoma.errors import NotComputable
from lymphoma.imaging.body import body_mask
from lymphoma.imaging.volume import Volume

__all__ = ["PreparationSettings", "Prepared", "prepare", "windowed"]

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
FWHM_IN_SD = float(np.sqrt(8 * np.log(2)))
"""Full width at half maximum of a Gaussian, in its standard deviations."""
FACES = ndimage.generate_binary_structure(3, 1)
"""A voxel and its six neighbours. A median over all 27 would take away lesions of a few voxels, and takes five times as
long."""


@dataclass(frozen=True, config=STRICT)
class PreparationSettings:
    """How the images are prepared.

    Attributes:
        window_width_hu, window_level_hu: as published, -125 to 225 HU.
        pet_fwhm_mm: of the Gaussian; 0 leaves it out. [A] 4 mm, below the resolution of the scanner, as is usual
            after reconstruction; the paper gives no figure.
        median: whether the PET is denoised by a median over each voxel and its six neighbours, within the bounding box
            of the body [A].
    """

    window_width_hu: Annotated[float, Field(gt=0)] = 350.0
    window_level_hu: float = 50.0
    pet_fwhm_mm: Annotated[float, Field(ge=0)] = 4.0
    median: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """z-scores over the body, float32, on one grid; outside the body they follow from the same mean and spread."""

    pet: Volume
    ct: Volume


def prepare(suv: Volume, ct_hu: Volume, settings: PreparationSettings | None = None) -> Prepared:
    """Window, smoothing, denoising, z-scores, in the paper's order.

    The mean and the standard deviation are those of the body's voxels [A]: over the whole grid they would tell how much
    air the scan shows.

    Args:
        suv: SUV, g/mL. ct_hu: Hounsfield units on the same grid, registered to the PET.

    Raises:
        ValueError: the grids differ.
        NotComputable: ``VALUES_NOT_FINITE``; ``CONSTANT_IMAGE``: no body is seen, or one image is the same everywhere
            in it.
    """
    if not suv.same_grid(ct_hu):
        raise ValueError("the CT is not on the grid of the PET")
    settings = settings or PreparationSettings()
    if not (np.isfinite(suv.array).all() and np.isfinite(ct_hu.array).all()):
        raise NotComputable("VALUES_NOT_FINITE", "the PET or the CT has values that are not numbers")
    body = body_mask(suv, ct_hu)
    if not body.any():
        raise NotComputable("CONSTANT_IMAGE", "the CT shows no body")
    pet = suv.with_array(_smoothed(suv, body, settings))
    return Prepared(_scored(pet, body), _scored(ct_hu.with_array(windowed(ct_hu.array, settings)), body))


def windowed(hu: npt.NDArray[Any], settings: PreparationSettings | None = None) -> npt.NDArray[np.float32]:
    """Hounsfield units cut off at both ends of the window; any shape."""
    settings = settings or PreparationSettings()
    half = settings.window_width_hu / 2
    low, high = settings.window_level_hu - half, settings.window_level_hu + half
    return np.asarray(np.clip(hu, low, high), dtype=np.float32)


def _smoothed(suv: Volume, body: npt.NDArray[np.bool_], settings: PreparationSettings) -> npt.NDArray[np.float32]:
    values = suv.array.astype(np.float32)
    if settings.pet_fwhm_mm:
        sigma = settings.pet_fwhm_mm / FWHM_IN_SD / suv.spacing_mm[::-1]
        values = ndimage.gaussian_filter(values, sigma, mode="nearest")
    if settings.median:
        box = ndimage.find_objects(body.astype(np.uint8))[0]
        values[box] = ndimage.median_filter(values[box], footprint=FACES, mode="nearest")
    return np.asarray(values, dtype=np.float32)


def _scored(volume: Volume, body: npt.NDArray[np.bool_]) -> Volume:
    inside = volume.array[body].astype(np.float64)
    mean, spread = float(inside.mean()), float(inside.std())
    if spread <= np.finfo(np.float32).eps * max(1.0, abs(mean)):
        raise NotComputable("CONSTANT_IMAGE", "the PET or the CT is the same everywhere in the body")
    return volume.with_array(((volume.array - mean) / spread).astype(np.float32))
