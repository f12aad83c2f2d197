"""The image network of a configuration, with weights as a bundle will keep them.

Features are read with weights rounded to float16 before anything is fitted, so that a bundle, whose weights are so,
reads the very features that its signature learned from.
"""

from __future__ import annotations

from pathlib import Path

from lymphoma.dfr_signature.backbones import (
    Backbone,
    BackboneWeights,
    GivenTensors,
    KerasCache,
    RandomProjection,
    WeightsFile,
    open_backbone,
)
from lymphoma.dfr_signature.config import DfrConfig, WeightsConfig
from lymphoma.dfr_signature.ensemble import BACKBONE, setup_of
from lymphoma.dfr_signature.keras_networks import BackboneName
from lymphoma.errors import BundleRefused
from lymphoma.training.bundle import load_bundle
from lymphoma.training.weights import halved

__all__ = ["SHIPPED_BUNDLE", "backbone_of"]

SHIPPED_BUNDLE = Path(__file__).with_name("bundle")
"""Whose image network serves where no other bundle is named."""
SYSTEM = "dfr_signature"


def backbone_of(config: DfrConfig, *, device: str = "cpu") -> Backbone:
    """The network that the configuration names, its weights rounded to float16.

    Raises:
        NotComputable: ``NOT_INSTALLED``, no Keras that can be used.
        BundleRefused: as :func:`lymphoma.dfr_signature.backbones.open_backbone` and
            :func:`lymphoma.training.bundle.load_bundle`; ``BUNDLE_UNREADABLE``: the bundle has another image network.
    """
    weights = _weights(config.weights, config.backbone)
    if isinstance(weights, GivenTensors):
        given = weights
    else:
        first = open_backbone(config.backbone, weights)
        given = GivenTensors(first.tensors(), first.origin)
    rounded = GivenTensors(halved(given.tensors), given.words)
    return open_backbone(config.backbone, rounded, softmax=config.softmax, device=device)


def _weights(asked: WeightsConfig, name: BackboneName) -> BackboneWeights:
    match asked.source:
        case "random":
            return RandomProjection(asked.seed)
        case "keras_cache":
            return KerasCache(asked.folder)
        case "file":
            assert asked.path is not None  # the configuration would not have been read without
            return WeightsFile(asked.path, asked.sha256, asked.words)
        case "shipped":
            return _of_bundle(asked.folder or SHIPPED_BUNDLE, name)


def _of_bundle(folder: Path, name: BackboneName) -> GivenTensors:
    # its image network alone is read, which says nothing of any patient: no acceptance run is asked for
    bundle = load_bundle(folder, (SYSTEM,), for_acceptance=True)
    setup = setup_of(bundle)
    if setup.config.backbone != name:
        raise BundleRefused(
            "BUNDLE_UNREADABLE", f"the bundle has {setup.config.backbone} for image network, not {name}"
        )
    return GivenTensors(bundle.weights(BACKBONE), setup.origin)
