"""Patients with a made-up PET: the larger and hotter a cube of disease, and the body with it, the sooner the event."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.multitask_unet.config import MultitaskConfig
from lymphoma.multitask_unet.inputs import LESIONS, PET, WAY
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.patient_folder import Arrays, KnownPatient
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

SIZE = (16, 16, 16)
TINY = MultitaskConfig(
    size=SIZE,
    widths=(4, 4, 4, 4),
    batch_size=8,
    learning_rate=1e-2,
    samples=240,
    stop_share=0.2,
    judged=2,
    folds=2,
    resamples=50,
)


def arrays_of(rng: np.random.Generator, burden: float) -> Arrays:
    """Warm noise, and a cube whose edge and uptake grow with the burden, 0 to 1; so that a few updates can tell, the
    noise does too."""
    pet = rng.uniform(0.3, 1.5, SIZE) * (1 + 4 * burden)
    pet[:, : int(rng.integers(1, 4))] = 0.0  # air before the body
    edge = 4 + round(6 * burden)
    k, j, i = (int(rng.integers(0, n - edge + 1)) for n in SIZE)
    cube = (slice(k, k + edge), slice(j, j + edge), slice(i, i + edge))
    pet[cube] += 4 + 12 * burden
    lesions = np.zeros(SIZE, dtype=np.uint8)
    lesions[cube] = 1
    return {PET: pet.astype(np.float16), LESIONS: lesions}


def patient(seed: int, *, effect: float = 4.0) -> KnownPatient:
    rng = np.random.default_rng([seed, 7])
    burden = float(rng.uniform())
    free = 40.0 * rng.exponential() * np.exp(-effect * (burden - 0.5))
    after, end = 20.0 * rng.exponential(), rng.uniform(18, 70)
    outcomes = {
        "pfs": Outcome(max(min(free, end), 0.1), bool(free <= end)),
        "os": Outcome(max(min(free + after, end), 0.1), bool(free + after <= end)),
    }
    content = hashlib.sha256(f"multitask {seed}".encode()).hexdigest()
    clinical = ClinicalFactors(age_years=float(rng.uniform(30, 80)), stage=3, ecog=1)
    return KnownPatient(content, "virtual", clinical, PetMeasures(100.0), outcomes, arrays_of(rng, burden))


def cohort(folder: Path, n: int, *, seed: int = 0, effect: float = 4.0, name: str = "made up") -> InputCohort:
    """n patients, kept in a folder."""
    made = InputFolder.make(folder, InputSource(name, True, "multitask_unet", WAY))
    for number in range(seed, seed + n):
        one = patient(number, effect=effect)
        if one.content not in made:
            made.keep(one)
    return input_cohort(made)
