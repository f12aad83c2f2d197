"""Patients with made-up pooled features, whose risk is that of their worst lesion."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from lymphoma.evaluation.patients import Patients
from lymphoma.lamp.patients import LampCohort
from lymphoma.prognosis.feature_folder import FeaturePatient, FeatureSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.pooled import FEATURES, PooledFeatures
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

ORGANS = ("liver", "spleen", "heart", "bladder", "vertebrae")
NETWORK = "a" * 64
DIRECTION = np.random.default_rng(0).normal(size=FEATURES)
SOURCE = FeatureSource("made up", True, NETWORK, ORGANS, "suv4_reviewed, anatomy 1")


def patient(seed: int, *, lesions: int | None = None, effect: float = 3.0) -> FeaturePatient:
    """One patient: each feature of a lesion holds a little of its harm, the largest of which makes the hazard."""
    rng = np.random.default_rng([seed, 5])
    count = int(rng.integers(1, 8)) if lesions is None else lesions
    harm = rng.normal(size=(count, 1))
    rows = (rng.normal(size=(count, FEATURES)) + harm * DIRECTION).astype(np.float32)
    organs = (rng.normal(size=(len(ORGANS), FEATURES)) + np.arange(len(ORGANS))[:, None]).astype(np.float32)
    present = np.array([True, True, True, bool(rng.random() > 0.2), True])
    organs[~present] = 0.0
    eta = effect * (float(harm.max(initial=-1.0)) - 0.8)
    free, after, end = 40.0 * rng.exponential(size=2)[0] * np.exp(-eta), 20 * rng.exponential(), rng.uniform(24, 72)
    volume = float(np.exp(rng.normal(5.0, 1.0)))
    pet = PetMeasures(
        volume, 6 * volume, float(rng.uniform(6, 25)), float(rng.uniform(5, 20)), count, 300.0, 200.0, 0.2
    )
    return FeaturePatient(
        hashlib.sha256(str(seed).encode()).hexdigest(),
        "virtual",
        ClinicalFactors(age_years=float(rng.uniform(30, 80)), stage=3, ecog=1),
        pet,
        {
            "pfs": Outcome(max(min(free, end), 0.1), bool(free <= end)),
            "os": Outcome(max(min(free + after, end), 0.1), bool(free + after <= end)),
        },
        PooledFeatures(NETWORK, rows, organs, present, ORGANS),
    )


def cohort(n: int, *, seed: int = 0, effect: float = 3.0) -> LampCohort:
    """n patients with lesions."""
    found = [patient(seed + number, effect=effect) for number in range(n)]
    patients = Patients(
        "made up",
        True,
        tuple(f"P{number:04d}" for number in range(n)),
        tuple(one.content for one in found),
        tuple(one.centre for one in found),
        tuple(one.clinical for one in found),
        tuple(one.pet for one in found),
        {"pfs": tuple(one.outcomes["pfs"] for one in found), "os": tuple(one.outcomes["os"] for one in found)},
    )
    return LampCohort(patients, tuple(one.pooled for one in found), SOURCE)


def renamed(one: PooledFeatures, network: str) -> PooledFeatures:
    """The same features, said to be of another network."""
    return replace(one, network=network)
