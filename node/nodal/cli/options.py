"""Choices that several commands offer."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lymphoma.prognosis.model import Endpoint

__all__ = ["ENDPOINTS_OF", "EndpointChoice"]


class EndpointChoice(StrEnum):
    """One endpoint, or both."""

    PFS = "pfs"
    OS = "os"
    BOTH = "both"


ENDPOINTS_OF: dict[EndpointChoice, tuple[Endpoint, ...]] = {
    EndpointChoice.PFS: ("pfs",),
    EndpointChoice.OS: ("os",),
    EndpointChoice.BOTH: ("pfs", "os"),
}
