"""What is said of a patient's outlook, as part of the findings: indices, systems, nomograms and their curves.

None is unknown or not computed; probabilities are 0..1, times months. What the evidence level holds back stands here
with ``withheld`` and is absent from every result object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Curve",
    "EndpointFinding",
    "ImpiFinding",
    "IndexFinding",
    "Indices",
    "NomogramAxis",
    "NomogramFinding",
    "NomogramPoints",
    "PublishedRate",
    "Suggestion",
    "SurvivalAt",
    "SurvivalAxisFinding",
    "SystemFinding",
]


@dataclass(frozen=True)
class PublishedRate:
    """A share of patients of a risk group as published; ``months`` None for complete remission.

    ``share`` 0..1 of those free of the event; for "cns_relapse" and "complete_remission" of those with it.
    """

    endpoint: str
    months: int | None
    share: float
    interval: tuple[float, float] | None
    source: str


@dataclass(frozen=True)
class IndexFinding:
    """A published index.

    Attributes:
        points: None where a missing factor could change them; ``range`` then has the least and the most.
        group: None where the range crosses groups; ``open_groups`` are those that remain possible, the best first.
        missing: factors that are not known. survival: published for ``group``; empty where it is open.
    """

    name: str
    points: int | None
    range: tuple[int, int]
    most_points: int
    group: str | None
    open_groups: tuple[str, ...]
    missing: tuple[str, ...]
    survival: tuple[PublishedRate, ...]


@dataclass(frozen=True)
class ImpiFinding:
    """The IMPI's linear predictor; no probability follows from what is published of it.

    Attributes:
        linear_predictor: None where the stage is not known; ``range`` then has the least and the most.
        percentile: 0..100 among the patients of ``cohort``, where such a cohort is at hand.
    """

    linear_predictor: float | None
    range: tuple[float, float]
    missing: tuple[str, ...]
    percentile: tuple[float, float] | None = None
    cohort: str | None = None


@dataclass(frozen=True)
class Indices:
    """The published indices; None is not computed and stands in ``not_computed`` (aaIPI: also above 60 years)."""

    ipi: IndexFinding | None = None
    aa_ipi: IndexFinding | None = None
    r_ipi: IndexFinding | None = None
    nccn_ipi: IndexFinding | None = None
    cns_ipi: IndexFinding | None = None
    impi: ImpiFinding | None = None


@dataclass(frozen=True)
class Suggestion:
    """What the lesions' sites suggest for a factor of the clinical record; for a person to confirm, never used.

    Attributes:
        field: "stage" or "extranodal_sites". value: "IV", or names of organs. why: a sentence.
        doubts: sentences on what a person must look at, such as contiguous extension.
    """

    field: Literal["stage", "extranodal_sites"]
    value: tuple[str, ...]
    why: str
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SurvivalAt:
    """Predicted survival 0..1 at a time.

    Attributes:
        probability: None where missing covariates leave ``range``. ci: interval of the model's estimate; model
            uncertainty, not outcome.
    """

    months: float
    probability: float | None
    range: tuple[float, float]
    ci: tuple[float, float]


@dataclass(frozen=True)
class EndpointFinding:
    """A system's word on one endpoint.

    Attributes:
        risk: linear predictor, None where missing covariates leave ``risk_range``.
        percentile: 0..100 among the training patients, (least, most).
        group: of ``groups`` (the best first); None where the range crosses a cut-off.
        withheld: the evidence level does not let ``group`` and ``survival`` be shown.
    """

    risk: float | None
    risk_range: tuple[float, float]
    percentile: tuple[float, float]
    group: str | None
    groups: tuple[str, ...]
    survival: tuple[SurvivalAt, ...]
    withheld: bool = False


@dataclass(frozen=True)
class SystemFinding:
    """A prognosis system on this study.

    Attributes:
        code, reason: why it was not computed. in_range_features: those that failed the range check.
        trained_on: "virtual" or "patients"; cohorts: names of those it was trained and validated on.
        n, events: of the training cohort. harrell_c: (value, low, high) by endpoint, as the bundle's evidence has it.
        remarks: sentences on what a site did with the bundle: external validation, recalibration, acceptance.
    """

    bundle: str
    version: str
    trained_on: Literal["virtual", "patients"]
    evidence: Literal["E0", "E1", "E2"]
    status: Literal["computed", "not_computed"]
    code: str | None = None
    reason: str | None = None
    in_range: Literal["in", "unusual", "outside"] | None = None
    in_range_features: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = ()
    n: int = 0
    events: int | None = None
    harrell_c: dict[str, tuple[float, float | None, float | None]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    percentile: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    endpoint: dict[str, EndpointFinding] = field(default_factory=dict)


@dataclass(frozen=True)
class NomogramPoints:
    """A patient's value on one covariate and its points; None where it is not known."""

    covariate: str
    value: str | None
    points: float | None


@dataclass(frozen=True)
class NomogramAxis:
    """A covariate's axis as drawn: labels and their points. ``label`` has the unit."""

    covariate: str
    label: str
    ticks: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class SurvivalAxisFinding:
    """Survival at a time along the total points: (probability, total points), ascending in points."""

    months: float
    ticks: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Curve:
    """A survival curve for drawing.

    Attributes:
        lower, upper, at_risk: empty for a predicted curve. n, events: of the group; None for the patient's own.
    """

    name: str
    months: tuple[float, ...]
    survival: tuple[float, ...]
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    at_risk: tuple[int, ...] = ()
    n: int | None = None
    events: int | None = None


@dataclass(frozen=True)
class NomogramFinding:
    """A nomogram with the patient on it, complete enough to be drawn.

    Attributes:
        system: of the findings' ``systems`` whose bundle it comes from; that entry says how far it may be believed.
        total_points: None where missing covariates leave ``total_range``.
        survival: as read from the nomogram. outside: covariates beyond the ends of their axis.
        points_ticks, total_ticks: of the two axes of points; ``longest`` covariate axis is 100 points.
        group_curves: Kaplan-Meier of the training cohort's risk groups, the best first.
        patient_curves: the patient's predicted curve; two (least and most risk) where covariates are missing.
        withheld: the evidence level does not let the patient's marks, survival and curves be shown.
    """

    system: str
    endpoint: Literal["pfs", "os"]
    points: tuple[NomogramPoints, ...]
    total_points: float | None
    total_range: tuple[float, float]
    survival: tuple[SurvivalAt, ...]
    missing: tuple[str, ...]
    outside: tuple[str, ...]
    axes: tuple[NomogramAxis, ...]
    points_ticks: tuple[float, ...]
    total_ticks: tuple[float, ...]
    survival_axes: tuple[SurvivalAxisFinding, ...]
    group: str | None
    group_curves: tuple[Curve, ...]
    patient_curves: tuple[Curve, ...]
    withheld: bool = False
