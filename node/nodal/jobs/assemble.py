"""Measures and findings put together from what the earlier stages left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lymphoma.anatomy import Anatomy, Coverage, coverage, ct_contrast, reference_liver
from lymphoma.anatomy.stations import Site, sites_of
from lymphoma.errors import NotComputable
from lymphoma.imaging import Volume, pet_ct_shift_mm
from lymphoma.lesions import LesionMeasures, TotalMeasures, measure_lesions, measure_totals
from lymphoma.survival.staging import suggest_staging
from pydicom import Dataset

from nodal import __version__
from nodal.clinical.record import ClinicalRecord
from nodal.errors import Code
from nodal.findings import (
    CtRegistration,
    Findings,
    Flag,
    Lesion,
    NotComputed,
    Provenance,
    Quality,
    RejectedCandidate,
    Segmentation,
    Totals,
)
from nodal.jobs.records import JudgedCandidate, Loaded, Measured, SelectionRecord
from nodal.jobs.tools import NodeTools
from nodal.outlook import Suggestion
from nodal.prognosis.study import Prognosis
from nodal.report.uids import tracking_uid

__all__ = ["findings", "measure"]

LIVER_SUV_EANM = (1.3, 3.0)
"""Range of the liver's SUVmean in a well-made FDG scan (EANM; outside is a flag, never a refusal)."""

UPTAKE_MINUTES_USUAL = (45.0, 90.0)
SHIFT_LIMIT_MM = 15.0


def measure(
    suv: Volume,
    ct_hu: Volume,
    lesion_map: Volume,
    anatomy: Anatomy,
    loaded: Loaded,
    header: Dataset,
    *,
    digest: str,
    lesion_map_sha256: str,
    judged: Sequence[JudgedCandidate] = (),
    allow_partial: bool,
    without_physiological: bool,
) -> Measured:
    """Lesions measured and placed, coverage graded, quality judged; the totals are of accepted lesions.

    Args:
        suv, ct_hu, lesion_map: on the PET grid; SUV in g/mL, HU, and labels 1..n.
        header: a PET instance, for the patient's weight and height.
        digest: of the study, part of every Tracking UID. judged: candidates, where the segmenter judges them.
        without_physiological: physiological uptake was told from lesions; where it was not, a brain among the lesions
            would suggest a stage.
    """
    seen = coverage(suv, ct_hu, anatomy)
    measures = measure_lesions(suv, lesion_map)
    sites = sites_of(anatomy, lesion_map)
    verdicts = {one.lesion: one for one in judged if one.lesion is not None}
    lesions = tuple(
        _judged(_lesion(one, site, digest, lesion_map_sha256), verdicts.get(one.number))
        for one, site in zip(measures, sites, strict=True)
    )
    counted = [one for one, lesion in zip(measures, lesions, strict=True) if lesion.status == "accepted"]
    totals = measure_totals(
        counted, weight_kg=_number(header, "PatientWeight"), height_m=_number(header, "PatientSize")
    )
    most_ml = float(sum(one.volume_ml for one in measures))
    partial = seen.field_of_view == "partial" and not allow_partial
    liver, without_liver = _liver(suv, anatomy)
    quality = _quality(suv, ct_hu, anatomy, seen, loaded, liver)
    missing = (*_fov_missing(partial), *without_liver)
    placed = [site for site, lesion in zip(sites, lesions, strict=True) if lesion.status == "accepted"]
    suggested = _suggestions(placed) if without_physiological and not partial else ()
    return Measured(lesions, _rejected(judged), _totals(totals, most_ml, seen, partial), quality, missing, suggested)


def _number(header: Dataset, keyword: str) -> float | None:
    value = header.get(keyword)
    return float(value) if value not in (None, "") else None


def _suggestions(sites: Sequence[Site]) -> tuple[Suggestion, ...]:
    """Stage and extranodal organs that the lesions' sites suggest; a person confirms them."""
    found = suggest_staging(sites)
    if found is None:
        return ()
    stage = f"at least {found.stage}" if found.at_least else found.stage
    suggested = [Suggestion("stage", (stage,), found.why, found.doubts)]
    if found.organs:
        suggested.append(Suggestion("extranodal_sites", found.organs, "organs that hold a lesion", found.doubts))
    return tuple(suggested)


