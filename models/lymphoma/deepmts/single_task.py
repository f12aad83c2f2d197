"""The baselines without segmentation: one 3D network from an image, or from the lesion mask alone, to survival."""

from __future__ import annotations

from typing import Literal

import torch

from lymphoma.deepmts.backbone import ConvBlock, glorot
from lymphoma.deepmts.network import Images, Predicted, Shape, SurvivalHead

__all__ = ["SingleTask"]

WIDTHS = (8, 16, 32, 64, 128)
"""As the backbone's encoder: what the comparison changes is the task, not the depth [A]."""


class SingleTask(torch.nn.Module):
    """A single-task survival network after Qiang (J Natl Cancer Inst 2021;113:606), layers filled [A].

    Five stages of two convolutions with normalisation and ReLU, halved between, global mean, one hidden layer.

    Args:
        sees: "image" is PET and CT; "mask" the lesion mask and nothing else, a control that knows where, how large and
            of what shape lesions are.
    """

    segments = False

    def __init__(self, shape: Shape | None = None, sees: Literal["image", "mask"] = "image") -> None:
        super().__init__()
        self.shape = shape = shape or Shape()
        self.sees = sees
        inputs = (2 if sees == "image" else 1, *WIDTHS[:-1])
        stages: list[torch.nn.Module] = []
        for given, width in zip(inputs, WIDTHS, strict=True):
            stages += [torch.nn.MaxPool3d(2)] if stages else []
            stages += [ConvBlock(given, width), ConvBlock(width, width)]
        self.stages = torch.nn.Sequential(*stages)
        self.head = SurvivalHead((WIDTHS[-1],), shape.clinic, shape.outputs)
        self.apply(glorot)

    def forward(self, images: Images) -> Predicted:
        """Logits alone."""
        seen = images.image if self.sees == "image" else images.mask
        seen = seen.contiguous(memory_format=torch.channels_last_3d)
        return Predicted(self.head([self.stages(seen).mean(dim=(2, 3, 4))], images.clinic), None)
