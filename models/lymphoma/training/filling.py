"""A network and its weights: taken over from a bundle or a run, told apart by their digest."""

from __future__ import annotations

import hashlib

import torch
from safetensors.torch import save

from lymphoma.errors import BundleRefused
from lymphoma.training.weights import Tensors, halved

__all__ = ["distinct", "fill", "network_digest"]


def distinct(network: torch.nn.Module, tensors: Tensors) -> dict[str, torch.Tensor]:
    """Each tensor under the first of its names; a network that reaches a module by two ways has two names for it."""
    state = network.state_dict(keep_vars=True)
    first: dict[int, str] = {}
    for name, tensor in state.items():
        first.setdefault(id(tensor), name)
    kept = set(first.values())
    return {name: tensor for name, tensor in tensors.items() if name in kept}


def fill(network: torch.nn.Module, tensors: Tensors) -> None:
    """Takes weights over, each tensor given once or under each of its names.

    Raises:
        BundleRefused: BUNDLE_UNREADABLE, a tensor is missing, has another shape, or is not the network's.
    """
    state = network.state_dict(keep_vars=True)
    try:
        missing, unexpected = network.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the weights have other shapes than the network") from error
    given = {id(state[name]) for name in tensors if name in state}
    if unexpected or any(id(state[name]) not in given for name in missing):
        raise BundleRefused("BUNDLE_UNREADABLE", "the weights are not those of this network")


def network_digest(network: torch.nn.Module, tensors: Tensors, shape: str) -> str:
    """SHA-256 of a network's float16 weights and its shape: the same for a run and for the bundle made of it.

    Unlike the bundle's digest it stays when statistics, figures or a reviewer are renewed, which change no feature.

    Args:
        shape: JSON text.
    """
    kept = {name: one.cpu().contiguous() for name, one in sorted(halved(distinct(network, tensors)).items())}
    return hashlib.sha256(save(kept) + shape.encode()).hexdigest()
