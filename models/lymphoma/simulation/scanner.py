"""The PET scanner: breathing, blur with or without overshoot at edges, noise, calibration."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize, special

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.respiration import breathing_average

__all__ = ["add_pet_noise", "blur", "edge_response", "pet_response"]

Array = npt.NDArray[np.float32]
Triple = tuple[float, float, float]
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
_AIR_SUV = 0.004
_RADIUS_MM = 200.0  # where the blur has grown by psf_growth
_TYPICAL_RADIUS_MM = 100.0
_WIDER = 2.0  # sigma of what an edge-enhancing reconstruction takes away, in sigmas of what it adds
_LIVER_RADIUS_MM, _BODY_RADIUS_MM = 90.0, 180.0


def blur(activity: Array, fwhm_mm: float, spacing_mm: Triple) -> Array:
    """Gaussian point spread, the same everywhere.

    Args:
        activity: (k, j, i). fwhm_mm: full width at half maximum. spacing_mm: (x, y, z).
    """
    sigma = [fwhm_mm / FWHM_PER_SIGMA / spacing for spacing in reversed(spacing_mm)]
    return np.asarray(ndimage.gaussian_filter(activity, sigma, mode="nearest", truncate=3.5), dtype=np.float32)


def edge_response(activity: Array, fwhm_mm: float, overshoot: float, spacing_mm: Triple) -> Array:
    """Blur by a line spread of ``fwhm_mm`` that overshoots at a plane edge by a share ``overshoot`` of the step.

    A narrow Gaussian less a wide one: what a reconstruction that models the point spread does at edges (Gibbs). A
    small hot object overshoots more than an edge. Values may be negative beside a high edge.
    """
    if overshoot == 0.0:
        return blur(activity, fwhm_mm, spacing_mm)
    gain, narrow = _edge_kernel(overshoot)
    sharp = blur(activity, fwhm_mm * narrow, spacing_mm)
    return (1 + np.float32(gain)) * sharp - np.float32(gain) * blur(activity, fwhm_mm * narrow * _WIDER, spacing_mm)


@lru_cache(maxsize=256)
def _edge_kernel(overshoot: float) -> tuple[float, float]:
    """(gain, width): (1 + gain) G(w) - gain G(2 w) has line spread width 1 and overshoots a step as wanted."""
    u = np.linspace(0.0, 6.0, 601)
    narrow, wide = special.ndtr(u), special.ndtr(u / _WIDER)

    def excess(gain: float) -> float:
        return float(((1 + gain) * narrow - gain * wide).max() - 1.0 - overshoot)

    gain = float(optimize.brentq(excess, 0.0, 12.0, xtol=1e-6))

    def height(x: float) -> float:
        return float((1 + gain) * np.exp(-(x**2) / 2) - gain / _WIDER * np.exp(-((x / _WIDER) ** 2) / 2))

    half = float(optimize.brentq(lambda x: height(x) - height(0.0) / 2, 0.0, 3.0))
    return gain, FWHM_PER_SIGMA / (2 * half)


def pet_response(activity: Array, plan: PatientPlan, grid: Grid, *, slices: slice | None = None) -> Array:
    """What the scanner would show of ``activity`` without noise and without its error of calibration.

    Args:
        activity: SUV on ``grid``, or on a box of it; of a box that does not span whole slices the place in the
            plane is not known, and its blur is that of 100 mm off the centre.
        slices: the slices of ``grid`` in that box; None is all.
    """
    heights = grid.axis_mm(2)[slices or slice(None)]
    if activity.shape[1:] != grid.shape[1:]:
        return _blurred(breathing_average(activity, plan, heights), plan, grid, None)
    box = _lit(activity, plan, grid)
    seen = np.zeros_like(activity)
    part = breathing_average(np.ascontiguousarray(activity[:, box[0], box[1]]), plan, heights)
    seen[:, box[0], box[1]] = _blurred(part, plan, grid, box)
    return seen


def _lit(activity: Array, plan: PatientPlan, grid: Grid) -> tuple[slice, slice]:
    """Rows and columns outside of which there is nothing to see, so that air costs no time."""
    reach = plan.scan.psf_fwhm_mm * (1 + plan.scan.psf_growth) * 2.5
    found = []
    for axis, spacing in ((1, grid.spacing_mm[1]), (2, grid.spacing_mm[0])):
        where = np.flatnonzero(activity.any(axis=(0, 3 - axis)))
        margin = int(np.ceil(reach / spacing))
        low, high = (int(where[0]) - margin, int(where[-1]) + margin + 1) if len(where) else (0, 1)
        found.append(slice(max(low, 0), min(high, activity.shape[axis])))
    return found[0], found[1]


def _blurred(activity: Array, plan: PatientPlan, grid: Grid, box: tuple[slice, slice] | None) -> Array:
    """The point spread over rows and columns ``box`` of the field; None, the place in the plane is not known."""
    scan = plan.scan
    if box is None or scan.psf_growth == 0.0:
        typical = 1 + scan.psf_growth * (_TYPICAL_RADIUS_MM / _RADIUS_MM) ** 2
        seen = edge_response(activity, scan.psf_fwhm_mm * typical, scan.overshoot, grid.spacing_mm)
    else:
        seen = edge_response(activity, scan.psf_fwhm_mm, scan.overshoot, grid.spacing_mm)
        far = edge_response(activity, scan.psf_fwhm_mm * (1 + scan.psf_growth), scan.overshoot, grid.spacing_mm)
        far -= seen
        far *= np.minimum(_squared_radius(grid)[:, box[0], box[1]] / np.float32(_RADIUS_MM**2), np.float32(1))
        seen += far
    return np.asarray(np.maximum(seen, np.float32(0), out=seen))


def _squared_radius(grid: Grid) -> Array:
    """Squared distance from the field's axis, mm2, shape (1, j, i)."""
    x, y = grid.axis_mm(0), grid.axis_mm(1)
    return np.asarray(x[None, None, :] ** 2 + y[None, :, None] ** 2, dtype=np.float32)


