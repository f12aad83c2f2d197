"""The scanner: a two-part point spread that widens off-centre, counts, a Butterworth filter, beds, scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from lymphoma.imaging.volume import Volume
from scipy import ndimage

from tests.generator_b.geometry import Floats, stream

__all__ = ["Camera", "blurred", "detect", "draw_camera"]

STREAM = 30
CORE, TAIL = 0.86, 0.14


@dataclass(frozen=True)
class Camera:
    """One scanner with its protocol.

    Attributes:
        fwhm_mm: in the transverse plane and along z, at the centre. cov: noise of the liver. cutoff: of the
            Butterworth filter, as a share of the sampling frequency, per voxel. bed_mm: length of a bed position, 0
            for continuous motion. halo: share of hot organs' activity missing around them (scatter over-corrected).
    """

    fwhm_mm: tuple[float, float]
    cov: float
    cutoff: float
    order: int
    bed_mm: float
    halo: float
    scale: float


def draw_camera(seed: int) -> Camera:
    """A scanner between a modern digital and an old analogue one."""
    rng = stream(seed, STREAM)
    transverse = float(np.clip(3.6 + rng.gamma(4.0, 0.5), 4.0, 8.5))
    return Camera(
        fwhm_mm=(transverse, transverse * float(rng.uniform(0.85, 1.2))),
        cov=float(np.clip(0.05 + rng.gamma(3.0, 0.022), 0.05, 0.22)),
        cutoff=float(rng.uniform(0.16, 0.30)),
        order=int(rng.integers(2, 7)),
        bed_mm=float(rng.choice([0.0, 120.0, 160.0, 200.0])),
        halo=float(rng.choice([0.0, 0.0, 0.015, 0.03])),
        scale=float(np.clip(np.exp(rng.laplace(0, 0.06)), 0.75, 1.35)),
    )


def blurred(crisp: Floats, grid: Volume, camera: Camera) -> Floats:
    """What a scanner without noise shows: core and tail Gaussians, the tail stronger far from the axis."""
    spacing = grid.spacing_mm[::-1]
    fwhm = np.array([camera.fwhm_mm[1], camera.fwhm_mm[0], camera.fwhm_mm[0]])
    sigma = fwhm / 2.355 / spacing
    core = ndimage.gaussian_filter(crisp, sigma * 0.9, truncate=3.0, mode="nearest")
    tail = ndimage.gaussian_filter(core, sigma * 1.2, truncate=2.5, mode="nearest")
    y, x = _plane(grid)
    share = (TAIL + (CORE / 3) * np.clip((x * x + y * y) / 260.0**2, 0, 1)).astype(np.float32)
    tail -= core
    tail *= share
    tail += core
    return np.asarray(tail, dtype=np.float32)


def _plane(grid: Volume) -> tuple[Floats, Floats]:
    j, i = grid.array.shape[1:]
    x = (grid.affine[0, 3] + grid.affine[0, 0] * np.arange(i)).astype(np.float32)
    y = (grid.affine[1, 3] + grid.affine[1, 1] * np.arange(j)).astype(np.float32)
    return y[:, None], x[None, :]


def detect(
    seed: int, clean: Floats, grid: Volume, camera: Camera, liver_suv: float, bladder_kji: Floats | None
) -> Floats:
    """A noisy scan of the noise-free one.

    Counts fall with the thickness of the body and towards the edges of a bed. They are drawn as Poisson numbers; their
    excess over the mean passes a Butterworth low pass and is added to the image.

    Args:
        bladder_kji: middle of the bladder, for the streaks it sends out; None without.
    """
    rng = stream(seed, STREAM + 1)
    image = clean.copy()
    if camera.halo > 0:
        hot = np.clip(clean[::2, ::2, ::2] - 8, 0, 40)
        wide = ndimage.gaussian_filter(hot, 22 / (2 * grid.spacing_mm[::-1]), truncate=2.5)
        full = np.repeat(np.repeat(np.repeat(wide, 2, 0), 2, 1), 2, 2)[
            : clean.shape[0], : clean.shape[1], : clean.shape[2]
        ]
        image = image - np.minimum(np.float32(camera.halo * 12) * full, 0.6 * image) * (clean < 6)
    if bladder_kji is not None:
        _streaks(image, clean, grid, bladder_kji, rng)
    counts = _counts_per_suv(clean, grid, camera)
    low_pass = _butterworth(clean.shape, camera)
    gain = float(np.sqrt(np.mean(_full_square(low_pass, clean.shape[2]))))
    counts = counts * np.float32((gain / camera.cov) ** 2 / liver_suv)
    expected = np.maximum(clean, 0.02) * counts
    excess = (rng.poisson(expected).astype(np.float32) - expected) / counts
    spectrum = scipy.fft.rfftn(excess)
    spectrum *= low_pass
    noise = scipy.fft.irfftn(spectrum, s=excess.shape).astype(np.float32)
    return np.asarray(np.maximum(image + noise, 0), dtype=np.float32)


def _counts_per_suv(clean: Floats, grid: Volume, camera: Camera) -> Floats:
    """Relative sensitivity: 1 about at the liver; shape broadcastable to the image."""
    area_cm2 = (clean > 0.15).sum(axis=(1, 2)) * float(grid.spacing_mm[0] * grid.spacing_mm[1]) / 100
    thickness = np.exp(-0.8 * (np.sqrt(ndimage.gaussian_filter1d(area_cm2, 3.0) / 800) - 1))
    bed = np.ones(clean.shape[0])
    if camera.bed_mm > 0:
        phase = np.arange(clean.shape[0]) * grid.spacing_mm[2] % camera.bed_mm / camera.bed_mm
        bed = 0.62 + 0.5 * (1 - np.abs(2 * phase - 1))
    y, x = _plane(grid)
    radial = 0.8 + 0.5 * np.clip((x * x + y * y) / 220.0**2, 0, 1.2)
    axial = (np.clip(thickness, 0.4, 2.2) * bed).astype(np.float32)
    return np.asarray(axial[:, None, None] * radial[None], dtype=np.float32)


def _butterworth(shape: tuple[int, ...], camera: Camera) -> Floats:
    axes = [scipy.fft.fftfreq(shape[0]), scipy.fft.fftfreq(shape[1]), scipy.fft.rfftfreq(shape[2])]
    k, j, i = (np.asarray(f, dtype=np.float32) for f in axes)
    square = k[:, None, None] ** 2 + j[None, :, None] ** 2 + i[None, None, :] ** 2
    return np.asarray(1 / np.sqrt(1 + (square / np.float32(camera.cutoff**2)) ** camera.order), dtype=np.float32)


def _full_square(half: Floats, columns: int) -> Floats:
    """Squares of the whole spectrum of which ``half`` is the real transform's."""
    mirrored = half[..., 1 : (columns + 1) // 2]
    return np.concatenate((half.ravel(), mirrored.ravel())) ** 2


def _streaks(image: Floats, clean: Floats, grid: Volume, middle: Floats, rng: np.random.Generator) -> None:
    """Faint star around a very hot bladder in its slices."""
    k, j, i = np.rint(middle).astype(int).tolist()
    reach = max(1, int(22 / grid.spacing_mm[2]))
    rows = slice(max(0, k - reach), k + reach + 1)
    strength = 0.012 * float(clean[min(k, clean.shape[0] - 1), j, i]) * rng.uniform(0.2, 1.0)
    y, x = np.meshgrid(np.arange(clean.shape[1]) - j, np.arange(clean.shape[2]) - i, indexing="ij")
    away = np.hypot(y * grid.spacing_mm[1], x * grid.spacing_mm[0])
    star = np.cos(int(rng.integers(5, 10)) * np.arctan2(y, x) + rng.uniform(0, 6)) * np.exp(-away / 90) * (away > 35)
    image[rows] += (strength * star * (clean[rows] > 0.15)).astype(np.float32)
