"""Opens the anatomy network: from a bundle, the shipped one or another, or from the folder of a training."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import torch

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network
from lymphoma.errors import BundleRefused, TrainingFailed
from lymphoma.inference.device import Processor
from lymphoma.training.bundle import Bundle, load_bundle
from lymphoma.training.checkpoint import load_newest
from lymphoma.training.config import config_digest, read_config
from lymphoma.training.legs import read_handover
from lymphoma.training.result import kept_weights
from lymphoma.training.weights import Tensors

__all__ = ["SYSTEM", "open_anatomy", "open_bundle", "shipped_bundle"]

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
    return _engine(_trained(folder), processor)


def open_bundle(bundle: Bundle, processor: Processor | None = None) -> NetworkAnatomy:
    """The engine of a verified bundle.

    Raises:
        BundleRefused: its weights are not there, were changed, or do not fit the network.
    """
    return _engine(bundle.weights(SYSTEM), processor)


def _engine(weights: Tensors, processor: Processor | None) -> NetworkAnatomy:
    classes, shape, where = shipped_classes(), AnatomyShape(), processor or Processor(torch.device("cpu"))
    network = build_network(shape, len(classes))
    _fill(network, weights)
    return NetworkAnatomy(network.eval().to(where.device), classes, shape, where)


def _fill(network: torch.nn.Module, weights: Tensors) -> None:
    """Takes weights over, each tensor once or under each of its names: DynUNet has two names for most.

    Raises:
        BundleRefused: BUNDLE_UNREADABLE, a tensor is missing, has another shape, or is not the network's.
    """
    try:
        missing, unexpected = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the weights have other shapes than the anatomy network") from error
    state = network.state_dict(keep_vars=True)
    given = {state[name].data_ptr() for name in weights if name in state}
    absent = [name for name in missing if state[name].data_ptr() not in given]
    if absent or unexpected:
        raise BundleRefused("BUNDLE_UNREADABLE", "the weights are not those of the anatomy network")


def _trained(folder: Path) -> Tensors:
    """The kept weights of a training folder, in whatever state it is."""
    if (folder / "kept.safetensors").is_file():
        return kept_weights(folder)
    if not (folder / "train.yaml").is_file():
        raise TrainingFailed("HANDOVER_UNUSABLE", f"{folder.name} is neither a bundle nor the folder of a training")
    config = read_config(folder / "train.yaml")
    if (folder / "handover.json").is_file():
        given = read_handover(folder, config)
        return given.best or given.network
    checkpoint = load_newest(folder / "checkpoints", config_digest(config))
    if checkpoint is None:
        raise TrainingFailed("HANDOVER_UNUSABLE", f"the training in {folder.name} has no weights yet")
    return checkpoint.best or checkpoint.network
