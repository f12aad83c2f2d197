"""Result objects to the destinations that shall receive them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nodal.delivery.dimse import DimseSender
from nodal.delivery.fhir import FhirSender
from nodal.delivery.outcome import Outcome, Parcel, fall_back
from nodal.delivery.stow import StowSender
from nodal.settings import Destination

__all__ = ["DimseSender", "FhirSender", "Outcome", "Parcel", "Sender", "StowSender", "fall_back", "sender_for"]


class Sender(Protocol):
    """Whatever brings parcels to a place."""

    def send(self, parcels: Sequence[Parcel]) -> tuple[Outcome, ...]:
        """Sends every parcel once; an outcome per parcel, in their order."""


def sender_for(destination: Destination, calling_ae_title: str) -> Sender:
    """The sender for a destination of the settings."""
    if destination.kind == "stow":
        return StowSender(destination)
    if destination.kind == "fhir":
        return FhirSender(destination)
    return DimseSender(destination, calling_ae_title)
