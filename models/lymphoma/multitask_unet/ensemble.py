"""Trained networks as one: the mean of their log odds, and how a bundle keeps them.

Under the class weights of Eq. 3 a network says .5 of a patient who is as likely as all others to have the event. What
is printed as ``p_event_24m`` must be a chance, so the weights are taken back: odds x w_n / w_p, the odds of the
training patients. Ranks stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from pydantic import TypeAdapter

from lymphoma.errors import BundleRefused
from lymphoma.inference.device import Processor, choose
from lymphoma.multitask_unet.comparators import build_network
from lymphoma.multitask_unet.inputs import PET, image_of
from lymphoma.multitask_unet.loss import event_probability
from lymphoma.multitask_unet.network import Answers
from lymphoma.multitask_unet.shape import Size, Widths
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.training.bundle import Bundle
from lymphoma.training.setup import read_setup
from lymphoma.training.weights import Tensors

__all__ = ["SETUP_WORD", "Ensemble", "Member", "Setup", "ensemble_of", "open_network", "setup_of"]

SETUP_WORD = "multitask"
"""``survival/multitask.json`` in the bundle."""
LAYOUT = 1
LEAST = 1e-6
"""A chance is kept this far from 0 and 1, so that its log odds are a number."""


@dataclass(frozen=True)
class Member:
    """A network of a bundle.

    Attributes:
        name: in the bundle. shift: log(w_n / w_p) of its training patients, added to its log odds.
    """

    name: str
    shift: float


@dataclass(frozen=True)
class Setup:
    """All of the networks of a bundle but their weights.

    Attributes:
        model: "ours" or another. size, widths: of its networks. way: how their inputs are prepared.
    """

    model: str
    size: Size
    widths: Widths
    way: str
    members: tuple[Member, ...]
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
    """Networks with the shift of each, in evaluation mode on a processor."""

    networks: tuple[torch.nn.Module, ...]
    shifts: tuple[float, ...]
    processor: Processor

    @classmethod
    def of(
        cls, networks: Sequence[torch.nn.Module], shifts: Sequence[float], processor: Processor | None = None
    ) -> Ensemble:
        """From networks with their weights; in float32, on a GPU where there is one.

        Raises:
            BundleRefused: ``BUNDLE_UNREADABLE``: no network.
        """
        if not networks:
            raise BundleRefused("BUNDLE_UNREADABLE", "the bundle has no network")
        on = processor or choose("auto", "float32")
        return cls(tuple(one.to(on.device).eval() for one in networks), tuple(shifts), on)

    @torch.no_grad()
    def log_odds(self, inputs: Arrays) -> float:
        """Log odds of an event within 24 months of one patient; higher is worse."""
        image = image_of(inputs[PET])[None, None].contiguous(memory_format=torch.channels_last_3d)
        given = image.to(self.processor.device)
        found = []
        for network, shift in zip(self.networks, self.shifts, strict=True):
            with self.processor.numbers():
                answers: Answers = network(given)
            chance = float(event_probability(answers)[0].double().clamp(LEAST, 1 - LEAST))
            found.append(np.log(chance) - np.log1p(-chance) + shift)
        return float(np.mean(found))


def open_network(model: str, size: Size, widths: Widths, tensors: Tensors) -> torch.nn.Module:
    """A network with its weights, in whatever type they are stored.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``: weights of another network.
    """
    network = build_network(model, size, widths)
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as fault:
        raise BundleRefused("BUNDLE_UNREADABLE", "the weights are not those of the bundle's network") from fault
    return network.to(memory_format=torch.channels_last_3d).eval()  # type: ignore[call-overload, no-any-return]


def ensemble_of(bundle: Bundle, setup: Setup) -> Ensemble:
    """The networks of a bundle.

    Raises:
        BundleRefused: as :meth:`Bundle.weights` and :func:`open_network`.
    """
    networks = [open_network(setup.model, setup.size, setup.widths, bundle.weights(one.name)) for one in setup.members]
    return Ensemble.of(networks, [one.shift for one in setup.members])
