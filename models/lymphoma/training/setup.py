"""What a bundle says of how its networks are made, as each room keeps it in a word of its own."""

from __future__ import annotations

from typing import Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import BundleRefused
from lymphoma.training.bundle import Bundle

__all__ = ["read_setup"]


class _Laid(Protocol):
    @property
    def layout(self) -> int: ...


S = TypeVar("S", bound=_Laid)


def read_setup(bundle: Bundle, word: str, reader: TypeAdapter[S], layout: int, what: str = "networks") -> S:
    """Reads ``survival/<word>.json``.

    Args:
        layout: the newest that this version reads. what: is made so, for the sentence of a refusal.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``, ``BUNDLE_NEWER_LAYOUT``, and as :meth:`Bundle.further`.
    """
    try:
        found = reader.validate_json(bundle.further(word) or "")
    except ValidationError as fault:
        raise BundleRefused("BUNDLE_UNREADABLE", f"the bundle does not say how its {what} are made") from fault
    if found.layout > layout:
        said = f"the {what} have layout {found.layout}, this version reads {layout}"
        raise BundleRefused("BUNDLE_NEWER_LAYOUT", said)
    return found
