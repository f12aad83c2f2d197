"""Why a series cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from nodal.errors import Code

__all__ = ["Fault"]


@dataclass(frozen=True)
class Fault:
    """Why a PT or CT series is passed over. ``gate`` counts how far it came; the refusal names the furthest."""

    gate: int
    code: Code
    reason: str
