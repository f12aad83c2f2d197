"""The physiological uptake of a virtual patient, and what else is avid without being lymphoma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lymphoma.simulation.person import Person

__all__ = ["Physiology", "draw_physiology"]


@dataclass(frozen=True)
class Physiology:
    """How this patient takes up the tracer where there is no lymphoma.

    Attributes:
        uptake_scale: one factor common to all soft organs of this patient.
    """

    uptake_scale: float


def draw_physiology(rng: np.random.Generator, person: Person) -> Physiology:
    """The common factor is log-normal with log-SD 0.12 [A]."""
    return Physiology(uptake_scale=round(float(np.exp(rng.normal(0.0, 0.12))), 3))
