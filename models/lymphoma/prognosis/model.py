"""A prognostic model of one endpoint: a Cox model with its nomogram, its risk groups and the curves of those it was
fitted on. The same form serves a site's own clinical model, and each system's score with whatever stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymphoma.prognosis.measures import Prospect
from lymphoma.survival.cox import CoxModel
from lymphoma.survival.design import Term
from lymphoma.survival.follow_up import Floats
from lymphoma.survival.nomogram import AxisValues, Nomogram, Reading

__all__ = [
    "CURVE_MONTHS",
    "HORIZONS_MONTHS",
    "Endpoint",
    "GroupCurve",
    "Prediction",
    "PrognosticModel",
    "Recalibration",
]

Endpoint = Literal["pfs", "os"]
HORIZONS_MONTHS = (12.0, 36.0, 60.0)
"""Where survival is said: 1, 3 and 5 years."""
CURVE_MONTHS = tuple(float(month) for month in range(0, 61))
"""Where a curve is kept for drawing."""


@dataclass(frozen=True)
class GroupCurve:
    """Kaplan-Meier curve of one risk group of the training cohort at :data:`CURVE_MONTHS`.

    The lists end where nobody of the group was followed any longer.

    Attributes:
        at_risk: patients at each time.
    """

    name: str
    n: int
    events: int
    survival: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    at_risk: tuple[int, ...]


@dataclass(frozen=True)
class Recalibration:
    """A site's correction: log cumulative hazard := ``intercept`` + ``slope`` * linear predictor (+ log baseline).

    Attributes:
        cohort, n, events: that it was fitted on.
    """

    intercept: float
    slope: float
    cohort: str
    n: int
    events: int


@dataclass(frozen=True, eq=False)
class PrognosticModel:
    """A fitted model; kept as JSON (:mod:`lymphoma.prognosis.store`).

    Attributes:
        terms: covariates, names of :data:`lymphoma.prognosis.covariates.COVARIATES` or of a system's score.
        axis_values: ticks per covariate. percentiles: linear predictor at 0, 1, ... 100 % of the training patients.
        cutoffs: of the linear predictor, ascending; a value at a cut-off belongs to the higher group.
        groups: curves of the groups, the best first; one more than ``cutoffs``.
    """

    endpoint: Endpoint
    terms: tuple[Term, ...]
    axis_values: tuple[AxisValues, ...]
    cox: CoxModel
    horizons_months: tuple[float, ...]
    percentiles: tuple[float, ...]
    cutoffs: tuple[float, ...]
    groups: tuple[GroupCurve, ...]
    recalibration: Recalibration | None = None

    @property
    def nomogram(self) -> Nomogram:
        """Axes and points."""
        raise NotImplementedError

    def predict(self, patient: Prospect) -> Prediction:
        """What the model says of a patient; a missing covariate gives ranges, never an imputed number."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Prediction:
    """A patient seen by a model. Where covariates are missing, every figure is a range and the group may be open.

    Attributes:
        linear_predictor, percentile: (least, most). group: None where the range crosses a cut-off.
        open_groups: names of the groups that remain possible. reading: on the nomogram.
        curve: predicted survival (2, len(CURVE_MONTHS)) at the least and at the most risk; NaN past follow-up.
    """

    linear_predictor: tuple[float, float]
    percentile: tuple[float, float]
    group: str | None
    open_groups: tuple[str, ...]
    reading: Reading
    curve: Floats
