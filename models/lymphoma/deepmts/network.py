"""DeepMTS: segmentation backbone, cascaded survival network and the head that reads both; and the baselines' common
form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from lymphoma.deepmts.backbone import FOREGROUND, Backbone, ConvBlock, glorot
from lymphoma.deepmts.survival_network import CascadedSurvivalNetwork

__all__ = ["LEAST_EDGE", "STEP", "DeepMts", "Images", "Predicted", "Shape", "SurvivalHead"]

LEAST_EDGE = 32
"""Voxels: the backbone halves four times, the survival network comes down to one."""
STEP = 16
"""Edges are whole multiples of it."""


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Shape:
    """What may change of the network; the rest is as published.

    Attributes:
        head: "cox" is the published log hazard ratio; "discrete" gives hazards of ``bins`` bins of time.
        clinic: clinical numbers beside the deep features; the published code has one.
    """

    head: Literal["cox", "discrete"] = "cox"
    bins: Annotated[int, Field(ge=2)] = 4
    clinic: Annotated[int, Field(ge=0)] = 0

    @property
    def outputs(self) -> int:
        """Numbers that the head gives."""
        return 1 if self.head == "cox" else self.bins


@dataclass(frozen=True, eq=False)
class Images:
    """What a network reads of n patients.

    Attributes:
        image: float32, (n, 2, k, j, i), PET and CT as :mod:`lymphoma.deepmts.inputs` scales them.
        mask: float32, (n, 1, k, j, i), 0 to 1, lesions that are known; read by the mask-only arm and by the loss.
        clinic: float32, (n, c).
    """

    image: torch.Tensor
    mask: torch.Tensor
    clinic: torch.Tensor

    def to(self, device: torch.device) -> Images:
        """The same on another device."""
        return Images(self.image.to(device), self.mask.to(device), self.clinic.to(device))


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a network says of n patients.

    Attributes:
        logits: (n, 1) log hazard ratio, or (n, bins) logits of hazard.
        lesion: (n, k, j, i) probability of lesion; None where the network does not segment.
    """

    logits: torch.Tensor
    lesion: torch.Tensor | None


class SurvivalHead(torch.nn.Module):
    """Each group of features to 64 with dropout before and ReLU after; all of them and the clinic to the answer."""

    def __init__(self, groups: tuple[int, ...], clinic: int, outputs: int, *, width: int = 64, dropout: float = 0.5):
        super().__init__()
        self.groups = torch.nn.ModuleList(torch.nn.Linear(features, width) for features in groups)
        self.last = torch.nn.Linear(width * len(groups) + clinic, outputs)
        self._dropout = torch.nn.Dropout(dropout)

    def forward(self, groups: list[torch.Tensor], clinic: torch.Tensor) -> torch.Tensor:
        """(n, outputs) from groups (n, features) and clinic (n, c)."""
        narrowed = [torch.relu(layer(self._dropout(one))) for layer, one in zip(self.groups, groups, strict=True)]
        answer: torch.Tensor = self.last(self._dropout(torch.cat((*narrowed, clinic), dim=1)))
        return answer

    @property
    def kernels(self) -> tuple[torch.Tensor, ...]:
        """The weights that the L2 penalty acts on; no biases."""
        return (*(layer.weight for layer in self.groups if isinstance(layer, torch.nn.Linear)), self.last.weight)


class DeepMts(torch.nn.Module):
    """The multi-task network. With one clinical number 3,709,672 weights learn, 14,600 numbers are running statistics.

    The survival network sees the backbone's soft mask, and its gradient flows back through it.
    """

    segments = True

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or Shape()
        self.backbone = Backbone(2)
        self.taps = torch.nn.ModuleList(
            ConvBlock(width, narrow, 1) for width, narrow in ((8, 4), (16, 8), (32, 16), (64, 32), (128, 64))
        )
        self.survival = CascadedSurvivalNetwork(3)
        self.head = SurvivalHead((124, 112), shape.clinic, shape.outputs)
        self.apply(glorot)

    def forward(self, images: Images) -> Predicted:
        """Logits and the probability of lesion."""
        image = images.image.contiguous(memory_format=torch.channels_last_3d)  # a third faster on a CPU
        logits, maps = self.backbone(image)
        lesion = torch.softmax(logits, dim=1)[:, FOREGROUND]
        deep = _pooled([tap(one) for tap, one in zip(self.taps, maps, strict=True)])
        cascaded = _pooled(self.survival(torch.cat((image, lesion[:, None]), dim=1)))
        return Predicted(self.head([deep, cascaded], images.clinic), lesion)


def _pooled(maps: list[torch.Tensor]) -> torch.Tensor:
    """Global means side by side, (n, sum of channels)."""
    return torch.cat([one.mean(dim=(2, 3, 4)) for one in maps], dim=1)
