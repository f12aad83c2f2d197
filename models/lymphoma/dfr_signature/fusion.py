"""The multi-scale feature-weighted fusion of PET and CT with PET attention.

The paper names no weights and no loss. Here it is a fixed operator [A]: nothing is learned, unless a switch makes
the weights of its 1x1x1 convolution parameters, which is an option, not the paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from lymphoma.imaging.volume import Volume

__all__ = ["SCALES", "MultiScaleFusion", "fuse", "fused_sections"]

SCALES = (1, 2, 4)
"""Voxels along each axis that one value of a scale stands for [A]."""
SD_PER_SCALE = 0.5
"""Standard deviation of the smoothing before a scale is taken, in that scale's voxels [A]: what is finer is gone."""
TRUNCATE = 3.0
"""The Gaussian ends here, in standard deviations, and is scaled to add up to 1."""
SLAB = 32
"""Sections fused at once; a whole body of 400 x 400 would else take some GB."""


class MultiScaleFusion(nn.Module):
    """PET and CT to one image of their size.

    At each scale s both are smoothed (a Gaussian of s / 2 voxels), average-pooled over cubes of s voxels and up-sampled
    (linear). Their concatenation, 2 S channels, under a 1x1x1 convolution with weights 1 / (2 S) is the spatial fusion
    map. The attention map is the mean over the scales of the up-sampled sigmoid of the pooled PET; with the CT beside
    it, averaged, it is the hybrid attention map. The output is the mean of both maps.

    Attributes:
        spatial: the 1x1x1 convolution, without bias. reach: voxels beyond which nothing has an influence, a multiple of
            the largest scale.
    """

    def __init__(self, scales: Sequence[int] = SCALES, trainable: bool = False) -> None:
        """Scales are whole numbers from 1 on, each a divisor of the largest; ValueError otherwise."""
        super().__init__()
        self.scales = tuple(scales)
        if not self.scales or min(self.scales) < 1 or any(max(self.scales) % one for one in self.scales):
            raise ValueError("scales are whole numbers from 1 on, and each divides the largest")
        channels = 2 * len(self.scales)
        self.spatial = nn.Conv3d(channels, 1, kernel_size=1, bias=False)
        nn.init.constant_(self.spatial.weight, 1 / channels)
        self.spatial.weight.requires_grad_(trainable)
        largest = max(self.scales)
        wide = 2 * largest + len(_gaussian(SD_PER_SCALE * largest)) // 2
        self.reach = -(-wide // largest) * largest

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 2, k, j, i), z-scores of PET and CT, to (n, 1, k, j, i). At the border the last voxel goes on."""
        size = images.shape[2:]
        largest = max(self.scales)
        more = [-length % largest for length in size]
        padded = functional.pad(images, (0, more[2], 0, more[1], 0, more[0]), mode="replicate")
        pooled = [self._pooled(padded, scale) for scale in self.scales]
        spatial = self.spatial(torch.cat([_up(one, padded) for one in pooled], dim=1))
        attention = torch.stack([_up(torch.sigmoid(one[:, :1]), padded) for one in pooled]).mean(dim=0)
        hybrid = torch.cat([attention, padded[:, 1:]], dim=1).mean(dim=1, keepdim=True)
        fused: torch.Tensor = (spatial + hybrid) / 2
        return fused[..., : size[0], : size[1], : size[2]]

    def _pooled(self, images: torch.Tensor, scale: int) -> torch.Tensor:
        smooth = _smoothed(images, SD_PER_SCALE * scale)
        return functional.avg_pool3d(smooth, kernel_size=scale, stride=scale)


def fuse(pet: Volume, ct: Volume, fusion: MultiScaleFusion | None = None) -> Volume:
    """The fused image of a whole volume, float32, on its grid, slab by slab; the slabs leave no trace.

    Args:
        pet, ct: as :func:`lymphoma.dfr_signature.preparation.prepare` gives them.

    Raises:
        ValueError: the grids differ.
    """
    return pet.with_array(fused_sections(pet, ct, range(pet.array.shape[0]), fusion))


@torch.no_grad()
def fused_sections(
    pet: Volume, ct: Volume, sections: Sequence[int], fusion: MultiScaleFusion | None = None
) -> npt.NDArray[np.float32]:
    """Some sections of what :func:`fuse` gives, (len(sections), rows, columns), by their index along array axis 0.

    Raises:
        ValueError: the grids differ. IndexError: there is no such section.
    """
    if not pet.same_grid(ct):
        raise ValueError("the CT is not on the grid of the PET")
    fusion = fusion or MultiScaleFusion()
    count = pet.array.shape[0]
    if any(not 0 <= one < count for one in sections):
        raise IndexError(f"the volume has {count} sections")
    where = {section: at for at, section in enumerate(sections)}
    fused = np.empty((len(sections), *pet.array.shape[1:]), dtype=np.float32)
    for first, last in _slabs(sorted(where), fusion):
        begin, end = max(0, first - fusion.reach), min(count, last + fusion.reach)
        both = np.stack([one.array[begin:end].astype(np.float32, copy=False) for one in (pet, ct)])
        slab = fusion(torch.from_numpy(both)[None])[0, 0].numpy()
        for section in range(first, min(last, count)):
            if section in where:
                fused[where[section]] = slab[section - begin]
    return fused


def _slabs(sections: Sequence[int], fusion: MultiScaleFusion) -> Iterator[tuple[int, int]]:
    """First section and the one after the last of the slabs that hold ``sections``; each starts where a cube does."""
    largest = max(fusion.scales)
    size = max(largest, SLAB // largest * largest)
    for start in sorted({one // size * size for one in sections}):
        inside = [one for one in sections if start <= one < start + size]
        yield inside[0] // largest * largest, inside[-1] + 1


def _gaussian(sigma: float) -> torch.Tensor:
    """Weights at whole voxels, as scipy.ndimage has them."""
    radius = int(TRUNCATE * sigma + 0.5)
    at = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (at / sigma) ** 2)
    return (weights / weights.sum()).float()


def _smoothed(images: torch.Tensor, sigma: float) -> torch.Tensor:
    weights = _gaussian(sigma).to(images)
    channels, radius = images.shape[1], len(weights) // 2
    for axis in range(3):
        shape, pad = [1, 1, 1], [0] * 6
        shape[axis] = len(weights)
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = radius
        kernel = weights.reshape(1, 1, *shape).expand(channels, 1, *shape)
        images = functional.conv3d(functional.pad(images, pad, mode="replicate"), kernel, groups=channels)
    return images


def _up(pooled: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if pooled.shape[2:] == like.shape[2:]:
        return pooled
    return functional.interpolate(pooled, size=like.shape[2:], mode="trilinear", align_corners=False)
