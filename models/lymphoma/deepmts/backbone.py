"""The residual U-Net that DeepMTS segments with, and the taps that its encoder gives the survival head."""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["EPS", "FOREGROUND", "MOMENTUM", "Backbone", "ConvBlock", "ResidualStage", "glorot"]

FOREGROUND = 0
"""Channel of the lesion in the segmentation's softmax, as published; 1 is the background."""

EPS, MOMENTUM = 1e-3, 0.01
"""Of batch normalisation: the defaults of Keras, in which the published network is written; torch counts the momentum
from the other end."""


def normalisation(width: int) -> torch.nn.BatchNorm3d:
    """Batch normalisation as all parts of the network have it."""
    return torch.nn.BatchNorm3d(width, eps=EPS, momentum=MOMENTUM)


def glorot(module: torch.nn.Module) -> None:
    """Draws weights uniformly after Glorot and sets biases to 0, as Keras does; for ``network.apply``."""
    if isinstance(module, torch.nn.Conv3d | torch.nn.Linear):
        torch.nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)


class ConvBlock(torch.nn.Sequential):
    """Convolution of stride 1 that keeps the size, batch normalisation, ReLU."""

    def __init__(self, inputs: int, width: int, kernel: int = 3) -> None:
        super().__init__(
            torch.nn.Conv3d(inputs, width, kernel, padding=kernel // 2), normalisation(width), torch.nn.ReLU()
        )


class ResidualStage(torch.nn.Module):
    """Convolutions, each added to what it was given; the first to a 1x1x1 convolution of it, which fits the width.

    The shortcut has normalisation (the published parameter count asks for it) and, like every convolution of the
    stage, a ReLU [A].
    """

    def __init__(self, inputs: int, width: int, convolutions: int) -> None:
        super().__init__()
        self.shortcut = ConvBlock(inputs, width, 1)
        widths = [inputs] + [width] * (convolutions - 1)
        self.blocks = torch.nn.ModuleList(ConvBlock(given, width) for given in widths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, k, j, i) to (n, width, k, j, i)."""
        first, *others = self.blocks
        x = first(x) + self.shortcut(x)
        for block in others:
            x = block(x) + x
        return x


class Backbone(torch.nn.Module):
    """Residual U-Net with five stages down and four up, nearest up-sampling, two-channel softmax.

    Args:
        inputs: channels of the image. widths: of the stages. down, up: convolutions a stage; ``up`` from the bottom.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int] = (8, 16, 32, 64, 128),
        down: Sequence[int] = (2, 2, 3, 3, 4),
        up: Sequence[int] = (3, 3, 2, 2),
    ) -> None:
        super().__init__()
        before = (inputs, *widths[:-1])
        self.down = torch.nn.ModuleList(
            ResidualStage(given, width, count) for given, width, count in zip(before, widths, down, strict=True)
        )
        rising = list(widths)[::-1]
        self.up = torch.nn.ModuleList(
            ResidualStage(low + width, width, count) for low, width, count in zip(rising, rising[1:], up, strict=False)
        )
        self.last = torch.nn.Conv3d(widths[0], 2, 1)
        self._halve = torch.nn.MaxPool3d(2)
        self._double = torch.nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Logits (n, 2, k, j, i), channel :data:`FOREGROUND` the lesion, and the encoder's maps, the finest first.

        Args:
            image: (n, inputs, k, j, i), each edge a multiple of 16.
        """
        maps: list[torch.Tensor] = []
        x = image
        for stage in self.down:
            x = stage(self._halve(x) if maps else x)
            maps.append(x)
        for stage, beside in zip(self.up, maps[-2::-1], strict=True):
            x = stage(torch.cat((self._double(x), beside), dim=1))
        return self.last(x), maps
