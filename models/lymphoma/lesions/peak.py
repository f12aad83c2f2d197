"""SUVpeak: the mean in a sphere of 1 mL, weighed by how much of each voxel lies inside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

__all__ = ["PEAK_RADIUS_MM", "PeakSphere"]

PEAK_RADIUS_MM = float((3 * 1000 / (4 * np.pi)) ** (1 / 3))
"""Radius of a sphere of 1 cm3, 6.2035 mm (PERCIST 1.0, Wahl 2009: 1 cm3 in the hottest part of the lesion)."""

SUBSAMPLES = 5
"""Points along each voxel edge that decide its share."""

_REFINEMENTS = tuple(product((0.0, -0.5, 0.5), repeat=3))


@dataclass(frozen=True, eq=False)
class _Kernel:
    """Voxel offsets (n, 3) in (k, j, i) and their weights (n,), the share of each voxel within the sphere."""

    offsets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


class PeakSphere:
    """The 1 mL sphere on one voxel lattice.

    Args:
        lattice: shape (3, 3), the columns are the steps (i, j, k) in mm: ``affine[:3, :3]``.
    """

    def __init__(self, lattice: npt.NDArray[np.float64], radius_mm: float = PEAK_RADIUS_MM) -> None:
        self._lattice = np.asarray(lattice, dtype=np.float64)
        self._radius_mm = radius_mm
        # distance between lattice planes of equal k, j, i: how far the sphere reaches along each index
        planes_mm = 1.0 / np.linalg.norm(np.linalg.inv(self._lattice), axis=1)[::-1]
        self.reach = tuple(int(n) for n in np.ceil(radius_mm / planes_mm + 1.0))

    @cached_property
    def _kernels(self) -> tuple[_Kernel, ...]:
        return tuple(self._kernel(np.asarray(shift)) for shift in _REFINEMENTS)

    def _kernel(self, shift_kji: npt.NDArray[np.float64]) -> _Kernel:
        """Weights of the voxels around a centre that lies ``shift_kji`` voxels from a voxel centre."""
        fine = [(np.arange((2 * n + 1) * SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5 - n for n in self.reach]
        k, j, i = np.meshgrid(*(f - s for f, s in zip(fine, shift_kji, strict=True)), indexing="ij", sparse=True)
        gram = self._lattice.T @ self._lattice
        squared_mm = gram[0, 0] * i * i + gram[1, 1] * j * j + gram[2, 2] * k * k
        squared_mm = squared_mm + 2 * (gram[0, 1] * i * j + gram[0, 2] * i * k + gram[1, 2] * j * k)
        shape = [size for n in self.reach for size in (2 * n + 1, SUBSAMPLES)]
        shares = np.mean((squared_mm <= self._radius_mm**2).reshape(shape), axis=(1, 3, 5))
        return _Kernel(np.argwhere(shares > 0) - np.asarray(self.reach), shares[shares > 0])

    def mean_at(self, box: npt.NDArray[np.float64], centre_kji: npt.NDArray[np.int64]) -> float:
        """Mean in the sphere centred on one voxel of ``box`` (NaN marks what lies outside the image)."""
        return _mean(box, centre_kji, self._kernels[0])

    def peak(self, box: npt.NDArray[np.float64], voxels_kji: npt.NDArray[np.int64]) -> float:
        """The largest mean of all spheres centred in a lesion.

        The centre runs over the lesion's voxel centres; around the best of them (ties: the first in array order)
        the 26 points half a voxel away, still within or on the face of that voxel, are tried too. The sphere may
        take in voxels outside the lesion; where it leaves the image, the part inside counts.

        Args:
            box: SUV, padded by :attr:`reach` on every side, NaN outside the image.
            voxels_kji: shape (n, 3), the lesion's voxels as indices of ``box``.
        """
        means = _means(box, voxels_kji, self._kernels[0])
        best = voxels_kji[int(np.argmax(means))]
        return max(float(means.max()), *(_mean(box, best, kernel) for kernel in self._kernels[1:]))


def _mean(box: npt.NDArray[np.float64], centre_kji: npt.NDArray[np.int64], kernel: _Kernel) -> float:
    """Weighted mean around one centre."""
    values = box[tuple((kernel.offsets + centre_kji).T)]
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=kernel.weights[known]))


def _means(
    box: npt.NDArray[np.float64], centres_kji: npt.NDArray[np.int64], kernel: _Kernel
) -> npt.NDArray[np.float64]:
    """Weighted means around several centres, shape (n,)."""
    steps = np.array([box.shape[1] * box.shape[2], box.shape[2], 1])
    flat, start = box.ravel(), centres_kji @ steps
    total = np.zeros(len(centres_kji))
    weight = np.zeros(len(centres_kji))
    for jump, share in zip(kernel.offsets @ steps, kernel.weights, strict=True):
        values = flat[start + jump]
        known = ~np.isnan(values)
        total += share * np.where(known, values, 0.0)
        weight += share * known
    return np.asarray(total / weight)
