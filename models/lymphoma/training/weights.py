"""Weights as safetensors files with digests: half precision by option, cut into files of limited size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from lymphoma.errors import BundleRefused
from lymphoma.training.files import file_sha256, write_whole

__all__ = ["SHIPPED_BYTES", "Tensors", "WeightFile", "halved", "read_weights", "verify", "write_weights"]

Tensors = Mapping[str, torch.Tensor]

SHIPPED_BYTES = 15_500_000
"""Under the 16 MB a shipped file may have, with room for the header."""


@dataclass(frozen=True)
class WeightFile:
    """One file of a network.

    Attributes:
        network: its name in the bundle. file: relative to the bundle, ``models/...safetensors``.
    """

    network: str
    file: str
    sha256: str
    bytes: int


def halved(tensors: Tensors) -> dict[str, torch.Tensor]:
    """Floating tensors in float16, except those that it cannot hold (a large running variance would become inf)."""
    return {name: _half(tensor) for name, tensor in tensors.items()}


def write_weights(root: Path, folder: str, network: str, tensors: Tensors, limit_bytes: int) -> tuple[WeightFile, ...]:
    """Writes ``<root>/<folder>/<network>.safetensors``, or ``<network>-00001-of-0000n.safetensors``.

    Raises:
        BundleRefused: ``BUNDLE_TENSOR_TOO_LARGE``: one tensor alone is above ``limit_bytes``.
    """
    (root / folder).mkdir(parents=True, exist_ok=True)
    shards = _sharded(tensors, limit_bytes)
    written = []
    for number, shard in enumerate(shards, start=1):
        part = f"-{number:05d}-of-{len(shards):05d}" if len(shards) > 1 else ""
        name = f"{folder}/{network}{part}.safetensors"
        write_whole(root / name, save({key: tensor.cpu().clone().contiguous() for key, tensor in shard.items()}))
        written.append(WeightFile(network, name, file_sha256(root / name), (root / name).stat().st_size))
    return tuple(written)


def read_weights(root: Path, files: Iterable[WeightFile]) -> dict[str, torch.Tensor]:
    """The tensors of the given files, each verified before it is read, in the type they are stored in.

    ``load_state_dict`` brings float16 back to the network's own type.

    Raises:
        BundleRefused: ``BUNDLE_FILE_MISSING``, ``BUNDLE_DIGEST_MISMATCH``, ``BUNDLE_UNREADABLE``.
    """
    tensors: dict[str, torch.Tensor] = {}
    for entry in files:
        verify(root, entry.file, entry.sha256)
        try:
            tensors.update(load_file(root / entry.file))
        except SafetensorError as error:
            raise BundleRefused("BUNDLE_UNREADABLE", f"{entry.file} is no safetensors file") from error
    return tensors


def verify(root: Path, name: str, sha256: str) -> None:
    """Whether a file is there and has its digest.

    Raises:
        BundleRefused: ``BUNDLE_FILE_MISSING``, ``BUNDLE_DIGEST_MISMATCH``.
    """
    file = root / name
    if not file.is_file():
        raise BundleRefused("BUNDLE_FILE_MISSING", f"{name} is listed and not there")
    if file_sha256(file) != sha256:
        raise BundleRefused("BUNDLE_DIGEST_MISMATCH", f"{name} is not the file that was exported")


def _half(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.to(torch.float16)
    return half if bool(torch.isfinite(half).all()) else tensor


def _sharded(tensors: Tensors, limit_bytes: int) -> list[dict[str, torch.Tensor]]:
    """In the order of the network; a new file where the next tensor does not fit."""
    shards: list[dict[str, torch.Tensor]] = [{}]
    filled = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        if size > limit_bytes:
            raise BundleRefused("BUNDLE_TENSOR_TOO_LARGE", f"{name} has {size} bytes, a file at most {limit_bytes}")
        if filled + size > limit_bytes:
            shards.append({})
            filled = 0
        shards[-1][name] = tensor
        filled += size
    return shards
