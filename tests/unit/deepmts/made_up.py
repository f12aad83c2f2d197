"""Made-up patients as DeepMTS reads them: a body of noise with a bright ball whose size tells the hazard."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lymphoma.deepmts.config import DeepMtsConfig
from lymphoma.deepmts.field import BodyField
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome
from lymphoma.training.config import OptimiserConfig, TrainConfig, ValidationConfig

SMALL = BodyField((32, 32, 32), 20.0)
WAY = "made up"


def config(steps: int = 4, **changes: Any) -> DeepMtsConfig:
    """A run of seconds."""
    training = TrainConfig(
        steps=steps,
        seed=3,
        batch_size=4,
        precision="float32",
        optimiser=OptimiserConfig(learning_rate=1e-3),
        validation=ValidationConfig(metric="harrell", direction="max"),
    )
    values: dict[str, Any] = {"field": SMALL, "folds": 2, "stop_folds": 3, "resamples": 50, "endpoints": ("pfs",)}
    return DeepMtsConfig(**({"training": training} | values | changes))


def arrays(seed: int) -> tuple[dict[str, npt.NDArray[Any]], float]:
    """A patient's inputs, and the radius of the ball in voxels."""
    rng = np.random.default_rng([seed, 5])
    radius = float(rng.uniform(2.5, 8.0))
    centre = rng.uniform(11, 21, 3)
    grid = np.stack(np.meshgrid(*[np.arange(32)] * 3, indexing="ij"), axis=-1)
    ball = np.linalg.norm(grid - centre, axis=-1) < radius
    pet = 0.3 + 0.05 * rng.normal(size=ball.shape) + 2.0 * ball
    ct = np.where(np.linalg.norm(grid - 15.5, axis=-1) < 15 + 0.3 * rng.normal(), 0.03, -1.0)
    ct = ct + 0.01 * rng.normal(size=ct.shape) + 0.01 * rng.normal()
    ct[4:8, 10 : 10 + int(rng.integers(2, 9))] = -0.7  # a lung of sorts
    found = {
        "pet": pet.clip(0, 5).astype(np.float16),
        "ct": ct.astype(np.float16),
        "mask": (255 * ball).astype(np.uint8),
        "clinic": np.array([float(seed % 2)], dtype=np.float32),
    }
    return found, radius


def cohort(path: Path, seeds: range, *, effect: float = 1.5) -> InputCohort:
    """Patients with outcomes: the log hazard ratio is ``effect`` times the radius, made standard."""
    folder = InputFolder.make(path, InputSource("made up", True, "deepmts", WAY))
    for seed in seeds:
        found, radius = arrays(seed)
        rng = np.random.default_rng([seed, 6])
        months = 30.0 * rng.exponential() * np.exp(-effect * (radius - 5.25) / 1.6)
        end = rng.uniform(12.0, 72.0)
        pfs = Outcome(float(max(min(months, end), 0.05)), bool(months <= end))
        pet = PetMeasures(tmtv_ml=33.5 * radius**3, suv_max=float(rng.uniform(8, 14)), lesion_count=1 + seed % 5)
        content = hashlib.sha256(f"patient {seed}".encode()).hexdigest()
        clinical = ClinicalFactors(age_years=60.0, stage=3 if seed % 2 else 1)
        folder.keep(KnownPatient(content, "made up", clinical, pet, {"pfs": pfs, "os": None}, found))
    return input_cohort(folder)