def add_pet_noise(noise_free: Array, plan: PatientPlan, liver_suv: float, grid: Grid) -> Array:
    """Noise whose variance is proportional to the local uptake, correlated over the scan's ``noise_fwhm_mm``.

    Its coefficient of variation in tissue of ``liver_suv`` is the plan's, at the liver's distance from the axis; with
    ``noise_rise`` it is higher on the axis, where more is attenuated, between two bed positions, and in the outermost
    slices, where fewer coincidences are seen. A floor stands for scatter in air. Negative values, which a
    reconstruction does not give, become 0.
    """
    noisy = _correlated_noise(noise_free, plan, grid)
    noisy *= np.float32(plan.scan.liver_cov * np.sqrt(liver_suv))
    if plan.scan.noise_rise > 0.0:
        noisy *= _noise_shape(plan, grid)
    noisy *= np.sqrt(noise_free + np.float32(_AIR_SUV))
    noisy += noise_free
    return np.asarray(np.maximum(noisy, np.float32(0), out=noisy), dtype=np.float32)


def _correlated_noise(noise_free: Array, plan: PatientPlan, grid: Grid) -> Array:
    """Noise of SD 1, drawn for the rows and columns with a body in them and repeated in the air around it."""
    rng = np.random.default_rng([plan.seed, 6])
    box = _lit(noise_free, plan, grid)
    shape = (noise_free.shape[0], box[0].stop - box[0].start, box[1].stop - box[1].start)
    sigma = [plan.scan.noise_fwhm_mm / FWHM_PER_SIGMA / spacing for spacing in reversed(grid.spacing_mm)]
    white = rng.standard_normal(shape, dtype=np.float32)
    white = ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3.5)
    white /= _spread_after(plan.scan.noise_fwhm_mm, grid.spacing_mm)
    around = [(part.start, size - part.stop) for part, size in zip(box, noise_free.shape[1:], strict=True)]
    return np.pad(white, ((0, 0), *around), mode="wrap")


@lru_cache(maxsize=64)
def _spread_after(fwhm_mm: float, spacing_mm: Triple) -> np.float32:
    """Standard deviation of white noise of SD 1 after :func:`blur`, far from the edges."""
    spread = 1.0
    for spacing in spacing_mm:
        half = 32
        point = np.zeros(2 * half + 1)
        point[half] = 1.0
        spread *= float(
            np.sqrt((ndimage.gaussian_filter1d(point, fwhm_mm / FWHM_PER_SIGMA / spacing, truncate=3.5) ** 2).sum())
        )
    return np.float32(spread)


def _noise_shape(plan: PatientPlan, grid: Grid) -> Array:
    """Relative standard deviation over the field, 1 at the liver's radius in the middle of a bed; (k, j, i)."""
    rise = plan.scan.noise_rise
    radial = 1 + rise * (
        (_LIVER_RADIUS_MM / _BODY_RADIUS_MM) ** 2 - np.minimum(_squared_radius(grid) / _BODY_RADIUS_MM**2, 1)
    )
    z = grid.axis_mm(2)
    between = 0.25 * rise * (1 - np.cos(2 * np.pi * (z - z[0]) / plan.scan.model.bed_mm))
    ends = 2.0 * rise * np.exp(-np.minimum(z - z[0], z[-1] - z) / 12.0)
    return np.asarray(radial * (1 + between + ends)[:, None, None], dtype=np.float32)
