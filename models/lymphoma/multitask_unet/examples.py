"""The patients that a network learns from: who had an event within 24 months, who had none, and who cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from lymphoma.multitask_unet.loss import ClassWeights, class_weights
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.survival.follow_up import Bools, Floats, FollowUp, Ints
from lymphoma.survival.ipcw import horizon_weights

__all__ = ["HORIZON_MONTHS", "Examples", "Reader", "Weighting", "examples_of"]

HORIZON_MONTHS = 24.0
Weighting = Literal["published", "ipcw"]
"""Patients censored before the horizon are left out in either; "ipcw" lets those with a known kind stand for them."""


class Reader(Protocol):
    """Inputs by position; an :class:`lymphoma.evaluation.input_cohort.InputCohort` is one."""

    def read(self, at: int) -> Arrays:
        """The inputs of one patient."""
        ...


@dataclass(frozen=True, eq=False)
class Examples:
    """n patients whose kind is known.

    Attributes:
        reader: of their inputs. at: (n,) positions in it. event: (n,), within 24 months.
        weight: (n,), 1, or inverse probability of censoring with a mean of 1. excluded: patients without a known kind.
    """

    reader: Reader
    at: Ints
    event: Bools
    weight: Floats
    excluded: int

    def __len__(self) -> int:
        return len(self.at)

    def classes(self) -> ClassWeights:
        """Eq. 3 over these patients.

        Raises:
            NotComputable: ``ONE_CLASS``.
        """
        return class_weights(float(self.weight[self.event].sum()), float(self.weight[~self.event].sum()))

    def take(self, index: Ints) -> Examples:
        """The patients at ``index``."""
        return Examples(self.reader, self.at[index], self.event[index], self.weight[index], self.excluded)


def examples_of(reader: Reader, at: Ints, follow_up: FollowUp, weighting: Weighting = "published") -> Examples:
    """Those of the patients at ``at`` who had an event by 24 months, or were seen free of one for 24 months or more.

    Args:
        follow_up: of the same patients, which weights are fitted on too.

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP`` of the weights.
    """
    event = follow_up.event & (follow_up.months <= HORIZON_MONTHS)
    known = event | (follow_up.months >= HORIZON_MONTHS)
    weight = np.ones(follow_up.n)
    if weighting == "ipcw":
        found = horizon_weights(follow_up, follow_up, HORIZON_MONTHS)
        weight = found.case + found.control  # 0 for who was censored at 24 months to the day
    kept = known & (weight > 0)
    weight = weight[kept] / weight[kept].mean() if kept.any() else weight[kept]
    return Examples(reader, np.asarray(at)[kept], event[kept], weight, int((~kept).sum()))
