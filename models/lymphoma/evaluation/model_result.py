"""What an evaluation says of one model, and the small figures it is made of (the tree stands in :mod:`.result`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymphoma.prognosis.model import GroupCurve
from lymphoma.survival.curves import LogRank, Rate

__all__ = [
    "Accuracy",
    "AsPublished",
    "AtHorizon",
    "AtThreshold",
    "Calibration",
    "CalibrationPoint",
    "DecisionResult",
    "Discrimination",
    "Estimate",
    "HorizonCalibration",
    "Model",
    "ModelKind",
    "ModelResult",
    "NaiveFigures",
    "RiskGroups",
    "TestResult",
    "ThresholdRow",
]

ModelKind = Literal["null", "published", "measure", "fitted", "system", "system_and_impi"]
""""measure" is a single quantity that ranks as it is; "published" an index used as it is; "fitted" a Cox model of the
training fold; "system_and_impi" a Cox model of a system's score and the refitted IMPI's covariates."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its percentile interval.

    Attributes:
        value: None where ``problem`` says why. lower, upper: None where there is no interval.
        p: two-sided bootstrap p of 0; only of differences. level: of the interval.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    level: float = 0.95
    problem: str | None = None


@dataclass(frozen=True)
class AtHorizon:
    """A figure at a time."""

    months: float
    estimate: Estimate


@dataclass(frozen=True)
class AtThreshold:
    """A figure at a threshold of the predicted risk, 0..1."""

    threshold: float
    estimate: Estimate


@dataclass(frozen=True)
class TestResult:
    """A chi-squared or z test. ``groups``: used by a test of calibration. ``left_out``: patients it could not use."""

    statistic: float | None
    degrees_of_freedom: int | None
    p: float | None
    groups: int | None = None
    left_out: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Model:
    """A row of the tables.

    Attributes:
        key: stable, "impi_refitted"; of a system its bundle's name, of a system with IMPI "<name>+impi".
        label: for readers. needs: what it reads, for readers.
        n, events: patients whose every needed field is known, and their events.
        compared: whether it is in the common set; if not, ``problem`` says why.
    """

    key: str
    label: str
    kind: ModelKind
    needs: tuple[str, ...]
    n: int
    events: int
    compared: bool
    problem: str | None = None


@dataclass(frozen=True)
class Discrimination:
    """Ranking of patients. Every value is the mean over test folds of the value within the fold.

    Attributes:
        harrell, uno: C-indices; Uno's counts events before ``EndpointResult.tau_months``.
        auc: cumulative/dynamic, per horizon. harrell_by_fold: per test fold (per repeat), None without pairs.
    """

    harrell: Estimate
    uno: Estimate
    auc: tuple[AtHorizon, ...]
    harrell_by_fold: tuple[float | None, ...]


@dataclass(frozen=True)
class Accuracy:
    """Brier scores, lower is better; those of the null model are its own row.

    Attributes:
        brier: per horizon. integrated: mean over 1 month to ``EndpointResult.tau_months``.
    """

    brier: tuple[AtHorizon, ...]
    integrated: Estimate


@dataclass(frozen=True)
class CalibrationPoint:
    """A group of patients of similar predicted survival.

    Attributes:
        predicted: mean. observed, lower, upper: Kaplan-Meier, None where fewer than ten events withhold it.
    """

    n: int
    events: int
    predicted: float
    observed: float | None
    lower: float | None
    upper: float | None
    problem: str | None = None


@dataclass(frozen=True)
class HorizonCalibration:
    """Calibration at one time.

    Attributes:
        groups: lowest survival first. curve_predicted, curve_observed: risks along the flexible curve, ascending, at
            percentiles 1 to 99 of the predicted ones, for drawing.
        ici, e50, e90: mean, median and 90th percentile of their distance.
        gnd: test of Greenwood, Nam and D'Agostino.
    """

    months: float
    groups: tuple[CalibrationPoint, ...]
    curve_predicted: tuple[float, ...]
    curve_observed: tuple[float, ...]
    ici: Estimate
    e50: Estimate
    e90: Estimate
    gnd: TestResult
    problem: str | None = None


@dataclass(frozen=True)
class Calibration:
    """Attributes: slope: Cox coefficient of the linear predictor, stratified by fold; 1 is right."""

    slope: Estimate
    horizons: tuple[HorizonCalibration, ...]


@dataclass(frozen=True)
class ThresholdRow:
    """What the cut-off achieves at a horizon, censoring weighted."""

    months: float
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class RiskGroups:
    """Two groups by a cut-off of the score; each patient by the cut-off of a training fold without him or her.

    Attributes:
        cutoff_months: horizon of Youden's index. cutoffs: per fold; ``cutoff_cv`` their coefficient of variation,
            ``moved`` the share of patients whose group is not the same under all of them, None with one fold.
        curves: low risk first. rates: per curve, per horizon. hazard_ratio: high against low, Wald interval.
        thresholds: per horizon. problem: why there are no groups.
    """

    cutoff_months: float
    cutoffs: tuple[float, ...]
    cutoff_cv: float | None
    moved: float | None
    curves: tuple[GroupCurve, ...]
    rates: tuple[tuple[Rate, ...], ...]
    log_rank: LogRank | None
    hazard_ratio: Estimate
    thresholds: tuple[ThresholdRow, ...]
    problem: str | None = None


@dataclass(frozen=True)
class DecisionResult:
    """Net benefit per patient of acting on the predicted risk by ``months``.

    Attributes:
        thresholds, model, everybody: the drawn curves; None where it cannot be judged. chosen: a few thresholds with
            their intervals.
    """

    months: float
    thresholds: tuple[float, ...]
    model: tuple[float | None, ...]
    everybody: tuple[float | None, ...]
    chosen: tuple[AtThreshold, ...]
    problem: str | None = None


@dataclass(frozen=True)
class NaiveFigures:
    """At a horizon, patients censored before it left out.

    Attributes:
        auc: interval by DeLong, mean over folds. hosmer_lemeshow: on all test patients.
        sensitivity, specificity, ppv, npv: of the groups, None where there are none.
    """

    months: float
    auc: Estimate
    hosmer_lemeshow: TestResult
    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None


@dataclass(frozen=True)
class AsPublished:
    """Figures that papers print and that do not hold with censoring; shown apart."""

    horizons: tuple[NaiveFigures, ...]


@dataclass(frozen=True)
class ModelResult:
    """A model that was compared."""

    model: Model
    discrimination: Discrimination
    accuracy: Accuracy
    calibration: Calibration
    groups: RiskGroups
    decision: DecisionResult
    as_published: AsPublished
