"""SUVpeak by the book, slowly: every sphere as points, no kernels, no boxes."""

from __future__ import annotations

from itertools import product

import numpy as np
from lymphoma.imaging import Volume

RADIUS_MM = 6.2035
"""(3 cm3 / 4 pi)^(1/3), published to four decimals."""


def sphere_mean(suv: Volume, centre_kji) -> float:
    """Points a fifth of a voxel apart; the mean, over those within the radius and the image, of their voxel's value."""
    reach = np.ceil(RADIUS_MM / suv.spacing_mm[::-1]) + 1
    axes = [
        np.arange(np.round(c) - r - 0.4, np.round(c) + r + 0.41, 0.2) for c, r in zip(centre_kji, reach, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    near = points[np.linalg.norm(suv.points_mm(points) - suv.points_mm(centre_kji), axis=1) <= RADIUS_MM]
    voxels = np.round(near).astype(int)
    voxels = voxels[np.all((voxels >= 0) & (voxels < suv.array.shape), axis=1)]
    return float(np.mean(suv.array[tuple(voxels.T)], dtype=np.float64))


def peak(suv: Volume, lesion: np.ndarray) -> float:
    """All voxel centres of the lesion, then half a voxel around the best."""
    means = {tuple(voxel): sphere_mean(suv, voxel) for voxel in np.argwhere(lesion).tolist()}
    best = max(means, key=means.__getitem__)
    return max(sphere_mean(suv, np.add(best, shift)) for shift in product((-0.5, 0.0, 0.5), repeat=3))
