"""Random turns and stretches of a batch, about the middle of the field and in millimetres."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.transform import Rotation

from lymphoma.multitask_unet.field import FIELD_MM

__all__ = ["drawn_motions", "moved"]

Floats = npt.NDArray[np.float64]


def drawn_motions(rng: np.random.Generator, n: int, rotate_deg: float, scale: float) -> Floats:
    """n matrices (3, 3) from a point of the made image to that of the given one, (x, y, z) in mm from the middle.

    A turn about each axis by up to ``rotate_deg`` either way, a stretch of each axis by 1 - ``scale`` to 1 + ``scale``.
    """
    angles = rng.uniform(-rotate_deg, rotate_deg, (n, 3))
    factors = rng.uniform(1 - scale, 1 + scale, (n, 3))
    turns = np.asarray(Rotation.from_euler("xyz", angles, degrees=True).as_matrix())
    return turns / factors[:, None, :]


def moved(image: torch.Tensor, mask: torch.Tensor, motions: Floats) -> tuple[torch.Tensor, torch.Tensor]:
    """Images by linear, masks by nearest interpolation; 0 where the field has no data.

    Args:
        image, mask: float32, (n, 1, k, j, i).
    """
    half = np.array(FIELD_MM[::-1]) / 2
    inside = motions * half[None, None, :] / half[None, :, None]
    theta = torch.from_numpy(np.concatenate((inside, np.zeros((len(inside), 3, 1))), axis=2).astype(np.float32))
    grid = torch.nn.functional.affine_grid(theta, list(image.shape), align_corners=False)
    sample = torch.nn.functional.grid_sample
    return (
        sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False),
        sample(mask, grid, mode="nearest", padding_mode="zeros", align_corners=False),
    )
