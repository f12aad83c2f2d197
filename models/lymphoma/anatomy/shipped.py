"""Opens the anatomy network: from a bundle, the shipped one or another, or from the folder of a training."""

from __future__ import annotations

import hashlib
from importlib.resources import as_file, files
from pathlib import Path

import torch

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network
from lymphoma.inference.device import Processor
from lymphoma.inference.layout import laid_out
from lymphoma.training.bundle import Bundle, load_bundle
from lymphoma.training.filling import fill
from lymphoma.training.trained import trained_weights
from lymphoma.training.weights import Tensors

__all__ = ["SYSTEM", "network_key", "open_anatomy", "open_bundle", "shipped_bundle"]

SYSTEM = "anatomy"
"""Its name in a bundle's metadata, and of the bundle's one network."""


def shipped_bundle() -> Path | None:
    """The bundle that this version brings; None where it brings none. Packages are installed as plain folders."""
    with as_file(files("lymphoma.anatomy") / "bundle") as folder:
        return folder if (folder / "configs" / "metadata.json").is_file() else None


def open_anatomy(folder: Path, processor: Processor | None = None) -> NetworkAnatomy:
    """The engine of a bundle, of a run (finished, or from its newest checkpoint), or of a hand-over.

    Args:
        processor: where it runs; the CPU in float32 by default.

    Raises:
        BundleRefused: with the code of the fault. TrainingFailed: neither, or it cannot be used.
    """
    if (folder / "configs" / "metadata.json").is_file():
        return open_bundle(load_bundle(folder, (SYSTEM,)), processor)
    return _engine(trained_weights(folder).tensors, processor)


def open_bundle(bundle: Bundle, processor: Processor | None = None) -> NetworkAnatomy:
    """The engine of a verified bundle.

    Raises:
        BundleRefused: its weights are not there, were changed, or do not fit the network.
    """
    return _engine(bundle.weights(SYSTEM), processor)


def _engine(weights: Tensors, processor: Processor | None) -> NetworkAnatomy:
    classes, shape, where = shipped_classes(), AnatomyShape(), processor or Processor(torch.device("cpu"))
    network = build_network(shape, len(classes))
    fill(network, weights)
    return NetworkAnatomy(laid_out(network, where), classes, shape, where)


def network_key(engine: NetworkAnatomy) -> str:
    """Hex SHA-256 of the weights, by which kept results are told from those of another network."""
    digest = hashlib.sha256()
    for name, tensor in sorted(engine.network.named_parameters()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
