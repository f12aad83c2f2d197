"""Opens LAMP's lesion network: from a bundle, or from the folder of a training."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.errors import BundleRefused
from lymphoma.inference.device import Processor, choose
from lymphoma.inference.layout import laid_out
from lymphoma.segmentation.network import LampNetwork, LampShape
from lymphoma.segmentation.whole_body import LesionNetwork
from lymphoma.training.bundle import Bundle, load_bundle
from lymphoma.training.filling import fill, network_digest
from lymphoma.training.trained import trained_weights
from lymphoma.training.weights import Tensors

__all__ = ["SHAPE_WORD", "SYSTEM", "open_lesion_network", "shape_to_json", "shipped_bundle"]

SYSTEM = "segmentation"
"""Its name in a bundle's metadata, and of the bundle's one network."""

SHAPE_WORD = "shape"
"""Under which a bundle keeps the network's shape."""

_SHAPE = TypeAdapter(LampShape)


def shipped_bundle() -> Path | None:
    """The bundle that this version brings; None where it brings none. Packages are installed as plain folders."""
    with as_file(files("lymphoma.segmentation") / "bundle") as folder:
        return folder if (folder / "configs" / "metadata.json").is_file() else None


def open_lesion_network(
    source: Bundle | Path, processor: Processor | None = None, *, flips: bool = False
) -> LesionNetwork:
    """The network with the organ rows of the shipped class table.

    Args:
        source: a verified bundle, or the folder of a bundle, of a run (finished, or from its newest checkpoint) or of a
            hand-over. processor: the one that suits the machine by default. flips: see :class:`LesionNetwork`.

    Raises:
        BundleRefused: with the code of the fault. TrainingFailed: no bundle, and no training with weights either.
    """
    if isinstance(source, Path) and (source / "configs" / "metadata.json").is_file():
        source = load_bundle(source, (SYSTEM,))
    if isinstance(source, Bundle):
        tensors: Tensors = source.weights(SYSTEM)
        shape = _shape_of(source)
    else:
        tensors, shape = trained_weights(source).tensors, LampShape()
    where = processor or choose()
    network = LampNetwork(shape)
    fill(network, tensors)
    digest = network_digest(network, tensors, shape_to_json(shape))
    names = tuple(shipped_classes().names.values())
    laid_out(network, where)
    return LesionNetwork(network, shape, digest, names, where, flips)


def shape_to_json(shape: LampShape) -> str:
    """The text that a bundle keeps."""
    return json.dumps(asdict(shape), sort_keys=True)


def _shape_of(bundle: Bundle) -> LampShape:
    text = bundle.further(SHAPE_WORD)
    if text is None:
        raise BundleRefused("BUNDLE_FILE_MISSING", "the bundle does not say the shape of its lesion network")
    try:
        return _SHAPE.validate_json(text)
    except ValidationError as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the shape of the lesion network cannot be read") from error
