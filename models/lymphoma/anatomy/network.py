"""The small anatomy network: a U-Net on PET and CT in coarse voxels, and its way over a whole body."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.nets import DynUNet

from lymphoma.anatomy.classes import ClassTable
from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.plausible import largest_parts
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import Box, body_box, crop, working_grid
from lymphoma.inference.device import Processor
from lymphoma.inference.fallback import Attempt, attempts, with_fallback
from lymphoma.inference.sliding import blended
from lymphoma.inference.windows import fit_windows

__all__ = ["AnatomyShape", "NetworkAnatomy", "build_network", "image_of", "most_likely_on"]

AIR_HU = -1000.0
SOFT_HU = 40.0
SOFT_WIDTH_HU = 100.0
"""The range of CT numbers around soft tissue that is spread widest."""


@dataclass(frozen=True)
class AnatomyShape:
    """Size of the network and of what it sees.

    Attributes:
        widths: channels of each level, three at least; resolution halves from one to the next. edge_mm: of a voxel.
        window: voxels (k, j, i), each divisible by 2 to the number of levels less one.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128)
    edge_mm: float = 6.0
    window: tuple[int, int, int] = (64, 64, 64)


def build_network(shape: AnatomyShape, classes: int) -> torch.nn.Module:
    """A U-Net after nnU-Net's plan: two 3x3x3 convolutions a level, instance normalisation, leaky ReLU.

    Input (n, 2, k, j, i), PET and CT of :func:`image_of`; output (n, classes, k, j, i), logits.
    """
    levels = len(shape.widths)
    network: torch.nn.Module = DynUNet(
        spatial_dims=3,
        in_channels=2,
        out_channels=classes,
        kernel_size=[3] * levels,
        strides=[1, *[2] * (levels - 1)],
        upsample_kernel_size=[2] * (levels - 1),
        filters=list(shape.widths),
        norm_name=("INSTANCE", {"affine": True}),
    )
    return network


def image_of(suv: npt.NDArray[np.float32], ct_hu: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """PET and CT as the network wants them: (2, k, j, i), float32; air, and a CT that is missing, are 0.

    PET: log(1 + SUV), so that an uptake of 60 does not drown one of 1. CT: asinh((HU - 40) / 100), shifted to 0 at
    -1000 HU and divided by its height at 40 HU, which gives soft tissue more of the range than lung and bone.
    """
    height = np.arcsinh((SOFT_HU - AIR_HU) / SOFT_WIDTH_HU)
    ct = np.arcsinh((np.maximum(ct_hu, AIR_HU) - SOFT_HU) / SOFT_WIDTH_HU) / height + 1.0
    return np.stack([np.log1p(np.maximum(suv, 0.0)), ct]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class NetworkAnatomy:
    """The network as an engine (:class:`lymphoma.anatomy.organs.AnatomyEngine`).

    Attributes:
        network: in evaluation mode, on the processor's device.
    """

    network: torch.nn.Module
    classes: ClassTable
    shape: AnatomyShape
    processor: Processor
    name: str = "network"

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        """The organs on the grid of ``suv``; ``ct_hu`` is on the same grid, air where there is no CT.

        When a GPU's memory runs out, smaller windows and then the CPU are tried, with a note.
        """
        grid = working_grid(suv, self.shape.edge_mm)
        coarse_suv = resample_like(suv, grid, fill=0.0, interpolation="linear")
        coarse_ct = resample_like(ct_hu, grid, fill=AIR_HU, interpolation="linear")
        box = body_box(coarse_suv, coarse_ct)
        image = image_of(crop(coarse_suv, box).array, crop(coarse_ct, box).array)
        done = with_fallback(lambda attempt: self._seen(attempt, image), attempts(self.processor))
        labels = most_likely_on(done.result, box, grid.array.shape, suv.array.shape)
        organs = suv.with_array(largest_parts(labels, self.classes.names))
        return Anatomy(self.name, organs, self.classes.names, done.notes)

    def logits(self, suv: npt.NDArray[np.float32], ct_hu: npt.NDArray[np.float32]) -> torch.Tensor:
        """Over a body already on the working grid: shape (classes, k, j, i), float32, on the CPU."""
        return self._seen(Attempt(self.processor), image_of(suv, ct_hu))

    def _seen(self, attempt: Attempt, image: npt.NDArray[np.float32]) -> torch.Tensor:
        k, j, i = (edge // 2 for edge in self.shape.window) if attempt.small else self.shape.window
        _, *body = image.shape
        windows = fit_windows((body[0], body[1], body[2]), (k, j, i), multiple=2 ** (len(self.shape.widths) - 1))
        network, device = self.network, attempt.processor.device
        if device.type != self.processor.device.type:
            network = copy.deepcopy(network).to(device)  # another thread may be using it where it is
        return blended(network, torch.from_numpy(image), windows, attempt.processor, torch.zeros(2))


def most_likely_on(
    logits: torch.Tensor, box: Box, coarse: tuple[int, ...], fine: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """The class of greatest interpolated score at each fine voxel, one class at a time to hold one map, not forty.

    Both grids fill the same field, as :func:`lymphoma.imaging.working.working_grid` makes them; voxels whose centre
    lies outside the box are background.

    Args:
        logits: shape (classes, k, j, i) in ``box`` of a grid of shape ``coarse``.
    """
    ways = [_along(side, many, few) for side, few, many in zip(box, coarse, fine, strict=True)]
    (k_way, j_way, i_way), inside = [way for way, _ in ways], tuple(part for _, part in ways)
    best = torch.full((len(k_way), len(j_way), len(i_way)), -torch.inf)
    label = torch.zeros(best.shape, dtype=torch.uint8)
    for number, scores in enumerate(torch.log_softmax(logits.float(), dim=0)):
        # from left to right, so that each step is one axis; the ways first would span terabytes
        there = torch.einsum("kji,xk,yj,zi->xyz", scores, k_way, j_way, i_way)
        better = there > best
        best = torch.where(better, there, best)
        label[better] = number
    whole = np.zeros(fine, dtype=np.uint8)
    whole[inside] = label.numpy()
    return whole


def _along(side: slice, fine: int, coarse: int) -> tuple[torch.Tensor, slice]:
    """Linear interpolation along one axis: weights (fine voxels, coarse voxels of the box), and which fine voxels."""
    at = (np.arange(fine) + 0.5) * coarse / fine - 0.5
    first, last = np.searchsorted(at, [side.start - 0.5, side.stop - 0.5])
    near = np.clip(at[first:last, None], side.start, side.stop - 1)
    weights = np.maximum(0.0, 1.0 - np.abs(near - np.arange(side.start, side.stop)))
    return torch.from_numpy(weights.astype(np.float32)), slice(int(first), int(last))
