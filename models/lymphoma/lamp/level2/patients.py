"""Training and test patients of level 2 with their true risk, and outcomes that are drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import truth_of
from lymphoma.lamp.patients import LampCohort, cohort_of_folder
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.feature_folder import FeatureFolder
from lymphoma.prognosis.measures import Prospect
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.outcomes import OutcomeModel, draw_outcomes, outcome_model
from lymphoma.simulation.risk import true_eta
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.indices import impi_linear_predictor

__all__ = ["COX", "SIGMA", "Draw", "Level2", "read_level2"]

Floats = npt.NDArray[np.float64]

SIGMA = 1.0
"""SD of the log hazard ratio, as at level 1."""
COX = ("tmtv_ml", "dmax_bulk_mm", "suv_peak", "age_years", "ecog")
"""The clinical PET model (Eertink, Blood 2023;141:3055), refitted."""
_LOGGED = ("tmtv_ml",)


@dataclass(frozen=True, eq=False)
class Draw:
    """Outcomes of one drawing: of the training patients, and of the test patients."""

    training: FollowUp
    test: FollowUp


@dataclass(frozen=True, eq=False)
class Level2:
    """Everybody who takes part; patients without an accepted lesion do not."""

    training: LampCohort
    test: LampCohort
    training_truth: FeatureTable
    test_truth: FeatureTable

    def eta(self, mode: str) -> tuple[Floats, Floats]:
        """True log hazard ratios of training and test patients."""
        return true_eta(self.training_truth, mode, SIGMA), true_eta(self.test_truth, mode, SIGMA)

    def draw(self, mode: str, number: int) -> Draw:
        """Outcomes of progression-free survival; the same number gives the same, in any order."""
        drawn = [
            draw_outcomes(self._model, eta, _seeds(table), draw=number)
            for eta, table in zip(self.eta(mode), (self.training_truth, self.test_truth), strict=True)
        ]
        return Draw(*(FollowUp(one.pfs_months, one.pfs_event) for one in drawn))

    @cached_property
    def impi(self) -> Floats:
        """(test patients,) published linear predictor, NaN where volume, age or stage is not known."""
        patients = self.test.patients
        return np.array(
            [
                np.nan
                if pet.tmtv_ml is None or one.age_years is None or one.stage is None
                else impi_linear_predictor(pet.tmtv_ml, one.age_years, one.stage)
                for pet, one in zip(patients.pet, patients.clinical, strict=True)
            ]
        )

    @cached_property
    def cox_values(self) -> tuple[Floats, Floats]:
        """(n, 5) of :data:`COX`, training and test; what is not known counts as the training median."""
        training, test = (_values(cohort) for cohort in (self.training, self.test))
        median = np.nanmedian(training, axis=0)
        return np.where(np.isfinite(training), training, median), np.where(np.isfinite(test), test, median)

    @cached_property
    def _model(self) -> OutcomeModel:
        return outcome_model(SIGMA)


def read_level2(train: Path, test: Path) -> Level2:
    """Reads two folders of features.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``; ``BUNDLE_MISMATCH`` where another network made one of them;
            ``NO_USABLE_PATIENT``.
    """
    folders = [FeatureFolder.open(one) for one in (train, test)]
    first, second = (folder.source for folder in folders)
    if (first.network, first.organ_names, first.way) != (second.network, second.organ_names, second.way):
        raise NotComputable("BUNDLE_MISMATCH", "training and test features are of different networks or segmenters")
    cohorts = [cohort_of_folder(folder) for folder in folders]
    if set(cohorts[0].patients.contents) & set(cohorts[1].patients.contents):
        raise NotComputable("FEATURES_UNREADABLE", "a patient stands among both training and test patients")
    truths = [truth_of(folder, cohort.patients) for folder, cohort in zip(folders, cohorts, strict=True)]
    return Level2(cohorts[0], cohorts[1], truths[0], truths[1])


def _seeds(table: FeatureTable) -> list[int]:
    return [int(name.rpartition("-")[2]) for name in table.patient_ids]


def _values(cohort: LampCohort) -> Floats:
    rows = []
    for pet, clinical in zip(cohort.patients.pet, cohort.patients.clinical, strict=True):
        known = [COVARIATES[name].read(Prospect(clinical, pet)) for name in COX]
        numbers = [np.nan if value is None else float(value) for value in known]
        rows.append([np.log(max(v, 1.0)) if name in _LOGGED else v for name, v in zip(COX, numbers, strict=True)])
    return np.array(rows, dtype=np.float64)
