"""Several heads as one: the heads of all folds and seeds of an endpoint, and how a bundle keeps them.

A new patient is judged by the mean of all heads: each was stopped on patients it did not learn from, none is thrown
away, and the spread between them is averaged out. One head trained on everybody would have no patients left to be
stopped on; its length would be a guess from other runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from pydantic import TypeAdapter

from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.lamp.bags import LesionBags, bag_of
from lymphoma.lamp.network import HeadShape, LampHead
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.prognosis.survival_loss import risk
from lymphoma.training.bundle import Bundle
from lymphoma.training.setup import read_setup
from lymphoma.training.weights import Tensors

__all__ = ["SETUP_WORD", "Ensemble", "Setup", "Word", "bag_of_patient", "ensemble_of", "setup_of"]

SETUP_WORD = "lamp"
"""``survival/lamp.json`` in the bundle."""
LAYOUT = 1
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setup:
    """All of the heads of a bundle but their weights.

    Attributes:
        network: digest of the bundle whose lesion network made the features that the heads learned from.
        organ_names: in the order of the organ rows. arm: name of the configuration. shape: of every head.
        heads: endpoint -> names of its networks in the bundle.
    """

    network: str
    organ_names: tuple[str, ...]
    arm: str
    shape: HeadShape
    heads: Mapping[Endpoint, tuple[str, ...]]
    layout: int = LAYOUT

    def to_json(self) -> str:
        """As the bundle keeps it."""
        return json.dumps(asdict(self), sort_keys=True) + "\n"


_SETUP = TypeAdapter(Setup)


def setup_of(bundle: Bundle) -> Setup:
    """How the heads of a bundle are made.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``, ``BUNDLE_NEWER_LAYOUT``, and as :meth:`Bundle.further`.
    """
    return read_setup(bundle, SETUP_WORD, _SETUP, LAYOUT, "heads")


@dataclass(frozen=True, eq=False)
class Word:
    """What an ensemble says of n patients.

    Attributes:
        risk: (n,), the mean over the heads; higher is worse.
        attention: (n, J), in mean; None for an aggregation without weights.
        organs: (n, J, K) weights of the organs, in mean; None without anatomy context.
    """

    risk: Floats
    attention: Floats | None
    organs: Floats | None


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Heads of one endpoint."""

    heads: tuple[LampHead, ...]

    @classmethod
    def of(cls, shape: HeadShape, weights: Sequence[Tensors]) -> Ensemble:
        """From state dictionaries, in whatever type they are stored.

        Raises:
            BundleRefused: ``BUNDLE_UNREADABLE``: no heads, or weights that do not fit the shape.
        """
        heads = []
        for tensors in weights:
            head = LampHead(shape)
            try:
                head.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
            except RuntimeError as fault:
                raise BundleRefused(
                    "BUNDLE_UNREADABLE", "the weights are not those of the head they are kept for"
                ) from fault
            heads.append(head.eval())
        if not heads:
            raise BundleRefused("BUNDLE_UNREADABLE", "an endpoint has no heads")
        return cls(tuple(heads))

    @torch.no_grad()
    def judge(self, bags: LesionBags) -> Word:
        """Judges padded patients, on the CPU in single precision."""
        words = [head(bags) for head in self.heads]
        risks = torch.stack([risk(word.logits).double() for word in words])
        attention = [word.attention for word in words if word.attention is not None]
        organs = [word.organs for word in words if word.organs is not None]
        return Word(
            risks.mean(dim=0).numpy(),
            torch.stack(attention).double().mean(dim=0).numpy() if attention else None,
            torch.stack(organs).double().mean(dim=0).numpy() if organs else None,
        )


def ensemble_of(bundle: Bundle, setup: Setup, endpoint: Endpoint) -> Ensemble:
    """The heads of an endpoint.

    Raises:
        BundleRefused: as :meth:`Bundle.weights` and :meth:`Ensemble.of`.
    """
    return Ensemble.of(setup.shape, [bundle.weights(name) for name in setup.heads.get(endpoint, ())])


def bag_of_patient(pooled: PooledFeatures, pet: PetMeasures, shape: HeadShape) -> LesionBags:
    """A patient as the heads read him or her; measures are read only where the shape has a place for them.

    Raises:
        NotComputable: ``NO_AVID_LESION``; ``MEASURE_MISSING``.
    """
    burden = (0.0, 0.0, 0.0)
    if shape.burden:
        if pet.tmtv_ml is None or pet.sdmax_per_m is None:
            raise NotComputable("MEASURE_MISSING", "the head reads TMTV and SDmax, of which one is not known")
        burden = (float(np.log(max(pet.tmtv_ml, 1.0))), float(np.log(len(pooled.lesions))), pet.sdmax_per_m)
    return bag_of(pooled.lesions, pooled.organs, pooled.present, burden)
