"""Patients of one repetition of the pilot, and their outcomes under a mechanism."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.risk import MECHANISMS, true_eta
from lymphoma.simulation.sampler import sample_patients
from lymphoma.simulation.sets import SETS
from lymphoma.survival.follow_up import FollowUp

__all__ = ["PLAIN_WORST", "SIGMA", "Repetition", "read_repetition"]

Floats = npt.NDArray[np.float64]

SIGMA = 1.0
"""SD of the log hazard ratio: Harrell's C of the truth is about .74."""
PLAIN_WORST = "worst_lesion_plain"
"""The worst lesion without the standardisation by count and burden, which no average can see: the positive control."""


@dataclass(frozen=True, eq=False)
class Repetition:
    """The patients of one repetition.

    Attributes:
        number: from 1. training, test: what a system would measure; the true features stand beside each.
    """

    number: int
    training: FeatureTable
    training_true: FeatureTable
    training_seeds: tuple[int, ...]
    test: FeatureTable
    test_true: FeatureTable
    test_seeds: tuple[int, ...]

    def eta(self, mode: str) -> tuple[Floats, Floats]:
        """True log hazard ratios of training and test patients."""
        if mode == PLAIN_WORST:
            return self._plain_worst
        return true_eta(self.training_true, mode, SIGMA), true_eta(self.test_true, mode, SIGMA)

    def outcomes(self, mode: str) -> tuple[FollowUp, FollowUp]:
        """Progression-free survival of training and test patients, censored."""
        model = outcome_model(0.0 if mode == "null" else SIGMA)
        found = []
        for eta, seeds in zip(self.eta(mode), (self.training_seeds, self.test_seeds), strict=True):
            table = draw_outcomes(model, eta, seeds)
            found.append(FollowUp(table.pfs_months, table.pfs_event))
        return found[0], found[1]

    @cached_property
    def _plain_worst(self) -> tuple[Floats, Floats]:
        """Normal scores of the ranks among the training patients."""
        score = MECHANISMS["worst_lesion"].score
        known = np.sort(score(self.training_true))
        level = (np.arange(len(known)) + 0.5) / len(known)

        def standard(table: FeatureTable) -> Floats:
            return np.asarray(SIGMA * norm.ppf(np.interp(score(table), known, level)))

        return standard(self.training_true), standard(self.test_true)


def read_repetition(
    number: int, folder: Path, *, patients: int | None = None, progress: Callable[[str, int], None] | None = None
) -> Repetition:
    """The sets l1-train-``number`` and l1-test-``number``, drawn once and then read from ``folder``.

    Args:
        patients: the first so many of each; None takes all.
    """
    tables: list[FeatureTable] = []
    seeds: list[tuple[int, ...]] = []
    for part in ("train", "test"):
        members = SETS[f"l1-{part}-{number}"]
        chosen = tuple(members.seeds)[:patients]
        files = [folder / f"{members.name}-{len(chosen)}-{kind}.npz" for kind in ("measured", "true")]
        if not all(file.exists() for file in files):
            told = None if progress is None else (lambda done, name=members.name: progress(name, done))
            drawn = sample_patients(chosen, variety=members.variety, progress=told)
            folder.mkdir(parents=True, exist_ok=True)
            for file, table in zip(files, (drawn.measured, drawn.true), strict=True):
                half = file.with_suffix(".part.npz")
                table.save(half)
                half.rename(file)
        tables += [FeatureTable.load(file) for file in files]
        seeds.append(chosen)
    return Repetition(number, tables[0], tables[1], seeds[0], tables[2], tables[3], seeds[1])
