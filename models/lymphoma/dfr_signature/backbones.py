"""An image network with its weights: 1,000 deep features of a crop (the paper's "Radiomics feature extraction").

Weights are given, as a file with its digest or as tensors of a bundle, or lie in Keras' own cache from an earlier
download by the site. Nothing is ever fetched. A network of random weights is a random projection and is called that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lymphoma.dfr_signature.keras_networks import (
    CLASSES,
    IMAGENET,
    SIDE,
    BackboneName,
    Pixels,
    build,
    fill,
    fill_randomly,
    keras,
    preprocessed,
    tensors_digest,
    tensors_of,
)
from lymphoma.errors import BundleRefused
from lymphoma.training.weights import Tensors, verify

__all__ = [
    "Backbone",
    "BackboneWeights",
    "GivenTensors",
    "KerasCache",
    "RandomProjection",
    "WeightsFile",
    "open_backbone",
]

BATCH = 8
"""Crops at a time [A]: NASNet-Large then stays near 2 GB."""
_SUFFIXES = (".h5", ".safetensors")


@dataclass(frozen=True)
class WeightsFile:
    """A file somebody gives: Keras' ``.h5`` or ``.weights.h5`` with the classifier, or our ``.safetensors``.

    Attributes:
        sha256: its digest, which is checked before it is read.
        words: where the weights come from.
    """

    path: Path
    sha256: str
    words: str


@dataclass(frozen=True)
class KerasCache:
    """ImageNet weights as Keras keeps them, checked against the digest in Keras' own source (MD5: it has no other).

    Attributes:
        folder: None: ``models`` in ``KERAS_HOME``, by default ``~/.keras``.
    """

    folder: Path | None = None


@dataclass(frozen=True)
class RandomProjection:
    """Weights that learned nothing, drawn by a seed."""

    seed: int = 0


@dataclass(frozen=True, eq=False)
class GivenTensors:
    """Weights that were read and verified already, as those of a bundle.

    Attributes:
        tensors: names of :func:`~lymphoma.dfr_signature.keras_networks.tensors_of`. words: where they come from.
    """

    tensors: Tensors
    words: str


BackboneWeights = WeightsFile | KerasCache | RandomProjection | GivenTensors


@dataclass(frozen=True, eq=False)
class Backbone:
    """A network ready for use.

    Attributes:
        digest: SHA-256 of its weights as they are used, in float32. origin: where its weights are from.
        softmax: features are shares of 1; by default the values before that [A].
    """

    name: BackboneName
    digest: str
    origin: str
    softmax: bool
    device: str
    _network: Any = field(repr=False)

    @property
    def words(self) -> str:
        """The network and where its weights are from."""
        return f"{IMAGENET[self.name].constructor}, {self.origin}"

    def features(self, crops: Pixels, *, batch: int = BATCH) -> npt.NDArray[np.float32]:
        """Deep features of crops, each for itself: order and batches change rounding alone.

        Args:
            crops: (n, 224, 224, 3), or (n, 224, 224) grey levels that become three equal channels; 0 to 255.
            batch: how many at a time.

        Returns:
            (n, 1000).

        Raises:
            ValueError: another shape, or a value that is not finite.
        """
        coloured = np.repeat(crops[..., None], 3, axis=-1) if crops.ndim == 3 else crops
        if coloured.shape[1:] != (SIDE, SIDE, 3) or not np.isfinite(coloured).all():
            raise ValueError(f"crops are finite and (n, {SIDE}, {SIDE}, 3), not {crops.shape}")
        found = [np.empty((0, CLASSES), dtype=np.float32)]
        with torch.no_grad(), keras().device(self.device):
            for start in range(0, len(coloured), batch):
                pixels = preprocessed(self.name, coloured[start : start + batch])
                found.append(self._network(pixels, training=False).cpu().numpy())
        return np.concatenate(found)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Its weights, for a bundle; see :func:`~lymphoma.dfr_signature.keras_networks.tensors_of`."""
        return tensors_of(self._network)


def open_backbone(
    name: BackboneName, weights: BackboneWeights, *, softmax: bool = False, device: str = "cpu"
) -> Backbone:
    """Builds a network and fills it.

    Args:
        device: of PyTorch, such as "cuda".

    Raises:
        NotComputable: ``NOT_INSTALLED``, no Keras that can be used.
        BundleRefused: ``BUNDLE_FILE_MISSING``, ``BUNDLE_DIGEST_MISMATCH``; ``BUNDLE_UNREADABLE``: weights of another
            network or without the classifier, or a kind of file that is not read here.
    """
    filling = _filling(name, weights)
    with keras().device(device):
        network = build(name, softmax=softmax)
        filling(network)
    digest = tensors_digest(name, tensors_of(network))
    return Backbone(name, digest, _words(weights), softmax, device, network)


def _words(weights: BackboneWeights) -> str:
    match weights:
        case RandomProjection():
            return f"random projection, seed {weights.seed}"
        case KerasCache():
            return "ImageNet, by Keras"
        case _:
            return weights.words


def _filling(name: BackboneName, weights: BackboneWeights) -> Callable[[Any], None]:
    """What fills the network; a file was verified by then."""
    match weights:
        case RandomProjection():
            return partial(fill_randomly, seed=weights.seed)
        case GivenTensors():
            return partial(fill, tensors=weights.tensors)
        case KerasCache():
            return partial(_read, file=_cached(name, weights))
        case WeightsFile():
            return partial(_read, file=_given(weights))


def _given(weights: WeightsFile) -> Path:
    if weights.path.suffix not in _SUFFIXES:
        raise BundleRefused("BUNDLE_UNREADABLE", f"{weights.path.name} is none of {', '.join(_SUFFIXES)}")
    verify(weights.path.parent, weights.path.name, weights.sha256)
    return weights.path


def _cached(name: BackboneName, cache: KerasCache) -> Path:
    folder = cache.folder or Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    file = folder / IMAGENET[name].file
    if not file.is_file():
        raise BundleRefused("BUNDLE_FILE_MISSING", f"Keras' cache has no {file.name}; nothing is fetched here")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != IMAGENET[name].md5:
        raise BundleRefused("BUNDLE_DIGEST_MISMATCH", f"{file.name} is not the file that Keras publishes")
    return file


def _read(network: Any, file: Path) -> None:
    """HDF5 and safetensors hold arrays alone: no code runs when they are read."""
    try:
        if file.suffix == ".safetensors":
            fill(network, load_file(file))
        else:
            network.load_weights(str(file))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BundleRefused("BUNDLE_UNREADABLE", f"{file.name} has no weights of this image network") from error
