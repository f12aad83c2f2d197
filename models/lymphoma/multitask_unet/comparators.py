"""What the paper compares with: ResNet34, DenseNet121, and a multi-task V-Net with fused maps around the bottom."""

from __future__ import annotations

from dataclasses import replace

import torch
from monai.networks.nets import DenseNet121, VNet, resnet34
from torch import nn

from lymphoma.multitask_unet.network import Answers, MultitaskUnet
from lymphoma.multitask_unet.shape import MODELS, Size, Widths

__all__ = ["COMPARATORS", "Classifier", "MultitaskVnet", "build_network", "finds_lesions", "tells_events"]

COMPARATORS = ("resnet34", "densenet121", "vnet")


class Classifier(nn.Module):
    """A network for images that tells the event alone: one channel in, two classes out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> Answers:
        """As :meth:`MultitaskUnet.forward`."""
        return Answers((), (self.network(image),))


class MultitaskVnet(VNet):  # type: ignore[misc]  # MONAI has no types
    """Zhou, Med Image Anal 2021;70:101918: the event from the maps before, at and right after the bottom.

    Each of the three maps is averaged over its voxels, the means are joined and read by two linear layers [A].
    """

    def __init__(self, hidden: int = 32) -> None:
        super().__init__(spatial_dims=3, in_channels=1, out_channels=2)
        self.event_head = nn.Sequential(nn.Linear(128 + 256 + 256, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def forward(self, image: torch.Tensor) -> Answers:
        """As :meth:`MultitaskUnet.forward`; the finest lesion head alone."""
        first = self.in_tr(image)
        second = self.down_tr32(first)
        third = self.down_tr64(second)
        before = self.down_tr128(third)
        bottom = self.down_tr256(before)
        after = self.up_tr256(bottom, before)
        lesions = self.out_tr(self.up_tr32(self.up_tr64(self.up_tr128(after, third), second), first))
        vector = torch.cat([one.mean(dim=(2, 3, 4)) for one in (before, bottom, after)], dim=1)
        return Answers((lesions,), (self.event_head(vector),), (vector,), (before, bottom, after))


def build_network(model: str, size: Size, widths: Widths) -> nn.Module:
    """A model of the paper by name, its weights as torch's generator gives them.

    Args:
        model: of :data:`lymphoma.multitask_unet.shape.MODELS` or :data:`COMPARATORS`; the latter have their own widths.

    Raises:
        KeyError: no such model.
    """
    match model:
        case "resnet34":
            return Classifier(resnet34(spatial_dims=3, n_input_channels=1, num_classes=2))
        case "densenet121":
            return Classifier(DenseNet121(spatial_dims=3, in_channels=1, out_channels=2))
        case "vnet":
            return MultitaskVnet()
    return MultitaskUnet(replace(MODELS[model], size=size, widths=widths))


def finds_lesions(model: str) -> bool:
    """Whether the model has a lesion head."""
    return model == "vnet" or (model in MODELS and MODELS[model].segments)


def tells_events(model: str) -> bool:
    """Whether the model tells the event."""
    return model in COMPARATORS or MODELS[model].classifies
