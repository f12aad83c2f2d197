"""The cascaded survival network of DeepMTS: a DenseNet on PET, CT and the mask that the backbone predicts."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lymphoma.deepmts.backbone import normalisation

__all__ = ["CascadedSurvivalNetwork"]

STEM, BOTTLENECK, GROWTH = 24, 64, 16
DROPOUT = 0.05


class _DenseLayer(torch.nn.Module):
    """BN, ReLU, 1x1x1 to 64, dropout, BN, ReLU, 3x3x3 to 16, dropout; appended to what it was given."""

    def __init__(self, inputs: int, dropout: float) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            normalisation(inputs),
            torch.nn.ReLU(),
            torch.nn.Conv3d(inputs, BOTTLENECK, 1),
            torch.nn.Dropout(dropout),
            normalisation(BOTTLENECK),
            torch.nn.ReLU(),
            torch.nn.Conv3d(BOTTLENECK, GROWTH, 3, padding=1),
            torch.nn.Dropout(dropout),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x, self.layers(x)), dim=1)


class CascadedSurvivalNetwork(torch.nn.Module):
    """Stem, three dense blocks with a transition after each, and a tap after each transition.

    The stem is not padded: an edge of 128 voxels becomes 63, 31 after its pool, then 15 and 7 after the transitions'
    pools; 64 becomes 31, 15, 7, 3. What follows the stem's convolution is dropout and pool alone [A]: the published
    parameter count leaves no room for a normalisation, and the first dense layer begins with one.

    Args:
        inputs: channels, PET, CT and mask. blocks: layers of the dense blocks. transitions: widths.
    """

    def __init__(
        self, inputs: int = 3, blocks: Sequence[int] = (4, 8, 16), transitions: Sequence[int] = (16, 32, 64)
    ) -> None:
        super().__init__()
        self.stem = torch.nn.Sequential(
            torch.nn.Conv3d(inputs, STEM, 3, stride=2), torch.nn.Dropout(DROPOUT), torch.nn.MaxPool3d(3, stride=2)
        )
        self.blocks, self.transitions, self.taps = (torch.nn.ModuleList() for _ in range(3))
        width = STEM
        for layers, narrow in zip(blocks, transitions, strict=True):
            dense = [_DenseLayer(width + GROWTH * number, DROPOUT) for number in range(layers)]
            self.blocks.append(torch.nn.Sequential(*dense))
            width += GROWTH * layers
            self.transitions.append(
                torch.nn.Sequential(normalisation(width), torch.nn.ReLU(), torch.nn.Conv3d(width, narrow, 1))
            )
            self.taps.append(torch.nn.Sequential(normalisation(narrow), torch.nn.ReLU()))
            width = narrow
        self._halve = torch.nn.AvgPool3d(2)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The taps, the finest first: 16, 32 and 64 channels.

        A tap is taken before its transition's pool, which after the last one nothing follows [A].

        Args:
            x: (n, inputs, k, j, i), each edge of 31 voxels or more.
        """
        x = self.stem(x)
        taps: list[torch.Tensor] = []
        for block, transition, tap in zip(self.blocks, self.transitions, self.taps, strict=True):
            x = transition(block(self._halve(x) if taps else x))
            taps.append(tap(x))
        return taps
