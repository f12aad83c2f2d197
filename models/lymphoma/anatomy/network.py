"""The small anatomy network: a U-Net on PET and CT in coarse voxels, and its way over a whole body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.nets import DynUNet

from lymphoma.anatomy.classes import ClassTable
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import Box, body_box, crop, working_grid
from lymphoma.training.images import infer_whole

__all__ = ["AnatomyShape", "NetworkAnatomy", "build_network", "image_of"]

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
        network: in evaluation mode, on ``device``. overlap: share of a window that its neighbour sees too.
    """

    network: torch.nn.Module
    classes: ClassTable
    shape: AnatomyShape
    device: torch.device
    overlap: float = 0.25
    name: str = "network"

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        """The organs on the grid of ``suv``; ``ct_hu`` is on the same grid, air where there is no CT."""
        grid = working_grid(suv, self.shape.edge_mm)
        coarse_suv = resample_like(suv, grid, fill=0.0, interpolation="linear")
        coarse_ct = resample_like(ct_hu, grid, fill=AIR_HU, interpolation="linear")
        box = body_box(coarse_suv, coarse_ct)
        logits = self.logits(crop(coarse_suv, box).array, crop(coarse_ct, box).array)
        labels = _most_likely_on(logits, box, grid.array.shape, suv.array.shape)
        return Anatomy(self.name, suv.with_array(labels), self.classes.names)

    def logits(self, suv: npt.NDArray[np.float32], ct_hu: npt.NDArray[np.float32]) -> torch.Tensor:
        """Over a body already on the working grid: shape (classes, k, j, i), on the CPU."""
        image = torch.from_numpy(image_of(suv, ct_hu))[None]
        return infer_whole(self.network, image, self.shape.window, device=self.device, overlap=self.overlap)[0]


def _most_likely_on(
    logits: torch.Tensor, box: Box, coarse: tuple[int, ...], fine: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """The class of greatest interpolated logit at each fine voxel, one class at a time to hold one map, not forty."""
    best = torch.full(fine, -torch.inf)
    label = torch.zeros(fine, dtype=torch.uint8)
    for number, scores in enumerate(torch.log_softmax(logits.float(), dim=0)):
        # outside the body's box it is all background
        whole = torch.full(coarse, 0.0 if number == 0 else -1e4)
        whole[box] = scores
        there = torch.nn.functional.interpolate(whole[None, None], size=fine, mode="trilinear")[0, 0]
        better = there > best
        best = torch.where(better, there, best)
        label[better] = number
    return label.numpy()