def _lesion(one: LesionMeasures, site: Site, digest: str, lesion_map_sha256: str) -> Lesion:
    return Lesion(
        number=one.number,
        tracking_uid=tracking_uid(digest, lesion_map_sha256, one.number),
        segment_number=one.number,
        volume_ml=one.volume_ml,
        suv_max=one.suv_max,
        suv_peak=one.suv_peak,
        suv_mean=one.suv_mean,
        tlg_g=one.tlg_g,
        longest_diameter_mm=one.longest_diameter_mm,
        centroid_mm=one.centroid_mm,
        hottest_mm=one.hottest_mm,
        station=site.station if site.organ is None else None,
        organ=site.organ,
    )


def _judged(lesion: Lesion, verdict: JudgedCandidate | None) -> Lesion:
    """The lesion as the candidate that it is was judged; without a judge it is accepted."""
    if verdict is None or verdict.status == "rejected":
        return lesion
    return replace(lesion, status=verdict.status, p_lesion=verdict.p_lesion, decided_by=verdict.decided_by)


def _rejected(judged: Sequence[JudgedCandidate]) -> tuple[RejectedCandidate, ...]:
    """Candidates that were not taken for lesions, the largest first."""
    left_out = sorted((one for one in judged if one.lesion is None), key=lambda one: (-one.volume_ml, one.hottest_mm))
    return tuple(
        RejectedCandidate(one.volume_ml, one.suv_max, one.organ, one.p_lesion, at, one.hottest_mm, one.decided_by)
        for at, one in enumerate(left_out, start=1)
    )


def _totals(totals: TotalMeasures, most_ml: float, seen: Coverage, partial: bool) -> Totals:
    return Totals(
        field_of_view=seen.field_of_view,
        tmtv_ml=totals.tmtv_ml,
        tmtv_range_ml=(totals.tmtv_ml, most_ml),
        tlg_g=totals.tlg_g,
        suv_max=totals.suv_max,
        suv_peak=totals.suv_peak,
        suv_mean=totals.suv_mean,
        lesion_count=totals.lesion_count,
        dmax_mm=None if partial else totals.dmax_mm,
        dmax_bulk_mm=None if partial else totals.dmax_bulk_mm,
        sdmax_per_m=None if partial else totals.sdmax_per_m,
        bulky=totals.bulky,
        bulky_threshold_mm=totals.bulky_threshold_mm,
    )


def _fov_missing(partial: bool) -> list[NotComputed]:
    reason = "the scan does not reach from the skull base to mid-thigh"
    whole_body = ("totals.dmax_mm", "totals.dmax_bulk_mm", "totals.sdmax_per_m")
    return [NotComputed(item, Code.FOV_PARTIAL, reason) for item in whole_body] if partial else []


def _liver(suv: Volume, anatomy: Anatomy) -> tuple[float | None, list[NotComputed]]:
    try:
        return reference_liver(suv, anatomy)[0], []
    except NotComputable as error:
        return None, [NotComputed("quality.liver_suv_mean", error.code, error.reason)]


def _quality(
    suv: Volume, ct_hu: Volume, anatomy: Anatomy, seen: Coverage, loaded: Loaded, liver: float | None
) -> Quality:
    flags = [Flag(*warning.split(": ", 1)) for warning in loaded.suv.warnings]
    if liver is not None and not LIVER_SUV_EANM[0] <= liver <= LIVER_SUV_EANM[1]:
        low, high = LIVER_SUV_EANM
        flags.append(Flag("LIVER_SUV_UNUSUAL", f"liver SUVmean {liver:.2f} is outside the EANM range {low}-{high}"))
    minutes = loaded.uptake_minutes
    if minutes is not None and not UPTAKE_MINUTES_USUAL[0] <= minutes <= UPTAKE_MINUTES_USUAL[1]:
        low, high = UPTAKE_MINUTES_USUAL
        flags.append(Flag("UPTAKE_TIME_UNUSUAL", f"uptake time {minutes:.0f} min is outside {low:.0f}-{high:.0f} min"))
    shift = pet_ct_shift_mm(suv, ct_hu)
    if shift is not None and shift > SHIFT_LIMIT_MM:
        flags.append(Flag("PET_CT_SHIFT", f"PET and CT body outlines are {shift:.0f} mm apart"))
    flags += _registration_flags(loaded.ct_registration)
    if seen.field_of_view == "partial":
        flags.append(Flag(Code.FOV_PARTIAL, "; ".join(seen.reasons) or "limited field of view"))
    return Quality(
        uptake_minutes=minutes,
        injected_mbq_per_kg=loaded.injected_mbq_per_kg,
        liver_suv_mean=liver,
        brain_covered=seen.brain_covered,
        thighs_covered=seen.thighs_covered,
        ct_contrast=ct_contrast(ct_hu, anatomy),
        pet_ct_shift_mm=shift,
        flags=tuple(flags),
        ct_registration=loaded.ct_registration,
    )


