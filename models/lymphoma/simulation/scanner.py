"""The scanners: blur and noise of the PET, CT numbers and noise of the CT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.tissues import LABELS, TISSUES

__all__ = ["add_pet_noise", "blur", "ct_numbers", "pet_response", "upsample_in_plane", "with_ct_noise"]

Array = npt.NDArray[np.float32]
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
NOISE_FWHM_MM = 5.5
CT_NOISE_HU = 13.0
_BANK = 24


def blur(activity: Array, fwhm_mm: float, spacing_mm: tuple[float, float, float]) -> Array:
    """Gaussian point spread, the same everywhere.

    Args:
        activity: (k, j, i). fwhm_mm: full width at half maximum. spacing_mm: (x, y, z).
    """
    sigma = [fwhm_mm / FWHM_PER_SIGMA / spacing for spacing in reversed(spacing_mm)]
    return np.asarray(ndimage.gaussian_filter(activity, sigma, mode="nearest", truncate=3.5), dtype=np.float32)


def pet_response(activity: Array, plan: PatientPlan, grid: Grid, *, slices: slice | None = None) -> Array:
    """What the scanner would show of ``activity`` without noise.

    Args:
        activity: SUV on ``grid``, or on a box of it. slices: the slices of ``grid`` in that box; None is all.
    """
    return blur(activity, plan.scan.psf_fwhm_mm, grid.spacing_mm)


def add_pet_noise(
    noise_free: Array, plan: PatientPlan, liver_suv: float, spacing_mm: tuple[float, float, float]
) -> Array:
    """Noise whose variance is proportional to the local uptake, correlated over ``NOISE_FWHM_MM``.

    Its coefficient of variation in tissue of ``liver_suv`` is the plan's; a floor stands for scatter in air. Negative
    values, which a reconstruction does not give, become 0.
    """
    rng = np.random.default_rng([plan.seed, 6])
    white = blur(rng.standard_normal(noise_free.shape, dtype=np.float32), NOISE_FWHM_MM, spacing_mm)
    white /= np.float32(white.std())
    scale = plan.scan.liver_cov**2 * liver_suv
    noisy = noise_free + white * np.sqrt(np.float32(scale) * (noise_free + np.float32(0.004)))
    return np.asarray(np.maximum(noisy, np.float32(0)), dtype=np.float32)


def ct_numbers(tissues: npt.NDArray[np.uint8], grid: Grid, *, couch: bool = True) -> Array:
    """CT numbers of tissue labels in HU, float32, slightly blurred in plane; with the couch under the patient."""
    table = np.full(256, -1000.0, dtype=np.float32)
    for label, tissue in enumerate(TISSUES):
        table[label] = tissue.hu
    hu = table[tissues]
    if couch:
        _lay_couch(hu, tissues, grid)
    sigma = (0.0, *(0.9 / spacing for spacing in (grid.spacing_mm[1], grid.spacing_mm[0])))
    return np.asarray(ndimage.gaussian_filter(hu, sigma, mode="nearest", truncate=3.0), dtype=np.float32)


def _lay_couch(hu: Array, tissues: npt.NDArray[np.uint8], grid: Grid) -> None:
    """A curved carbon shell with a foam core, just under the lowest point of the back."""
    rows = np.flatnonzero((tissues != LABELS["outside"]).any(axis=(0, 2)))
    back = grid.axis_mm(1)[rows[-1]] + 2.0 if len(rows) else 100.0
    x, y = grid.axis_mm(0)[None, :], grid.axis_mm(1)[:, None]
    top = back - 0.00035 * x**2
    depth = y - top
    bed = (depth >= 0) & (depth < 36) & (np.abs(x) < 210)
    shell = bed & ((depth < 4) | (depth > 32) | (np.abs(x) > 205))
    outside = tissues == LABELS["outside"]
    hu[outside & shell[None]] = -180.0
    hu[outside & (bed & ~shell)[None]] = -930.0


def upsample_in_plane(coarse: Array, seed: int) -> npt.NDArray[np.int16]:
    """CT on twice the rows and columns: linear between voxel centres, with noise, as stored CT numbers.

    The noise comes from a bank of slices, each turned over and shifted at random, so that hundreds of slices of
    512 x 512 stay quick.

    Args:
        coarse: HU, shape (k, j, i).

    Returns:
        int16 of shape (k, 2j, 2i), within -1024..3071.
    """
    slices, rows, columns = coarse.shape
    fine = np.empty((slices, 2 * rows, 2 * columns), dtype=np.int16)
    bank, picks = _noise_bank(seed, (2 * rows, 2 * columns), slices)
    for k in range(slices):
        doubled = _double(_double(coarse[k]).T).T
        pick, shift_j, shift_i = picks[k]
        doubled = doubled + np.roll(bank[pick], (shift_j, shift_i), axis=(0, 1))
        np.clip(np.rint(doubled, out=doubled), -1024, 3071, out=doubled)
        fine[k] = doubled
    return fine


def with_ct_noise(hu: Array, seed: int) -> npt.NDArray[np.int16]:
    """The same noise without a change of grid; (k, j, i) to int16."""
    bank, picks = _noise_bank(seed, (hu.shape[1], hu.shape[2]), hu.shape[0])
    noisy = np.stack([hu[k] + np.roll(bank[n], (j, i), axis=(0, 1)) for k, (n, j, i) in enumerate(picks)])
    return np.asarray(np.clip(np.rint(noisy), -1024, 3071), dtype=np.int16)


def _noise_bank(seed: int, shape: tuple[int, int], slices: int) -> tuple[Array, npt.NDArray[np.int64]]:
    rng = np.random.default_rng([seed, 7])
    bank = rng.standard_normal((_BANK, *shape), dtype=np.float32)
    bank = np.asarray(ndimage.gaussian_filter(bank, (0.0, 0.7, 0.7), mode="wrap", truncate=3.0), dtype=np.float32)
    bank *= np.float32(CT_NOISE_HU / bank.std())
    picks = np.stack([rng.integers(0, n, slices) for n in (_BANK, *shape)], axis=1)
    return bank, picks


def _double(image: Array) -> Array:
    """Twice the rows by linear interpolation between centres (weights 3/4 and 1/4)."""
    before, after = np.roll(image, 1, axis=0), np.roll(image, -1, axis=0)
    before[0], after[-1] = image[0], image[-1]
    doubled = np.empty((2 * image.shape[0], image.shape[1]), dtype=np.float32)
    doubled[0::2] = np.float32(0.75) * image + np.float32(0.25) * before
    doubled[1::2] = np.float32(0.75) * image + np.float32(0.25) * after
    return doubled
