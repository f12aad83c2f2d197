"""What a bundle of the signature holds: the image network, and of each endpoint a selection and a stack of learners."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from lymphoma.dfr_signature.archive import archive_of
from lymphoma.dfr_signature.backbones import Backbone, GivenTensors, open_backbone
from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.features import features_of
from lymphoma.dfr_signature.fit import Fitted, score_name
from lymphoma.dfr_signature.inputs import DRAWN
from lymphoma.dfr_signature.selection import FeatureSelection
from lymphoma.dfr_signature.signature import unpack_signature
from lymphoma.errors import BundleRefused
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.training.bundle import Bundle
from lymphoma.training.setup import read_setup

__all__ = ["BACKBONE", "SETUP_WORD", "Ensemble", "Setup", "ensemble_of", "setup_of", "signature_network"]

SETUP_WORD = "signature"
LAYOUT = 1
BACKBONE = "backbone"
"""Name of the image network among a bundle's weights."""


def signature_network(endpoint: Endpoint) -> str:
    """Name of an endpoint's stack of learners among a bundle's weights."""
    return f"signature_{endpoint}"


@dataclass(frozen=True)
class Setup:
    """All of a bundle's signatures but weights and archives.

    Attributes:
        way: how crops are made. origin: where the image network's weights come from.
        signatures: endpoint -> SHA-256 of its archive, told apart from it. selections: endpoint -> JSON of the ten.
    """

    config: DfrConfig
    way: str
    origin: str
    signatures: Mapping[Endpoint, str]
    selections: Mapping[Endpoint, str]
    layout: int = LAYOUT

    def to_json(self) -> str:
        """As the bundle keeps it."""
        return json.dumps(asdict(self), sort_keys=True) + "\n"


_SETUP: TypeAdapter[Setup] = TypeAdapter(Setup)


def setup_of(bundle: Bundle) -> Setup:
    """How the signatures of a bundle are made.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``, ``BUNDLE_NEWER_LAYOUT``, and as :meth:`Bundle.further`.
    """
    return read_setup(bundle, SETUP_WORD, _SETUP, LAYOUT, "signatures")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The image network, read once a patient, and the signature of each endpoint."""

    config: DfrConfig
    backbone: Backbone
    signatures: Mapping[Endpoint, Fitted] = field(repr=False)

    def scores(self, arrays: Arrays) -> dict[str, float]:
        """Chance of the event that each signature learned, by the names of the interface.

        Raises:
            NotComputable: as :func:`lymphoma.dfr_signature.inputs.crops_of`; ``VALUES_NOT_FINITE``.
        """
        features = features_of(arrays, DRAWN, self.backbone, self.config)[None]
        return {score_name(one): float(fitted.probability(features)[0]) for one, fitted in self.signatures.items()}


def ensemble_of(bundle: Bundle, setup: Setup) -> Ensemble:
    """Opens all of it; an archive only where its digest is the one that the setup tells.

    Raises:
        BundleRefused: as :meth:`Bundle.weights`; ``BUNDLE_UNREADABLE``, ``BUNDLE_DIGEST_MISMATCH``.
        NotComputable: ``NOT_INSTALLED``: without ``nodal[dfr]``.
    """
    own = GivenTensors(bundle.weights(BACKBONE), setup.origin)
    backbone = open_backbone(setup.config.backbone, own, softmax=setup.config.softmax)
    known = [endpoint for endpoint in ENDPOINTS if endpoint in setup.signatures]
    if not known:
        raise BundleRefused("BUNDLE_UNREADABLE", "the bundle has no signature")
    return Ensemble(setup.config, backbone, {endpoint: _opened(bundle, setup, endpoint) for endpoint in known})


def _opened(bundle: Bundle, setup: Setup, endpoint: Endpoint) -> Fitted:
    text: Any = setup.selections.get(endpoint)
    if text is None:
        raise BundleRefused("BUNDLE_UNREADABLE", "a signature has no selection of features")
    archive = archive_of(bundle.weights(signature_network(endpoint)))
    return Fitted(FeatureSelection.from_json(text), unpack_signature(archive, setup.signatures[endpoint]))
