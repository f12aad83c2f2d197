"""How a virtual patient was scanned: dose, times, position, resolution, noise, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lymphoma.simulation.person import Person

__all__ = ["HOSPITAL", "PLAIN", "TRAINING", "Scan", "Variety", "draw_scan"]


@dataclass(frozen=True)
class Variety:
    """How much scans differ from each other.

    Attributes:
        name: as written into the truth.
    """

    name: str


PLAIN = Variety("plain")
"""One clean scanner; what differs is the patient."""
HOSPITAL = Variety("hospital")
"""Scanners of several vendors and clinical irregularities, as a hospital sees them; nothing is broken."""
TRAINING = Variety("training")
"""All randomisation that a network should learn to bear, faults of the CT included."""


@dataclass(frozen=True)
class Scan:
    """The examination.

    Attributes:
        injected_mbq: activity at injection, in MBq. uptake_minutes: injection to the start of the scan.
        arms_up: arms beside the head, else along the body.
        psf_fwhm_mm: the scanner's blur. liver_cov: noise as coefficient of variation in the liver.
        breath_mm: how far the diaphragm lies lower in the CT than in the PET.
    """

    injected_mbq: float
    uptake_minutes: float
    arms_up: bool
    psf_fwhm_mm: float
    liver_cov: float
    breath_mm: float


def draw_scan(rng: np.random.Generator, person: Person, variety: Variety) -> Scan:
    """Dose (about 4 MBq/kg), uptake time (normal 62, 5 min), blur (normal 6.0, 0.7 mm), liver noise (7 to 14 %) [A]."""
    return Scan(
        injected_mbq=round(person.weight_kg * float(rng.uniform(3.5, 4.5)), 1),
        uptake_minutes=round(float(np.clip(rng.normal(62, 5), 50, 80)), 1),
        arms_up=bool(rng.random() < 0.7),
        psf_fwhm_mm=round(float(np.clip(rng.normal(6.0, 0.7), 4.5, 7.5)), 2),
        liver_cov=round(float(rng.uniform(0.07, 0.14)), 3),
        breath_mm=round(float(np.clip(rng.normal(0.0, 4.0), -8, 8)), 1),
    )
