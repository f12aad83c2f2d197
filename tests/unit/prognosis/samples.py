"""A small cohort of a known mechanism, and a model of it."""

from __future__ import annotations

from functools import cache

import numpy as np
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.model import PrognosticModel
from lymphoma.prognosis.reading import complete
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.follow_up import FollowUp

TERMS = tuple(COVARIATES[name].term for name in ("tmtv_ml", "age_years", "stage"))
N = 400


@cache
def prospects() -> tuple[Prospect, ...]:
    rng = np.random.default_rng([71])
    volumes, ages, stages = np.exp(rng.normal(5, 1.3, N)), rng.normal(62, 12, N), rng.integers(1, 5, N)
    return tuple(
        Prospect(ClinicalFactors(age_years=float(age), stage=int(stage)), PetMeasures(tmtv_ml=float(volume)))
        for volume, age, stage in zip(volumes, ages, stages, strict=True)
    )


@cache
def follow_up() -> FollowUp:
    rng = np.random.default_rng([72])
    risk = np.array(
        [
            0.4 * (np.log(one.pet.tmtv_ml) - 5) + 0.02 * (one.clinical.age_years - 62) + 0.4 * (one.clinical.stage >= 3)
            for one in prospects()
        ]
    )
    hidden, censored = rng.exponential(70 * np.exp(-risk)), rng.uniform(20, 75, N)
    return FollowUp(np.minimum(hidden, censored), hidden <= censored)


def columns() -> list[list[float | str]]:
    return complete(TERMS, prospects())[1]


@cache
def model() -> PrognosticModel:
    return fit_prognostic_model("pfs", TERMS, columns(), follow_up())
