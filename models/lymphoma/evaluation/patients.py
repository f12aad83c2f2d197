"""The patients that a prognosis is judged on, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.training.case import Outcome

__all__ = ["Patients", "Scores"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Scores:
    """A system's word on the patients.

    Attributes:
        linear_predictor: (n,), higher is worse; NaN where the system could not judge the patient.
        survival: (n, T) at ``horizons_months``; None where the system predicts no survival.
        out_of_fold: whether each value was made by a model that never saw its patient.
    """

    name: str
    linear_predictor: Floats
    survival: Floats | None
    horizons_months: tuple[float, ...]
    out_of_fold: bool

    def take(self, index: npt.NDArray[np.int64]) -> Scores:
        """Of the patients at ``index``."""
        survival = None if self.survival is None else self.survival[index]
        return replace(self, linear_predictor=self.linear_predictor[index], survival=survival)


@dataclass(frozen=True, eq=False)
class Patients:
    """n patients in a fixed order.

    Attributes:
        cohort: its name. ids: for the person who runs the evaluation; they never enter a report or a bundle.
        contents: digest of what each case is read from (:attr:`lymphoma.training.case.Subject.content`).
        scores: (bundle name, endpoint) -> the bundle's word on them.
        image_scores: (bundle name, name of a score) -> (n,), what the bundle's networks computed from the images; NaN
            where they could not.
    """

    cohort: str
    virtual: bool
    ids: tuple[str, ...]
    contents: tuple[str, ...]
    centres: tuple[str, ...]
    clinical: tuple[ClinicalFactors, ...]
    pet: tuple[PetMeasures, ...]
    outcomes: Mapping[Endpoint, tuple[Outcome | None, ...]]
    scores: Mapping[tuple[str, Endpoint], Scores] = field(default_factory=dict)
    image_scores: Mapping[tuple[str, str], Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Sequence[int] | npt.NDArray[np.int64]) -> Patients:
        """The patients at ``index``, in that order, with their scores."""
        at = np.asarray(index, dtype=np.int64)

        def of(values: Sequence[T]) -> tuple[T, ...]:
            return tuple(values[i] for i in at)

        return replace(
            self,
            ids=of(self.ids),
            contents=of(self.contents),
            centres=of(self.centres),
            clinical=of(self.clinical),
            pet=of(self.pet),
            outcomes={endpoint: of(found) for endpoint, found in self.outcomes.items()},
            scores={key: one.take(at) for key, one in self.scores.items()},
            image_scores={key: values[at] for key, values in self.image_scores.items()},
        )

    def prospect(self, index: int, bundle: str = "") -> Prospect:
        """One patient as a model sees him or her, with the scores of a bundle's networks."""
        found = {name: float(values[index]) for (of, name), values in self.image_scores.items() if of == bundle}
        known = {name: value for name, value in found.items() if np.isfinite(value)}
        return Prospect(self.clinical[index], self.pet[index], known)

    def known(self, endpoint: Endpoint) -> npt.NDArray[np.int64]:
        """Positions of the patients whose outcome is known."""
        return np.array([i for i, one in enumerate(self.outcomes[endpoint]) if one is not None], dtype=np.int64)

    def follow_up(self, endpoint: Endpoint, index: npt.NDArray[np.int64]) -> FollowUp:
        """Follow-up of the patients at ``index``, all of whose outcomes are known."""
        found = [self.outcomes[endpoint][i] for i in index]
        return FollowUp(
            np.array([one.months for one in found if one]), np.array([one.event for one in found if one], dtype=bool)
        )
