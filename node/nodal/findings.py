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
from nodal.outlook import Indices, NomogramFinding, Suggestion, SystemFinding
from nodal.study import Baseline, SeriesDecision

__all__ = [
    "BundleUsed",
    "CtRegistration",
    "Findings",
    "Flag",
    "Lesion",
    "NotComputed",
    "Provenance",
    "Quality",
    "RejectedCandidate",
    "Segmentation",
    "SuvUsed",
    "Totals",
    "WordsUsed",
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
class CtRegistration:
    """The rigid registration of the CT to the PET.

    Attributes:
        verdict: "aligned", nothing to gain; "moved", the CT was moved by what follows; "not_credible", the two do not
            match, and the CT stays where its header puts it.
        shift_mm: of the middle of the body. rotation_deg: about its axis.
    """

    verdict: Literal["aligned", "moved", "not_credible"]
    shift_mm: float
    rotation_deg: float


@dataclass(frozen=True)
class Quality:
    """What a physicist asks of the scan before believing its numbers.

    ``pet_ct_shift_mm``: between the outlines of the body, after ``ct_registration``.
    """

    uptake_minutes: float | None
    injected_mbq_per_kg: float | None
    liver_suv_mean: float | None
    brain_covered: bool | None
    thighs_covered: bool | None
    ct_contrast: bool | None
    pet_ct_shift_mm: float | None
    flags: tuple[Flag, ...] = ()
    ct_registration: CtRegistration | None = None


@dataclass(frozen=True)
class Lesion:
    """One lesion: its number in the lesion map, its identity across objects, its measures.

    Attributes:
        status: a lesion that is to be confirmed counts in no total but the upper end of ``tmtv_range_ml``.
        p_lesion: calibrated probability of being a lesion; None for a rule or a contour that does not judge.
        attention: system -> weight; the weights of all lesions add up to 1.
        context: system -> the organs that it looked at most for this lesion, with their weights, the highest first.
        decided_by: "person" where a person's word made the status; None where the probability did.
    """

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
    context: dict[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    decided_by: Literal["person"] | None = None


@dataclass(frozen=True)
class RejectedCandidate:
    """A component that was not taken for a lesion.

    Attributes:
        number: 1..m by descending volume, by which a person takes it back. hottest_mm: LPS, by which it is found again;
            both are None in findings that were written before they were recorded.
        decided_by: "person" where a person's word made it; None where the probability did.
    """

    volume_ml: float
    suv_max: float
    organ: str | None
    p_lesion: float | None
    number: int | None = None
    hottest_mm: tuple[float, float, float] | None = None
    decided_by: Literal["person"] | None = None


@dataclass(frozen=True)
class Totals:
    """Measures of the whole patient, of accepted lesions alone.

    ``dmax_mm`` is between centroids; ``dmax_bulk_mm`` from the largest lesion. ``tmtv_range_ml``: of the accepted
    lesions, and with those to be confirmed.
    """

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
class Review:
    """A person's acceptance of the results.

    Attributes:
        observer: DICOM PN. at: DICOM DT in UTC, to the second.
    """

    observer: str
    at: str


@dataclass(frozen=True)
class WordsUsed:
    """What people said of candidates, as far as it took part in the lesion map.

    Attributes:
        count: of words. sha256: hex, of places and verdicts. instant: DICOM DT of the latest word.
    """

    count: int
    sha256: str
    instant: str


TELL_LESIONS = ("suv4_reviewed", "network", "nnunet")
"""Methods that tell a lesion from physiological uptake."""


@dataclass(frozen=True)
class Segmentation:
    """How the lesion map was made; a threshold without volume rule and connectivity is not reproducible.

    ``reference_*``: the contour given in place of a segmenter, its UIDs and the DICOM DT it was made at.
    ``evidence``: level of the trained bundle that took part in the contour; None where none did.
    ``in_range``: how the scan stands to those that the bundles of anatomy and segmentation learned from; "outside" is
    why the contour is a threshold's and no prognosis was made. ``in_range_features``: those that failed.
    ``words``: of people on candidates. ``notes``: sentences for the report, such as a fall-back to smaller windows.
    """

    method: str
    description: str
    min_volume_ml: float
    connectivity: int
    reference_sop_instance_uid: str | None = None
    reference_instant: str | None = None
    reference_sop_class_uid: str | None = None
    reference_series_instance_uid: str | None = None
    anatomy_engine: str = "none"
    evidence: Literal["E0", "E1", "E2"] | None = None
    in_range: Literal["in", "unusual", "outside"] | None = None
    in_range_features: tuple[str, ...] = ()
    words: WordsUsed | None = None
    notes: tuple[str, ...] = ()

    @property
    def without_physiological(self) -> bool:
        """Whether physiological uptake was told from lesions: a plain threshold does not, a person's contour does."""
        return self.method == "reference" or (self.method in TELL_LESIONS and self.in_range != "outside")


@dataclass(frozen=True)
class NotComputed:
    """An item that is missing from the results, and why."""

    item: str
    code: str
    reason: str


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
        review: who has accepted these results; None until a person has.
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
    review: Review | None = None


_ADAPTER: TypeAdapter[Findings] = TypeAdapter(Findings)


def to_json(findings: Findings) -> str:
    """The text of ``findings.json``: two-space indent, keys in the order of the fields."""
    return json.dumps(dataclasses.asdict(findings), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(path: Path) -> Findings:
    """Reads ``findings.json`` back, checked field by field."""
    return _ADAPTER.validate_json(path.read_bytes())
