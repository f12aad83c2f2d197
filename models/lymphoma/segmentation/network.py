"""The lesion network of LAMP: one encoder for PET and CT, three decoders, and a map that weighs their answers.

After nnU-Net's plan: two 3x3x3 convolutions a level, instance normalisation, leaky ReLU. The paper gives the structure
and the channels of the last blocks (32 CT, 32 PET, 64 fused); where the weight map comes from it does not say. Here a
1x1x1 convolution over the 128 channels of all three last blocks and a softmax make it [A].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.blocks import Convolution

__all__ = ["PAPER_SIZE", "Decoded", "LampNetwork", "LampShape", "LesionMaps", "image_of"]

SUV_MEAN, SUV_SD, SUV_MOST = 0.41, 1.20, 30.0
CT_MEAN_HU, CT_SD_HU, CT_RANGE_HU = -624.0, 481.0, (-1024.0, 1024.0)
"""Mean and SD over 30 training patients, cut to boxes around their bodies. Of all of them together: a z-score of each
scan alone would hide the SUV, by which a lesion is told. Above SUV 30 nothing is told apart any more [A]."""

OUTCOMES = 2  # background and lesion


@dataclass(frozen=True)
class LampShape:
    """Size of the network and of what it sees.

    Attributes:
        widths: channels of each level; resolution halves from one to the next. fused_factor: by how much the fused
            decoder is wider. last_single, last_fused: channels of the last blocks, the features of a lesion.
        supervised: levels with an answer of their own, full size first. edge_mm: of a voxel. window: voxels (k, j, i),
            each divisible by 2 to the number of levels less one.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128)
    fused_factor: int = 1
    last_single: int = 32
    last_fused: int = 64
    supervised: int = 3
    edge_mm: float = 4.0
    window: tuple[int, int, int] = (64, 64, 64)


PAPER_SIZE = LampShape(widths=(32, 64, 128, 256, 320), fused_factor=2, window=(96, 96, 96))
"""nnU-Net's own widths, for a GPU; the last blocks then need no widening."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What one decoder gives.

    Attributes:
        features: of its last block, shape (n, 32 or 64, k, j, i).
        logits: background and lesion, shape (n, 2, ...), full size first, then half, a quarter ...
    """

    features: torch.Tensor
    logits: tuple[torch.Tensor, ...]


@dataclass(frozen=True, eq=False)
class LesionMaps:
    """All outputs of the network.

    Attributes:
        log_probability: of the fused answer, shape (n, 2, k, j, i), float32; its softmax is its exponential.
        weights: of CT, PET and fused decoder, shape (n, 3, k, j, i), sum 1 in each voxel.
    """

    ct: Decoded
    pet: Decoded
    fused: Decoded
    weights: torch.Tensor
    log_probability: torch.Tensor

    @property
    def features(self) -> torch.Tensor:
        """What lesions and organs are pooled from: fused 64, PET 32, CT 32; shape (n, 128, k, j, i)."""
        return torch.cat([self.fused.features, self.pet.features, self.ct.features], dim=1)


class LampNetwork(torch.nn.Module):
    """Input (n, 2, k, j, i), PET and CT of :func:`image_of`."""

    def __init__(self, shape: LampShape) -> None:
        super().__init__()
        wide = tuple(shape.fused_factor * width for width in shape.widths)
        doubled = tuple(2 * width for width in shape.widths)
        self.encoder = _Encoder(shape.widths)
        self.decoder_ct = _Decoder(shape.widths, shape.widths, shape.last_single, shape.supervised)
        self.decoder_pet = _Decoder(shape.widths, shape.widths, shape.last_single, shape.supervised)
        self.decoder_fused = _Decoder(doubled, wide, shape.last_fused, shape.supervised)
        self.weigh = torch.nn.Conv3d(2 * shape.last_single + shape.last_fused, 3, kernel_size=1)

    def forward(self, image: torch.Tensor) -> LesionMaps:
        """All maps of a batch of patches."""
        pet, ct = self.encoder(image[:, :1]), self.encoder(image[:, 1:])
        both = [torch.cat(pair, dim=1) for pair in zip(ct, pet, strict=True)]
        from_ct, from_pet, from_both = self.decoder_ct(ct), self.decoder_pet(pet), self.decoder_fused(both)
        seen = torch.cat([from_both.features, from_pet.features, from_ct.features], dim=1)
        log_weights = torch.log_softmax(self.weigh(seen).float(), dim=1)
        answers = [torch.log_softmax(one.logits[0].float(), dim=1) for one in (from_ct, from_pet, from_both)]
        # log of the sum of weight times probability, without leaving the logarithm
        mixed = torch.logsumexp(torch.stack(answers, dim=1) + log_weights[:, :, None], dim=1)
        return LesionMaps(from_ct, from_pet, from_both, log_weights.exp(), mixed)


def image_of(suv: npt.NDArray[np.float32], ct_hu: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """PET and CT as z-scores of the training patients: shape (2, k, j, i), float32."""
    pet = (np.clip(suv, 0.0, SUV_MOST) - SUV_MEAN) / SUV_SD
    ct = (np.clip(ct_hu, *CT_RANGE_HU) - CT_MEAN_HU) / CT_SD_HU
    return np.stack([pet, ct]).astype(np.float32)


class _Encoder(torch.nn.Module):
    """Features of one modality, full size first."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        entries = zip((1, *widths[:-1]), widths, strict=True)
        self.levels = torch.nn.ModuleList(
            _block(before, width, width, stride=1 if level == 0 else 2) for level, (before, width) in enumerate(entries)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for level in self.levels:
            image = level(image)
            found.append(image)
        return found


class _Decoder(torch.nn.Module):
    """From an encoder's features back to full size.

    Args:
        given: channels of the encoder's levels. widths: of its own. last: of the second convolution at full size.
    """

    def __init__(self, given: tuple[int, ...], widths: tuple[int, ...], last: int, supervised: int) -> None:
        super().__init__()
        out = (last, *widths[1:-1])
        below = (*widths[1:-1], given[-1])
        self.up = torch.nn.ModuleList(
            torch.nn.ConvTranspose3d(deep, width, kernel_size=2, stride=2, bias=False)
            for deep, width in zip(below, widths, strict=False)
        )
        self.levels = torch.nn.ModuleList(
            _block(width + skip, width, made, stride=1)
            for width, skip, made in zip(widths[:-1], given[:-1], out, strict=True)
        )
        self.heads = torch.nn.ModuleList(torch.nn.Conv3d(made, OUTCOMES, kernel_size=1) for made in out[:supervised])

    def forward(self, given: list[torch.Tensor]) -> Decoded:
        features = given[-1]
        logits: list[torch.Tensor] = []
        for level in reversed(range(len(self.levels))):
            features = self.levels[level](torch.cat([self.up[level](features), given[level]], dim=1))
            if level < len(self.heads):
                logits.insert(0, self.heads[level](features))
        return Decoded(features, tuple(logits))


def _block(given: int, middle: int, made: int, *, stride: int) -> torch.nn.Sequential:
    """Two convolutions; only the second is as wide as what is made, which keeps a widened last block affordable."""
    steps = ((given, middle, stride), (middle, made, 1))
    return torch.nn.Sequential(
        *(
            Convolution(
                3,
                before,
                after,
                strides=step,
                kernel_size=3,
                adn_ordering="NA",
                norm=("instance", {"affine": True}),
                act=("leakyrelu", {"negative_slope": 0.01, "inplace": True}),
                bias=False,
            )
            for before, after, step in steps
        )
    )
