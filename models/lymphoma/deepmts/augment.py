"""Random changes of a training patient: mirrored, moved and turned, as the published code does."""

from __future__ import annotations

import numpy as np
import torch
from monai.transforms import RandAffine
from monai.utils import convert_to_tensor
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from lymphoma.deepmts.inputs import LESION_SHARE
from lymphoma.deepmts.network import Images

__all__ = ["Augment", "augmented"]

AIR = -1.0
"""CT of air as :mod:`lymphoma.deepmts.inputs` scales it: what comes into view from outside the field."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class Augment:
    """How much a training patient is changed.

    Attributes:
        flip: probability that left and right change places. shift: greatest, along each axis, as a share of the
            field's edge; published are 10 voxels of 128. rotate_deg: greatest, about each axis.
    """

    flip: float = 0.5
    shift: float = 10 / 128
    rotate_deg: float = 5.0

    def __post_init__(self) -> None:
        if not (0 <= self.flip <= 1 and 0 <= self.shift < 0.5 and 0 <= self.rotate_deg <= 90):
            raise ValueError("flip is a probability, shift under one half, rotate_deg 0 to 90")


def augmented(images: Images, augment: Augment, seeds: list[int]) -> Images:
    """The same patients, each changed by its own seed; a mask is put to its threshold again afterwards."""
    size = images.image.shape[2:]
    change = RandAffine(
        prob=1.0,
        rotate_range=(float(np.deg2rad(augment.rotate_deg)),) * 3,
        translate_range=tuple(augment.shift * edge for edge in size),
        mode="bilinear",
        padding_mode="zeros",
    )
    lift = torch.tensor([0.0, AIR, 0.0])[:, None, None, None]
    moved = []
    for image, mask, seed in zip(images.image, images.mask, seeds, strict=True):
        change.set_random_state(seed=seed)
        both = torch.cat((image, mask))
        if np.random.default_rng(seed).random() < augment.flip:
            both = both.flip(-1)
        made = convert_to_tensor(change(both - lift), track_meta=False) + lift
        moved.append(torch.cat((made[:2], (made[2:] >= LESION_SHARE).float())))
    every = torch.stack(moved)
    return Images(every[:, :2].contiguous(), every[:, 2:].contiguous(), images.clinic)
