"""What an evaluation holds: frozen numbers that ``dataclasses.asdict`` turns into JSON; nothing here computes.

    Evaluation                      cohort, protocol, seed, versions
    └── EndpointResult              one endpoint; its models share one set of patients
        ├── ModelResult             one model, in the fixed order of the table
        │   ├── Discrimination      Harrell C, Uno C, cumulative/dynamic AUC
        │   ├── Accuracy            Brier scores
        │   ├── Calibration         slope, and per horizon groups, curve, distances, test
        │   ├── RiskGroups          cut-offs, Kaplan-Meier, log-rank, threshold metrics
        │   ├── DecisionResult      net benefit
        │   └── AsPublished         figures that do not hold with censoring and stand here because papers print them
        ├── Added                   the headline: a model beside the refitted IMPI
        ├── Comparison              two models on the same resamples
        ├── CoxTables, TableOne     the covariates
        ├── Subgroup                a centre
        └── Control                 permuted outcomes

No patient's id is kept. A figure that cannot be computed, or must not be shown, is None with the reason beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymphoma.prognosis.model import Endpoint, GroupCurve
from lymphoma.survival.cox import LikelihoodRatio
from lymphoma.survival.cox_tables import TermRow
from lymphoma.survival.curves import LogRank, Rate

__all__ = [
    "Accuracy",
    "Added",
    "AsPublished",
    "AtHorizon",
    "AtThreshold",
    "Calibration",
    "CalibrationPoint",
    "Comparison",
    "Control",
    "CoxTables",
    "DecisionResult",
    "Discrimination",
    "EndpointResult",
    "Estimate",
    "Evaluation",
    "FoldSize",
    "HorizonCalibration",
    "Model",
    "ModelKind",
    "ModelResult",
    "NaiveFigures",
    "ProtocolUsed",
    "RiskGroups",
    "Subgroup",
    "SubgroupRow",
    "TableOne",
    "TableOneRow",
    "TestResult",
    "ThresholdRow",
    "Verdict",
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


@dataclass(frozen=True)
class Verdict:
    """What may be said of "A beats B". ``sentence`` is complete and names n where nothing is shown."""

    shown: bool
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """A difference ``first - second`` on the same resamples.

    Attributes:
        measure: "harrell". kang: test of the same difference by U-statistics, None where not asked for.
        p_holm: the bootstrap p, corrected for all comparisons of the endpoint (Holm).
    """

    first: str
    second: str
    measure: str
    difference: Estimate
    p_holm: float | None
    kang: TestResult | None
    verdict: Verdict


@dataclass(frozen=True)
class Added:
    """What a model adds to the refitted IMPI, on the same patients and resamples.

    Attributes:
        model: key. reference: "impi_refitted".
        likelihood_ratio: Cox model of the IMPI's covariates against the same with the model's out-of-fold score.
        harrell, uno, auc, net_benefit: change, above 0 is better. integrated_brier: change, below 0 is better.
    """

    model: str
    reference: str
    likelihood_ratio: LikelihoodRatio | None
    harrell: Estimate
    uno: Estimate
    auc: tuple[AtHorizon, ...]
    integrated_brier: Estimate
    net_benefit: tuple[AtThreshold, ...]
    verdict: Verdict
    problem: str | None = None


@dataclass(frozen=True)
class CoxTables:
    """Hazard ratios of the covariates in the patients for whom all of ``multivariate`` are known.

    Attributes:
        univariate_n: patients of each univariate row. multivariate: named beforehand, not chosen by p.
        left_out: covariates for which there was no room (ten events each) or no value.
    """

    univariate: tuple[TermRow, ...]
    univariate_n: tuple[int, ...]
    multivariate: tuple[TermRow, ...]
    n: int
    events: int
    left_out: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True)
class TableOneRow:
    """A row: a number (``medians``, quartiles, means) or levels (``counts``), per column of the table.

    Attributes:
        known, missing: patients per column. test: "t", "mann_whitney", "kruskal", "chi_squared", "fisher".
    """

    name: str
    label: str
    unit: str
    known: tuple[int, ...]
    missing: tuple[int, ...]
    medians: tuple[float | None, ...] = ()
    lower_quartiles: tuple[float | None, ...] = ()
    upper_quartiles: tuple[float | None, ...] = ()
    means: tuple[float | None, ...] = ()
    levels: tuple[str, ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()
    test: str | None = None
    p: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class TableOne:
    """Patients by ``by``; ``columns`` names the groups, ``sizes`` counts them."""

    by: Literal["event", "centre"]
    columns: tuple[str, ...]
    sizes: tuple[int, ...]
    rows: tuple[TableOneRow, ...]


@dataclass(frozen=True)
class SubgroupRow:
    """A model in a subgroup; pairs are compared within their fold."""

    model: str
    harrell: Estimate
    slope: Estimate


@dataclass(frozen=True)
class Subgroup:
    """A centre; its figures are withheld under ten events."""

    name: str
    n: int
    events: int
    rows: tuple[SubgroupRow, ...]


@dataclass(frozen=True)
class Control:
    """A model on permuted outcomes, fitted anew for each permutation.

    Attributes:
        mean: of Harrell's C over the permutations, 0.5 where nothing leaks. sd: of one permutation.
        lower, upper: least and highest of them.
    """

    model: str
    permutations: int
    mean: float
    standard_error: float
    sd: float
    lower: float
    upper: float


@dataclass(frozen=True)
class FoldSize:
    """A test fold."""

    name: str
    train_n: int
    train_events: int
    test_n: int
    test_events: int


@dataclass(frozen=True)
class ProtocolUsed:
    """How patients were divided.

    Attributes:
        kind: "cross_validation", "split", "centres", "centre", "given", "as_is". label: for readers.
        folds: of the first repeat.
    """

    kind: str
    label: str
    repeats: int
    seed: int
    folds: tuple[FoldSize, ...]


@dataclass(frozen=True)
class EndpointResult:
    """One endpoint.

    Attributes:
        n_known: patients with a known outcome. n, events: of the common set on which every model is compared.
        follow_up_months: median by reverse Kaplan-Meier. horizons_months: those within follow-up.
        tau_months: to which Uno's C and the integrated Brier score look.
        models: all in table order, with those left out. results: of the compared ones, in the same order.
        notes: sentences on what was left out. multiplicity: the sentence that stands beside p values.
    """

    endpoint: Endpoint
    protocol: ProtocolUsed
    n_known: int
    n: int
    events: int
    follow_up_months: float | None
    horizons_months: tuple[float, ...]
    tau_months: float
    models: tuple[Model, ...]
    results: tuple[ModelResult, ...]
    added: tuple[Added, ...]
    comparisons: tuple[Comparison, ...]
    cox: CoxTables
    table_ones: tuple[TableOne, ...]
    subgroups: tuple[Subgroup, ...]
    controls: tuple[Control, ...]
    notes: tuple[str, ...]
    multiplicity: str


@dataclass(frozen=True)
class Evaluation:
    """Everything.

    Attributes:
        patients: in the cohort. resamples: of the bootstrap. versions: (package, version).
    """

    cohort: str
    virtual: bool
    patients: int
    centres: int
    seed: int
    resamples: int
    endpoints: tuple[EndpointResult, ...]
    versions: tuple[tuple[str, str], ...]
