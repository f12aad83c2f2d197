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

from lymphoma.evaluation.model_result import (
    Accuracy,
    AsPublished,
    AtHorizon,
    AtThreshold,
    Calibration,
    CalibrationPoint,
    DecisionResult,
    Discrimination,
    Estimate,
    HorizonCalibration,
    Model,
    ModelKind,
    ModelResult,
    NaiveFigures,
    RiskGroups,
    TestResult,
    ThresholdRow,
)
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.cox import LikelihoodRatio
from lymphoma.survival.cox_tables import TermRow

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
