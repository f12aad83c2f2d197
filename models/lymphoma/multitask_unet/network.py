"""The network: one encoder and decoder, lesion heads at the stages and classification branches beside them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from lymphoma.multitask_unet.shape import UnetShape

__all__ = ["Answers", "MultitaskUnet"]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says of n patients.

    Attributes:
        lesions: logits (n, 2, k, j, i) of background and lesion, a head each, the finest first.
        event: logits (n, 2) of no event and event within 24 months, a branch each, the coarsest first.
        vectors: (n, c) that the linear layers of each branch read. maps: (n, c, k, j, i) that each branch was given.
    """

    lesions: tuple[torch.Tensor, ...]
    event: tuple[torch.Tensor, ...]
    vectors: tuple[torch.Tensor, ...] = ()
    maps: tuple[torch.Tensor, ...] = ()


class MultitaskUnet(nn.Module):
    """The U-Net of a shape.

    Each stage has two convolutions, a deconvolution of 2x2x2 leads up, and the shortcut is joined by channels; how many
    convolutions and how the maps are joined the paper leaves to its figure [A].
    """

    def __init__(self, shape: UnetShape) -> None:
        super().__init__()
        self.shape = shape
        widths = shape.widths
        self.down = nn.ModuleList(
            _twice(before, after) for before, after in zip((1, *widths[:-1]), widths, strict=True)
        )
        pairs = list(zip(widths[1:], widths[:-1], strict=True)) if shape.segments else []
        self.lift = nn.ModuleList(_deconvolution(coarse, fine) for coarse, fine in pairs)
        self.up = nn.ModuleList(_twice(2 * fine, fine) for _, fine in pairs)
        self.lesion_heads = nn.ModuleList(nn.Conv3d(widths[stage], 2, 3, padding=1) for stage in shape.lesion_stages)
        self.event_branches = nn.ModuleList(_Branch(shape, stage) for stage in shape.event_stages)

    def forward(self, image: torch.Tensor) -> Answers:
        """Answers to images (n, 1, k, j, i), scaled as :func:`lymphoma.multitask_unet.inputs.image_of` does."""
        stages = [self.down[0](image)]
        for block in list(self.down)[1:]:
            stages.append(block(nn.functional.max_pool3d(stages[-1], 2)))
        for stage in reversed(range(len(self.up))):
            lifted = self.lift[stage](stages[stage + 1])
            stages[stage] = self.up[stage](torch.cat((stages[stage], lifted), dim=1))
        lesions = tuple(
            head(stages[stage]) for head, stage in zip(self.lesion_heads, self.shape.lesion_stages, strict=True)
        )
        maps = tuple(stages[stage] for stage in self.shape.event_stages)
        told = [branch(one) for branch, one in zip(self.event_branches, maps, strict=True)]
        return Answers(lesions, tuple(event for event, _ in told), tuple(vector for _, vector in told), maps)


class _Branch(nn.Module):
    """From a stage's map to the event: two convolutions with max pooling (once at the bottom), GAP, two linear layers.

    Without a decoder the encoder's own map is pooled (model B).
    """

    def __init__(self, shape: UnetShape, stage: int) -> None:
        super().__init__()
        width, vector = shape.widths[stage], shape.vector
        if shape.segments:
            at_bottom = stage == len(shape.widths) - 1
            first = [] if at_bottom else [nn.MaxPool3d(2)]
            self.narrow = nn.Sequential(
                *_convolution(width, vector), *first, *_convolution(vector, vector), nn.MaxPool3d(2)
            )
        else:
            self.narrow, vector = nn.Sequential(), width
        self.head = nn.Sequential(nn.Linear(vector, shape.hidden), nn.ReLU(), nn.Linear(shape.hidden, 2))

    def forward(self, one: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, 2) and the pooled vector (n, c)."""
        vector = self.narrow(one).mean(dim=(2, 3, 4))
        return self.head(vector), vector


def _convolution(before: int, after: int) -> list[nn.Module]:
    # batch normalisation has a shift of its own, so the convolution needs none
    return [nn.Conv3d(before, after, 3, padding=1, bias=False), nn.BatchNorm3d(after), nn.ReLU(inplace=True)]


def _twice(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(before, after), *_convolution(after, after))


def _deconvolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose3d(before, after, 2, stride=2, bias=False), nn.BatchNorm3d(after), nn.ReLU(inplace=True)
    )
