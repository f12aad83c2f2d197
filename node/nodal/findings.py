"""Everything computed for one study, as one frozen object; ``findings.json`` is its only written form.

Every quantity carries its unit in its name; None is unknown and is explained in ``not_computed`` or ``quality``.
Lengths in mm, volumes in mL, SUV in g/mL (body weight), TLG in g, positions LPS in mm, probabilities 0..1.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from nodal.clinical.record import ClinicalRecord
from nodal.study import Baseline, SeriesDecision

__all__ = [
    "BundleUsed",
    "Curve",
    "EndpointFinding",
    "Findings",
    "Flag",
    "ImpiFinding",
    "IndexFinding",
    "Indices",
    "Lesion",
    "NomogramAxis",
    "NomogramFinding",
    "NomogramPoints",
    "NotComputed",
    "Provenance",
    "PublishedRate",
    "Quality",
    "RejectedCandidate",
    "Segmentation",
    "Suggestion",
    "SurvivalAt",
    "SurvivalAxisFinding",
    "SuvUsed",
    "SystemFinding",
    "Totals",
    "from_json",
    "to_json",
]


@dataclass(frozen=True)
class SuvUsed:
    """How stored values became SUV (body weight)."""

    method: str
    factor: float | None
    scan_reference_time: str | None
    decay_s: float | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flag:
    """A doubt about the scan: reported, never a refusal."""

    code: str
    message: str


@dataclass(frozen=True)
class Quality:
    """What a physicist asks of the scan before believing its numbers."""

    uptake_minutes: float | None
    injected_mbq_per_kg: float | None
    liver_suv_mean: float | None
    brain_covered: bool | None
    thighs_covered: bool | None
    ct_contrast: bool | None
    pet_ct_shift_mm: float | None
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True)
class Lesion:
    """One lesion: its number in the lesion map, its identity across objects, its measures."""

    number: int
    tracking_uid: str
    segment_number: int
    volume_ml: float
    suv_max: float
    suv_peak: float
    suv_mean: float
    tlg_g: float
    longest_diameter_mm: float
    centroid_mm: tuple[float, float, float]
    hottest_mm: tuple[float, float, float]
    station: str | None = None
    organ: str | None = None
    status: Literal["accepted", "to_confirm"] = "accepted"
    p_lesion: float | None = None
    attention: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RejectedCandidate:
    """A component that was not taken for a lesion."""

    volume_ml: float
    suv_max: float
    organ: str | None
    p_lesion: float | None


@dataclass(frozen=True)
class Totals:
    """Measures of the whole patient. ``dmax_mm`` is between centroids; ``dmax_bulk_mm`` from the largest lesion."""

    field_of_view: Literal["whole", "partial"]
    tmtv_ml: float
    tmtv_range_ml: tuple[float, float]
    tlg_g: float
    suv_max: float | None
    suv_peak: float | None
    suv_mean: float | None
    lesion_count: int
    dmax_mm: float | None
    dmax_bulk_mm: float | None
    sdmax_per_m: float | None
    bulky: bool | None
    bulky_threshold_mm: float = 100.0


@dataclass(frozen=True)
class Segmentation:
    """How the lesion map was made; a threshold without volume rule and connectivity is not reproducible.

    ``reference_*``: the contour given in place of a segmenter, its UID and the DICOM DT it was made at.
    ``evidence``: level of the trained bundle that took part in the contour; None where none did.
    """

    method: str
    description: str
    min_volume_ml: float
    connectivity: int
    reference_sop_instance_uid: str | None = None
    reference_instant: str | None = None
    anatomy_engine: str = "none"
    evidence: Literal["E0", "E1", "E2"] | None = None


@dataclass(frozen=True)
class NotComputed:
    """An item that is missing from the results, and why."""

    item: str
    code: str
    reason: str


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
        system: of :attr:`Findings.systems` whose bundle it comes from; that entry says how far it may be believed.
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


@dataclass(frozen=True)
class BundleUsed:
    """A trained bundle that took part."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """Who made this. ``device``, ``started`` and ``stage_seconds`` never enter a UID."""

    node_version: str
    device: str
    started: str
    stage_seconds: dict[str, float] = field(default_factory=dict)
    bundles: tuple[BundleUsed, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Everything computed for a study.

    Attributes:
        content_datetime: DICOM DT; the latest instant of the inputs themselves, the instant written into every
            result object (same input, same bytes).
        lesion_map_sha256: of the lesion map's array bytes (uint16, little endian, C order).
        settings_sha256: of the settings that alter output.
        predecessor_sr_uid: SOP Instance UID of the SR that these findings replace.
        nomograms: name ("mtdlr", "dfr_combined", "site") -> endpoint -> nomogram.
        disagreements: sentences on systems that judge this patient differently; shown on the first page.
    """

    study_instance_uid: str
    patient_id: str
    pet_series_instance_uid: str
    ct_series_instance_uid: str
    series: tuple[SeriesDecision, ...]
    suv: SuvUsed
    quality: Quality
    virtual: bool
    baseline: Baseline
    lesions: tuple[Lesion, ...]
    rejected_candidates: tuple[RejectedCandidate, ...]
    totals: Totals
    clinical: ClinicalRecord
    segmentation: Segmentation
    not_computed: tuple[NotComputed, ...]
    content_datetime: str
    lesion_map_sha256: str
    settings_sha256: str
    provenance: Provenance
    predecessor_sr_uid: str | None = None
    indices: Indices = Indices()
    suggestions: tuple[Suggestion, ...] = ()
    systems: dict[str, SystemFinding] = field(default_factory=dict)
    nomograms: dict[str, dict[str, NomogramFinding]] = field(default_factory=dict)
    disagreements: tuple[str, ...] = ()


_ADAPTER: TypeAdapter[Findings] = TypeAdapter(Findings)


def to_json(findings: Findings) -> str:
    """The text of ``findings.json``: two-space indent, keys in the order of the fields."""
    return json.dumps(dataclasses.asdict(findings), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(path: Path) -> Findings:
    """Reads ``findings.json`` back, checked field by field."""
    return _ADAPTER.validate_json(path.read_bytes())
