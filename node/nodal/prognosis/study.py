"""Everything that is said of a patient's outlook: indices, systems, nomograms, and what was not computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lymphoma.combined import COMBINED
from lymphoma.lesions import TotalMeasures
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.prognosis.system import SYSTEMS, StudyArrays
from lymphoma.site.impi import impi_cohort_of
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.bundle import Bundle

from nodal.errors import Code
from nodal.findings import BundleUsed, NotComputed, Segmentation, Totals
from nodal.outlook import Indices, NomogramFinding, SystemFinding
from nodal.prognosis.combining import combine
from nodal.prognosis.differing import differing
from nodal.prognosis.gate import held_back, withheld_system
from nodal.prognosis.indices import placed, published_indices
from nodal.prognosis.nomograms import NOMOGRAM_OF
from nodal.prognosis.shelf import Shelf
from nodal.prognosis.systems import Judged, judge
from nodal.report.system_words import system_title

__all__ = ["Asked", "Prognosis", "pet_measures", "prognose"]


NO_MODEL = "its bundle has no model of this endpoint; the bundle's card says why"
AT_SUV_4 = ("suv4_reviewed", "reference")
"""Of the ways that tell lesions, those that the IMPI may read: its own threshold, and a contour of a person's."""


@dataclass(frozen=True)
class Asked:
    """What the prognosis is made from, before any array is read.

    Attributes:
        systems: that are wanted; None takes every installed one. allow_partial: lifts FOV_PARTIAL, nothing else.
        show_simulated: prints survival of simulation-trained systems on a real study, watermarked.
    """

    clinical: ClinicalFactors
    totals: Totals
    segmentation: Segmentation
    virtual: bool
    systems: Sequence[str] | None = None
    allow_partial: bool = False
    show_simulated: bool = False


@dataclass(frozen=True)
class Prognosis:
    """What the prognosis stage adds to the findings.

    Attributes:
        attention: system -> number of a lesion -> weight. bundles: that took part. disagreements: sentences.
        context: system -> number of a lesion -> the organs that it was compared with most, each with its weight.
    """

    indices: Indices
    systems: dict[str, SystemFinding]
    nomograms: dict[str, dict[str, NomogramFinding]]
    not_computed: tuple[NotComputed, ...]
    attention: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    bundles: tuple[BundleUsed, ...] = ()
    disagreements: tuple[str, ...] = ()
    context: Mapping[str, Mapping[int, tuple[tuple[str, float], ...]]] = field(default_factory=dict)


def prognose(asked: Asked, shelf: Shelf, arrays: Callable[[], StudyArrays]) -> Prognosis:
    """Indices from the record, and every wanted system that can judge this study.

    Args:
        arrays: reads the volumes; called only where a system runs.
    """
    barrier = _barrier(asked)
    no_impi = barrier or _without_impi(asked)
    indices, missing = published_indices(
        asked.clinical, asked.totals.tmtv_ml, None if no_impi is None else NotComputed("indices.impi", *no_impi)
    )
    indices = _with_percentile(indices, asked, shelf)
    judged, not_run = _systems(asked, shelf, arrays, barrier)
    if COMBINED in shelf.bundles and (asked.systems is None or COMBINED in asked.systems):
        patient = Prospect(asked.clinical, pet_measures(asked.totals))
        digests = {name: bundle.digest for name, bundle in shelf.bundles.items()}
        judged[COMBINED] = combine(shelf.bundles[COMBINED], patient, judged, indices.impi, digests)
    systems, nomograms = _gated(asked, judged)
    said = [
        NotComputed(f"systems.{name}", one.code or "", one.reason or "") for name, one in systems.items() if one.code
    ]
    return Prognosis(
        indices,
        systems,
        nomograms,
        (*missing, *not_run, *said, *_missing_endpoints(systems), *_missing_nomograms(nomograms, [*not_run, *said])),
        {name: one.attention for name, one in judged.items() if one.attention},
        tuple(_used(shelf.bundles[name]) for name in judged),
        differing(systems, indices.nccn_ipi),
        {name: one.context for name, one in judged.items() if one.context},
    )


def pet_measures(totals: Totals | TotalMeasures) -> PetMeasures:
    """The totals of a study or of a patient of a cohort, as models read them."""
    return PetMeasures(
        tmtv_ml=totals.tmtv_ml,
        tlg_g=totals.tlg_g,
        suv_max=totals.suv_max,
        suv_peak=totals.suv_peak,
        lesion_count=totals.lesion_count,
        dmax_mm=totals.dmax_mm,
        dmax_bulk_mm=totals.dmax_bulk_mm,
        sdmax_per_m=totals.sdmax_per_m,
    )


def _barrier(asked: Asked) -> tuple[Code, str] | None:
    """What keeps everything that reads the tumour's volume from being computed: code and sentence."""
    if asked.totals.field_of_view == "partial" and not asked.allow_partial:
        return Code.FOV_PARTIAL, "needs the whole body from skull base to mid-thigh"
    made = asked.segmentation
    if made.in_range == "outside":
        return Code.OUT_OF_DISTRIBUTION, "the scan is unlike those that the networks learned from"
    if not made.without_physiological:
        return Code.PHYSIOLOGICAL_UPTAKE, "the volume holds physiological uptake: a plain threshold removes none"
    return None


