"""Cases as MONAI sees them: patches for the training, the usual losses, and inference over a whole body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.losses import DeepSupervisionLoss, DiceCELoss
from monai.transforms import (
    Compose,
    RandAffined,
    RandCropByLabelClassesd,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    Spacingd,
    SpatialPadd,
)

from lymphoma.imaging.volume import Volume
from lymphoma.training.case import Case
from lymphoma.training.task import Draw

__all__ = ["Augmentation", "PatchMaker", "Patches", "infer_whole", "segmentation_loss"]

IMAGE, LABEL, CENTRE = "image", "label", "centre"
EASY, HARD, FOREGROUND = 0, 1, 2
"""What a patch may be centred on."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a patch, each with its greatest size; 0 or empty leaves it out.

    Attributes:
        flip_axes: of the array, 0 slices, 1 rows, 2 columns. rotate_deg: about each axis. scale: of size, .2 is
            .8 to 1.2. share: of patches that are rotated and scaled. intensity_scale, intensity_shift: of the image
            after :class:`PatchMaker` has scaled it. noise: standard deviation.
    """

    flip_axes: tuple[int, ...] = (2,)
    rotate_deg: float = 8.0
    scale: float = 0.2
    share: float = 0.5
    intensity_scale: float = 0.1
    intensity_shift: float = 0.1
    noise: float = 0.05


@dataclass(frozen=True)
class Patches:
    """A batch of patches.

    Attributes:
        image: float32, shape (n, channels, k, j, i). label: int64, shape (n, 1, k, j, i).
    """

    image: torch.Tensor
    label: torch.Tensor

    def to(self, device: torch.device) -> Patches:
        """The same on another device."""
        return Patches(self.image.to(device), self.label.to(device))


@dataclass(frozen=True)
class PatchMaker:
    """Cuts patches from cases: to a working spacing, around foreground or background, augmented.

    Attributes:
        channels: from a case to its image, shape (channels, k, j, i), scaled as the network wants it. label: from a
            case to a whole-number map on the same grid, 0 background.
        size: voxels (k, j, i). spacing_mm: (k, j, i); None keeps the case's own grid. foreground_share: of patches
            whose centre lies in foreground.
        hard: from a case to a mask of background that is easily taken for foreground. hard_share: of patches whose
            centre lies there; without either, patches that are not about foreground lie about any background.
    """

    channels: Callable[[Case], np.ndarray[Any, Any]]
    label: Callable[[Case], np.ndarray[Any, Any]]
    size: tuple[int, int, int] = (64, 64, 64)
    spacing_mm: tuple[float, float, float] | None = None
    foreground_share: float = 0.6
    augmentation: Augmentation = Augmentation()
    hard: Callable[[Case], np.ndarray[Any, Any]] | None = None
    hard_share: float = 0.0

    def __call__(self, cases: Sequence[Case], draw: Draw) -> Patches:
        """One patch of each case; the same draw gives the same patches."""
        made = []
        for case, seed in zip(cases, draw.rng(stream=2).integers(2**31, size=len(cases)), strict=True):
            self._chain.set_random_state(seed=int(seed))
            made.append(_first(self._chain(self._maps(case))))
        return Patches(
            torch.stack([one[IMAGE].as_tensor().float() for one in made]),
            torch.stack([one[LABEL].as_tensor().long() for one in made]),
        )

    def _maps(self, case: Case) -> dict[str, MetaTensor]:
        label = self.label(case)
        maps = _as_monai(case, self.channels(case), label)
        if self.hard is not None:
            centre = np.where(label > 0, FOREGROUND, np.where(self.hard(case), HARD, EASY))
            maps[CENTRE] = _map(case, centre)
        return maps

    @cached_property
    def _chain(self) -> Compose:
        """Its randomness is seeded before each patch, so nothing passes from one patch to the next."""
        both, change = (IMAGE, LABEL), self.augmentation
        modes = ("bilinear", "nearest")
        turn, share = np.deg2rad(change.rotate_deg), self.foreground_share
        steps: list[Any] = []
        given, ways = (both, modes) if self.hard is None else ((*both, CENTRE), (*modes, "nearest"))
        if self.spacing_mm is not None:
            steps.append(Spacingd(given, pixdim=self.spacing_mm, mode=ways))
        steps.append(SpatialPadd(given, spatial_size=self.size))
        if self.hard is None:
            steps.append(RandCropByPosNegLabeld(both, LABEL, spatial_size=self.size, pos=share, neg=1.0 - share))
        else:
            shares = (1.0 - share - self.hard_share, self.hard_share, share)
            steps.append(RandCropByLabelClassesd(both, CENTRE, self.size, shares, num_classes=len(shares), warn=False))
        steps += [RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in change.flip_axes]
        if change.rotate_deg or change.scale:
            steps.append(
                RandAffined(
                    both,
                    prob=change.share,
                    rotate_range=(turn,) * 3,
                    scale_range=(change.scale,) * 3,
                    mode=modes,
                    padding_mode="border",
                )
            )
        if change.intensity_scale:
            steps.append(RandScaleIntensityd(IMAGE, factors=change.intensity_scale, prob=0.5))
        if change.intensity_shift:
            steps.append(RandShiftIntensityd(IMAGE, offsets=change.intensity_shift, prob=0.5))
        if change.noise:
            steps.append(RandGaussianNoised(IMAGE, prob=0.5, std=change.noise))
        return Compose(steps)


def segmentation_loss(classes: int, deep_supervision: bool) -> torch.nn.Module:
    """Dice and cross-entropy in equal parts over all but the background's Dice (nnU-Net).

    With deep supervision the network gives a list, full size first, weighted 1, 1/2, 1/4 ... and normalised to 1.
    """
    loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
    if classes < 2:
        raise ValueError("background and one class at least")
    return _Normalised(loss) if deep_supervision else loss


def infer_whole(
    network: torch.nn.Module,
    image: torch.Tensor,
    window: tuple[int, int, int],
    *,
    device: torch.device,
    overlap: float = 0.25,
    windows_at_once: int = 1,
) -> torch.Tensor:
    """The network over a whole body in windows with Gaussian weights; the sum is kept in the CPU's memory.

    Args:
        image: float32, shape (1, channels, k, j, i), on the CPU.

    Returns:
        shape (1, classes, k, j, i), on the CPU: what the network gives (logits), not yet probabilities.
    """
    with torch.no_grad():
        given = sliding_window_inference(
            image,
            window,
            windows_at_once,
            network,
            overlap=overlap,
            mode="gaussian",
            sw_device=device,
            device=torch.device("cpu"),
        )
    if not isinstance(given, torch.Tensor):
        raise TypeError("a network of several outputs needs a wrapper that gives the full-size one")
    return given


class _Normalised(torch.nn.Module):
    """MONAI's deep supervision with the weights brought to a sum of 1."""

    def __init__(self, loss: torch.nn.Module) -> None:
        super().__init__()
        self._loss = DeepSupervisionLoss(loss, weight_mode="exp")

    def forward(self, outputs: Sequence[torch.Tensor], label: torch.Tensor) -> torch.Tensor:
        # smaller outputs meet a label made smaller, which torch does for floats alone
        total: torch.Tensor = self._loss(list(outputs), label.float())
        return total / sum(0.5**level for level in range(len(outputs)))


def _as_monai(case: Case, image: np.ndarray[Any, Any], label: np.ndarray[Any, Any]) -> dict[str, MetaTensor]:
    affine = torch.from_numpy(_kji_affine(case.suv))
    channels = MetaTensor(torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)), affine=affine)
    return {IMAGE: channels, LABEL: _map(case, label)}


def _map(case: Case, values: np.ndarray[Any, Any]) -> MetaTensor:
    affine = torch.from_numpy(_kji_affine(case.suv))
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(values[None], dtype=np.float32)), affine=affine)


def _kji_affine(volume: Volume) -> np.ndarray[Any, np.dtype[np.float64]]:
    """MONAI's affine maps the array's own index order; ours the order (i, j, k)."""
    return np.ascontiguousarray(volume.affine[:, [2, 1, 0, 3]])


def _first(made: Any) -> dict[str, MetaTensor]:
    """A crop of one sample comes as a list of one."""
    one: dict[str, MetaTensor] = made[0] if isinstance(made, list) else made
    return one