def _registration_flags(found: CtRegistration) -> list[Flag]:
    if found.verdict == "moved":
        by = f"{found.shift_mm:.1f} mm and {found.rotation_deg:.1f} degrees"
        return [Flag("CT_MOVED", f"the CT was moved by {by} onto the PET")]
    if found.verdict == "not_credible":
        return [Flag("PET_CT_MISMATCH", "PET and CT do not match, and no small motion brings them together")]
    return []


def findings(
    *,
    selection: SelectionRecord,
    loaded: Loaded,
    measured: Measured,
    segmentation: Segmentation,
    prognosis: Prognosis,
    clinical: ClinicalRecord,
    header: Dataset,
    lesion_map_sha256: str,
    settings_sha256: str,
    tools: NodeTools,
    started: str,
    stage_seconds: dict[str, float],
    predecessor_sr_uid: str | None,
) -> Findings:
    """Everything known of the study as one object.

    Args:
        header: a PET instance, for what DICOM itself says of the patient.
    """
    said = [*(Flag(code, sentence) for code, sentence in selection.warnings), *measured.quality.flags]
    said += tools.flags
    if segmentation.in_range == "outside":
        said.append(Flag(Code.OUT_OF_DISTRIBUTION, _unlike(segmentation)))
    if not segmentation.without_physiological:
        said.append(Flag(Code.PHYSIOLOGICAL_UPTAKE, "physiological uptake not removed"))
    if segmentation.anatomy_engine == "none":
        said.append(Flag(Code.NO_ANATOMY, "sites are not named: no organ map was available"))
    flags = {flag.code: flag for flag in reversed(said)}  # the first to say it has the word
    spoken = segmentation.words.instant if segmentation.words else None
    instants = (loaded.latest_instant, clinical.entered_at, segmentation.reference_instant, spoken)
    return Findings(
        study_instance_uid=selection.study_instance_uid,
        patient_id=str(header.get("PatientID", "")),
        pet_series_instance_uid=selection.pet.series_instance_uid,
        ct_series_instance_uid=selection.ct.series_instance_uid,
        series=selection.series,
        suv=loaded.suv,
        quality=replace(measured.quality, flags=tuple(reversed(flags.values()))),
        virtual=selection.virtual,
        baseline=selection.baseline,
        lesions=tuple(_attended(lesion, prognosis) for lesion in measured.lesions),
        rejected_candidates=measured.rejected_candidates,
        totals=measured.totals,
        clinical=clinical,
        segmentation=segmentation,
        not_computed=(*measured.not_computed, *prognosis.not_computed),
        content_datetime=max(text[:14] for text in instants if text),
        lesion_map_sha256=lesion_map_sha256,
        settings_sha256=settings_sha256,
        predecessor_sr_uid=predecessor_sr_uid,
        provenance=Provenance(
            __version__, tools.words, started, stage_seconds, bundles=(*tools.used, *prognosis.bundles)
        ),
        indices=prognosis.indices,
        suggestions=measured.suggestions,
        systems=prognosis.systems,
        nomograms=prognosis.nomograms,
        disagreements=prognosis.disagreements,
    )


def _unlike(segmentation: Segmentation) -> str:
    what = ", ".join(name.replace("_", " ") for name in segmentation.in_range_features) or "their combination"
    said = f"the scan is unlike those that the networks learned from ({what})"
    if segmentation.method == "reference":
        return said
    return f"{said}; lesions are a threshold's, physiological uptake not removed"


def _attended(lesion: Lesion, prognosis: Prognosis) -> Lesion:
    """The lesion with each system's attention on it, and the organs that it was compared with.

    The systems know lesions by their labels in the lesion map, which are the segment numbers.
    """
    label = lesion.segment_number
    weights = {name: each[label] for name, each in prognosis.attention.items() if label in each}
    organs = {name: each[label] for name, each in prognosis.context.items() if label in each}
    return replace(lesion, attention=weights, context=organs)
