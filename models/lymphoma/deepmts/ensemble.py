"""How the networks of a bundle are made, and how they are read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import TypeAdapter

from lymphoma.deepmts.config import Arm, network_of
from lymphoma.deepmts.field import BodyField
from lymphoma.deepmts.judging import Arrays, Network, Scale, images_of, judge
from lymphoma.deepmts.network import DeepMts, Predicted, Shape
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.prognosis.model import Endpoint
from lymphoma.training.bundle import Bundle
from lymphoma.training.filling import fill
from lymphoma.training.setup import read_setup

__all__ = ["SETUP_WORD", "Ensemble", "Setup", "ensemble_of", "score_name", "setup_of"]

SETUP_WORD = "deepmts"
"""``survival/deepmts.json`` in the bundle."""
LAYOUT = 1

Floats = npt.NDArray[np.float64]


def score_name(endpoint: str) -> str:
    """``deepmts_pfs``, ``deepmts_os``."""
    return f"deepmts_{endpoint}"


@dataclass(frozen=True)
class Setup:
    """All of the networks of a bundle but their weights.

    Attributes:
        networks: endpoint -> its networks by their names in the bundle, each with the scale of its risk.
    """

    arm: Arm
    shape: Shape
    field: BodyField
    networks: Mapping[Endpoint, Mapping[str, Scale]]
    layout: int = LAYOUT

    def to_json(self) -> str:
        """As the bundle keeps it."""
        return json.dumps(asdict(self), sort_keys=True) + "\n"


_SETUP = TypeAdapter(Setup)


def setup_of(bundle: Bundle) -> Setup:
    """How the networks of a bundle are made.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``, ``BUNDLE_NEWER_LAYOUT``, and as :meth:`Bundle.further`.
    """
    return read_setup(bundle, SETUP_WORD, _SETUP, LAYOUT)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks of one endpoint with the scale of each one's risk; a patient's risk is the mean of the standard ones."""

    networks: tuple[Network, ...]
    scales: tuple[Scale, ...]
    field: BodyField

    def risk(self, arrays: Arrays) -> float:
        """Of one patient, on the CPU in single precision; higher is worse.

        Raises:
            NotComputable: ``BUNDLE_MISMATCH``: the arrays are of another field; ``NO_CLINICAL_RECORD``.
        """
        self._check(arrays)
        each = zip(self.networks, self.scales, strict=True)
        return float(np.mean([scale.apply(judge(network, lambda at: arrays, (0,)).risk)[0] for network, scale in each]))

    @torch.no_grad()
    def lesion(self, arrays: Arrays) -> npt.NDArray[np.float32]:
        """Probability of lesion in the field, (k, j, i), in mean over the networks.

        Raises:
            NotComputable: as :meth:`risk`; ``NOT_TRAINED`` where the arm does not segment.
        """
        self._check(arrays)
        found: list[npt.NDArray[Any]] = []
        for network in self.networks:
            if isinstance(network, DeepMts):
                predicted: Predicted = network(images_of([arrays], network.shape.clinic))
                found += [] if predicted.lesion is None else [predicted.lesion[0].numpy()]
        if not found:
            raise NotComputable("NOT_TRAINED", "a network of this arm does not segment")
        return np.asarray(np.mean(found, axis=0), dtype=np.float32)

    def _check(self, arrays: Arrays) -> None:
        if arrays["pet"].shape != self.field.size:
            raise NotComputable("BUNDLE_MISMATCH", "the inputs are of another field than the networks learned with")


def ensemble_of(bundle: Bundle, setup: Setup, endpoint: Endpoint) -> Ensemble:
    """The networks of an endpoint.

    Raises:
        BundleRefused: as :meth:`Bundle.weights`; ``BUNDLE_UNREADABLE``: none, or weights that do not fit.
    """
    listed = setup.networks.get(endpoint, {})
    if not listed:
        raise BundleRefused("BUNDLE_UNREADABLE", "an endpoint has no networks")
    networks = tuple(_network(bundle, setup, name) for name in listed)
    return Ensemble(networks, tuple(listed.values()), setup.field)


def _network(bundle: Bundle, setup: Setup, name: str) -> Network:
    network = network_of(setup.arm, setup.shape)
    fill(network, bundle.weights(name))
    return network.eval()
