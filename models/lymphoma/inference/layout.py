"""A trained network in the form that its processor runs fastest.

On a CPU that multiplies bfloat16 the convolutions are a quarter faster with channels last; torch's instance
normalisation, though, takes channels first only and copies to and fro. Group normalisation with a group for each
channel is the same thing and takes either.
"""

from __future__ import annotations

import torch

from lymphoma.inference.device import Processor

__all__ = ["laid_out"]


def laid_out(network: torch.nn.Module, processor: Processor) -> torch.nn.Module:
    """The same network, in evaluation mode on the processor's device; its state keeps names and values.

    Changed in place: a network that is run is not trained on.
    """
    network = network.eval().to(processor.device)
    if processor.device.type == "cpu" and processor.mixed:
        _group_norms(network)
        network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def _group_norms(module: torch.nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, torch.nn.InstanceNorm3d) and child.affine and not child.track_running_stats:
            group = torch.nn.GroupNorm(child.num_features, child.num_features, eps=child.eps)
            group.weight, group.bias = child.weight, child.bias
            setattr(module, name, group)
        else:
            _group_norms(child)
