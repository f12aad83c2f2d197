"""The CT scanner: CT numbers with couch, metal, a limited field, noise, and the faults of the examination."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.metal import add_metal
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.scan import CtScan
from lymphoma.simulation.tissues import LABELS

__all__ = ["ct_numbers", "expose", "noise_by_slice", "upsample_in_plane", "with_ct_noise"]

Array = npt.NDArray[np.float32]
CT_NOISE_HU = 13.0
PADDING_HU = -1024.0
CONSTANT_HU = 40.0
_BANK = 16
_BLUR_MM = 0.9
_TYPICAL_AREA_MM2 = 75_000.0
_RIM_MM, _RIM_HU = 9.0, 260.0


def ct_numbers(
    tissues: npt.NDArray[np.uint8],
    grid: Grid,
    table: Array,
    *,
    couch: bool = True,
    masses: npt.NDArray[np.bool_] | None = None,
    mass_hu: float = 46.0,
) -> Array:
    """CT numbers of tissue labels in HU, float32, slightly blurred in plane; with the couch under the patient.

    Args:
        tissues: on ``grid``, (k, j, i). table: HU of each label, shape (256,). masses: voxels of lesions that show.
    """
    hu = np.asarray(table[tissues], dtype=np.float32)
    if masses is not None:
        hu[masses] = mass_hu
    if couch:
        _lay_couch(hu, tissues, grid)
    sigma = (0.0, *(_BLUR_MM / spacing for spacing in (grid.spacing_mm[1], grid.spacing_mm[0])))
    if max(sigma) < 0.25:  # the weight of a neighbour is then below 0.04 %
        return hu
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


def expose(hu: Array, plan: PatientPlan, grid: Grid, *, offset_mm: tuple[float, float, float]) -> Array:
    """What the examination makes of the CT numbers, but for noise: metal, offset, limited field, faults.

    Args:
        hu: on ``grid``; changed in place and returned. offset_mm: where the CT shows what the PET shows at 0.
    """
    ct = plan.scan.ct
    if ct.metal:
        add_metal(hu, plan, grid, offset_mm=offset_mm)
    hu += np.float32(ct.offset_hu)
    if ct.field_mm is not None:
        _cut_field(hu, grid, ct.field_mm)
    if ct.fault in ("air", "constant"):
        hu[:] = PADDING_HU if ct.fault == "air" else CONSTANT_HU
    return hu


def _cut_field(hu: Array, grid: Grid, field_mm: float) -> None:
    """Padding outside the reconstructed circle, and the bright rim where a body goes on beyond it."""
    x, y = grid.axis_mm(0)[None, :], grid.axis_mm(1)[:, None]
    inwards = field_mm / 2 - np.hypot(x, y)
    rim = np.where(inwards >= 0, _RIM_HU * np.exp(-inwards / _RIM_MM), 0.0).astype(np.float32)
    j, i = np.nonzero(rim > 5.0)
    edge = hu[:, j, i]
    # only where the body reaches the circle itself: the voxel of the circle in the same direction is body
    out_j, out_i = (
        np.clip(
            np.rint((along[index] * (field_mm / 2 - 2.0) / np.hypot(x[0, i], y[j, 0]) - axis[0]) / step), 0, size - 1
        )
        for along, index, axis, step, size in (
            (y[:, 0], j, y[:, 0], grid.spacing_mm[1], grid.shape[1]),
            (x[0], i, x[0], grid.spacing_mm[0], grid.shape[2]),
        )
    )
    reaches = hu[:, out_j.astype(np.intp), out_i.astype(np.intp)] > -300.0
    hu[:, j, i] = edge + rim[j, i] * reaches
    hu[:, inwards < 0] = PADDING_HU


def noise_by_slice(hu: Array, grid: Grid, ct: CtScan) -> Array:
    """Standard deviation of the noise of each slice: higher where the body is thick, none where nothing was taken."""
    if ct.fault in ("air", "constant"):
        return np.zeros(hu.shape[0], dtype=np.float32)
    area = (hu > -300.0).sum(axis=(1, 2)) * (grid.spacing_mm[0] * grid.spacing_mm[1])
    thickness = np.sqrt(area / _TYPICAL_AREA_MM2)
    return np.asarray(ct.noise_hu * np.clip(np.exp(0.9 * (thickness - 1)), 0.6, 2.0), dtype=np.float32)


def upsample_in_plane(coarse: Array, seed: int, noise_hu: Array) -> npt.NDArray[np.int16]:
    """CT on twice the rows and columns: linear between voxel centres, with noise, as stored CT numbers.

    The noise comes from a bank of slices, each turned over and shifted at random, so that hundreds of slices of
    512 x 512 stay quick.

    Args:
        coarse: HU, shape (k, j, i). noise_hu: standard deviation in each slice, shape (k,).

    Returns:
        int16 of shape (k, 2j, 2i), within -1024..3071.
    """
    slices, rows, columns = coarse.shape
    fine = np.empty((slices, 2 * rows, 2 * columns), dtype=np.int16)
    bank, picks = _noise_bank(seed, (2 * rows, 2 * columns), slices)
    for k in range(slices):
        doubled = _double(_double(coarse[k]).T).T
        _add_noise(doubled, bank, picks[k], noise_hu[k])
        np.clip(np.rint(doubled, out=doubled), -1024, 3071, out=doubled)
        fine[k] = doubled
    return fine


def with_ct_noise(hu: Array, seed: int, noise_hu: Array) -> npt.NDArray[np.int16]:
    """The same noise without a change of grid; (k, j, i) to int16. ``noise_hu`` has shape (k,)."""
    bank, picks = _noise_bank(seed, (hu.shape[1], hu.shape[2]), hu.shape[0])
    noisy = hu.copy()
    for k, pick in enumerate(picks):
        _add_noise(noisy[k], bank, pick, noise_hu[k])
    return np.asarray(np.clip(np.rint(noisy, out=noisy), -1024, 3071, out=noisy), dtype=np.int16)


def _add_noise(image: Array, bank: Array, pick: npt.NDArray[np.int64], noise_hu: np.float32) -> None:
    """Noise of SD ``noise_hu``, in place; padding has none."""
    number, shift_j, shift_i = pick
    noise = np.roll(bank[number], (shift_j, shift_i), axis=(0, 1))
    noise *= noise_hu
    image += np.where(image > -1010.0, noise, np.float32(0))


def _noise_bank(seed: int, shape: tuple[int, int], slices: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Slices of noise of SD 1, and for every slice of the CT which to take and how far to shift it."""
    rng = np.random.default_rng([seed, 7])
    bank = rng.standard_normal((min(_BANK, max(slices // 4, 4)), *shape), dtype=np.float32)
    bank = np.asarray(ndimage.gaussian_filter(bank, (0.0, 0.7, 0.7), mode="wrap", truncate=3.0), dtype=np.float32)
    bank /= np.float32(bank.std())
    picks = np.stack([rng.integers(0, n, slices) for n in (len(bank), *shape)], axis=1)
    return bank, picks


def _double(image: Array) -> Array:
    """Twice the rows by linear interpolation between centres (weights 3/4 and 1/4)."""
    before, after = np.roll(image, 1, axis=0), np.roll(image, -1, axis=0)
    before[0], after[-1] = image[0], image[-1]
    doubled = np.empty((2 * image.shape[0], image.shape[1]), dtype=np.float32)
    doubled[0::2] = np.float32(0.75) * image + np.float32(0.25) * before
    doubled[1::2] = np.float32(0.75) * image + np.float32(0.25) * after
    return doubled