def _without_impi(asked: Asked) -> tuple[Code, str] | None:
    """What keeps the IMPI alone from being computed."""
    if asked.totals.lesion_count == 0:
        return Code.NO_AVID_LESION, "there is no FDG-avid lesion to judge"
    if asked.segmentation.method not in AT_SUV_4:
        return Code.COVARIATE_INVALID, "is defined on the volume at SUV 4.0; another rule drew the lesions"
    return None


def _with_percentile(indices: Indices, asked: Asked, shelf: Shelf) -> Indices:
    """The IMPI's place among the patients that the site's own model learned from.

    An index leaves for every destination: the place of a real patient among virtual ones is not said.
    """
    bundle = shelf.bundles.get("site")
    if indices.impi is None or bundle is None:
        return indices
    among_virtual = bundle.metadata.nodal.trained_on == "virtual"
    if among_virtual and not asked.virtual:
        return indices
    cohort = impi_cohort_of(bundle)
    if cohort is None:
        return indices
    name = bundle.metadata.nodal.cohort
    whose = f"{cohort.n} virtual patients ({name})" if among_virtual else name
    return replace(indices, impi=placed(indices.impi, cohort, whose))


def _systems(
    asked: Asked, shelf: Shelf, arrays: Callable[[], StudyArrays], barrier: tuple[Code, str] | None
) -> tuple[dict[str, Judged], list[NotComputed]]:
    judged: dict[str, Judged] = {}
    not_run: list[NotComputed] = []
    study: StudyArrays | None = None
    for name in asked.systems or SYSTEMS:
        if name == COMBINED:
            continue
        reason = _cannot_run(name, asked, shelf, barrier)
        if reason is not None:
            not_run.append(NotComputed(f"systems.{name}", *reason))
            continue
        study = study or arrays()
        judged[name] = judge(shelf.systems[name], shelf.bundles[name], study)
    return judged, not_run


def _cannot_run(name: str, asked: Asked, shelf: Shelf, barrier: tuple[Code, str] | None) -> tuple[Code, str] | None:
    """The first reason that keeps a system from running; what the study lacks goes before what the node lacks, since
    no installation would help. A system whose room is not there needs lesions and the whole body, as all do."""
    system = shelf.systems.get(name)
    whole_body = system is None or system.needs_whole_body
    if barrier is not None and (
        barrier[0] is Code.OUT_OF_DISTRIBUTION or (whole_body and barrier[0] is Code.FOV_PARTIAL)
    ):
        return barrier
    if asked.totals.lesion_count == 0 and (system is None or system.needs_lesions):
        return Code.NO_AVID_LESION, "there is no FDG-avid lesion to judge"
    if (refused := shelf.refused.get(name)) is not None:
        return refused.code, refused.reason
    if system is None or name not in shelf.bundles:
        return Code.NO_BUNDLE, "no trained bundle of this system is installed"
    return barrier if whole_body else None


def _gated(
    asked: Asked, judged: Mapping[str, Judged]
) -> tuple[dict[str, SystemFinding], dict[str, dict[str, NomogramFinding]]]:
    systems: dict[str, SystemFinding] = {}
    nomograms: dict[str, dict[str, NomogramFinding]] = {}
    for name, one in judged.items():
        hold = held_back(one.finding, virtual=asked.virtual, show_simulated=asked.show_simulated)
        systems[name] = withheld_system(one.finding) if hold else one.finding
        if one.nomograms:
            nomograms[NOMOGRAM_OF[name]] = {
                endpoint: replace(drawn, withheld=True) if hold else drawn for endpoint, drawn in one.nomograms.items()
            }
    return systems, nomograms


def _missing_endpoints(systems: Mapping[str, SystemFinding]) -> list[NotComputed]:
    """Of a system that speaks of the one endpoint alone: its training was good enough for no other."""
    return [
        NotComputed(f"systems.{name}.{endpoint}", Code.NOT_TRAINED, NO_MODEL)
        for name, one in systems.items()
        for endpoint in ENDPOINTS
        if one.endpoint and endpoint not in one.endpoint
    ]


def _missing_nomograms(nomograms: Mapping[str, object], systems_missing: Sequence[NotComputed]) -> list[NotComputed]:
    """A nomogram rests on its system, and is missing for the same reason."""
    why = {one.item.removeprefix("systems."): one for one in systems_missing}
    return [
        NotComputed(f"nomograms.{drawn}", why[system].code, f"rests on {system_title(system)}: {why[system].reason}")
        for system, drawn in NOMOGRAM_OF.items()
        if drawn not in nomograms and system in why
    ]


def _used(bundle: Bundle) -> BundleUsed:
    return BundleUsed(bundle.metadata.name, bundle.metadata.version, bundle.digest)
