"""The structured report: TID 1500 Measurement Report, as Comprehensive 3D or Comprehensive SR (PS3.16, PS3.3 A.35)."""

from __future__ import annotations

from collections.abc import Iterable

from highdicom.sr import (
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
)
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from nodal.findings import Findings
from nodal.report import codes, identity, risk_codes
from nodal.report.clinical_words import conflict_words, suggestion_words, unusable_words
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.lesion_words import RANGE_WORDS, features_words
from nodal.report.marks import PARTIAL_TITLE, VIRTUAL_TITLE
from nodal.report.provenance import contour_qualifier, given_contour, series_title
from nodal.report.sr_candidates import candidate_statements
from nodal.report.sr_groups import lesion_groups, patient_groups
from nodal.report.sr_items import statement
from nodal.report.system_words import SHOWN_SIMULATED, SIMULATION_TRAINED, shows_simulated, system_title
from nodal.report.uids import series_uid, stable_uid
from nodal.report.verified import verification_flag, verifying_observer

__all__ = ["SERIES_NUMBER", "build_sr", "observer", "study_reference"]

SERIES_NUMBER = 9102
_SOP_CLASSES = {"3d": Comprehensive3DSRStorage, "comprehensive": ComprehensiveSRStorage}


def observer(findings: Findings) -> ObserverContext:
    """The node as device observer (TID 1004); its UID is the software's, since no output depends on a machine."""
    attributes = DeviceObserverIdentifyingAttributes(
        uid=stable_uid("nodal", "device", findings.provenance.node_version),
        name=identity.MANUFACTURER,
        manufacturer_name=identity.MANUFACTURER,
        model_name=identity.MODEL_NAME,
        serial_number=identity.device_serial(findings),
    )
    return ObserverContext(codes.DEVICE, attributes)


def _field_of_view(findings: Findings) -> str:
    if findings.totals.field_of_view == "whole":
        return "Whole body, skull base to mid-thigh"
    return PARTIAL_TITLE


def _suv_method(findings: Findings) -> str:
    suv = findings.suv
    parts = [suv.method]
    parts += [f"factor {suv.factor:.6g}"] if suv.factor is not None else []
    parts += [f"scan reference time {suv.scan_reference_time}"] if suv.scan_reference_time else []
    parts += [f"decay {suv.decay_s:.0f} s"] if suv.decay_s is not None else []
    return "; ".join([*parts, *suv.warnings])


def _segmentation_method(findings: Findings) -> str:
    made = findings.segmentation
    return (
        f"{made.method}: {made.description}; smallest volume {made.min_volume_ml:g} mL, {made.connectivity}-connected, "
        f"organs from {made.anatomy_engine}; bulky from {findings.totals.bulky_threshold_mm:g} mm"
    )


def _physiological_uptake(findings: Findings) -> str:
    made = findings.segmentation
    if given_contour(findings):
        return "Lesions from a given contour"
    if not made.without_physiological:
        return "Physiological uptake not removed"
    return f"Physiological uptake judged by {made.method}, organs from {made.anatomy_engine}"


def _statements(findings: Findings) -> Iterable[tuple[Code, str]]:
    """All that must be read beside the numbers, as (concept, sentence)."""
    yield codes.FIELD_OF_VIEW, _field_of_view(findings)
    yield codes.SUV_METHOD, _suv_method(findings)
    yield codes.SEGMENTATION_METHOD, _segmentation_method(findings)
    yield codes.PHYSIOLOGICAL_UPTAKE, _physiological_uptake(findings)
    yield codes.BASELINE, f"Baseline {findings.baseline}"
    if findings.virtual:
        yield codes.SIMULATION, VIRTUAL_TITLE
    for flag in findings.quality.flags:
        yield codes.QUALITY_FLAG, f"{flag.code}: {flag.message}"
    if (made := findings.segmentation).in_range is not None:
        failed = f": {features_words(made.in_range_features)}" if made.in_range_features else ""
        yield codes.RANGE, f"{RANGE_WORDS[made.in_range]}{failed}"
    for note in made.notes:
        yield codes.SEGMENTATION_METHOD, note
    if qualifier := contour_qualifier(findings):
        yield risk_codes.LIMITS, f"Lesion contours: {qualifier}"
    yield from _limits_of_risks(findings)
    yield from _clinical(findings)
    for missing in findings.not_computed:
        name = codes.NOT_SENT if missing.code == "NOT_SENT" else codes.NOT_COMPUTED
        yield name, f"{missing.item}: {missing.code}, {missing.reason}"


def _limits_of_risks(findings: Findings) -> Iterable[tuple[Code, str]]:
    """What limits the prognosis systems' figures, and where they differ."""
    for name, system in findings.systems.items():
        if system.status == "computed" and system.evidence == "E0":
            yield risk_codes.LIMITS, f"{system_title(name)}: {SIMULATION_TRAINED}"
    if shows_simulated(findings):
        yield risk_codes.LIMITS, SHOWN_SIMULATED
    for sentence in findings.disagreements:
        yield risk_codes.DISAGREEMENT, sentence


def _clinical(findings: Findings) -> Iterable[tuple[Code, str]]:
    """What a person must settle of the clinical record."""
    for suggestion in findings.suggestions:
        yield risk_codes.SUGGESTION, suggestion_words(suggestion)
    for conflict in findings.clinical.conflicts:
        yield risk_codes.CONFLICT, conflict_words(conflict)
    for unusable in findings.clinical.unusable:
        yield risk_codes.UNUSABLE, unusable_words(unusable)


def _qualitative(findings: Findings) -> ContainerContentItem:
    """TID 1500's Qualitative Evaluations: the sentences, each under its concept."""
    container = ContainerContentItem(name=codes.QUALITATIVE_EVALUATIONS, relationship_type="CONTAINS")
    items = [statement(name, text) for name, text in _statements(findings)]
    container.ContentSequence = ContentSequence([*items, *candidate_statements(findings)])
    return container


def _separate(item: Dataset) -> None:
    """Marks every container SEPARATE, so that renderers keep the names of what it holds (PS3.3 C.17.3.2.2)."""
    if item.ValueType == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    for child in item.get("ContentSequence", ()):
        _separate(child)


def _content(inputs: ReportInputs, seg: ResultObject | None) -> Dataset:
    """The root container of the document."""
    findings = inputs.findings
    whole = findings.totals.field_of_view == "whole"
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer(findings)),
        procedure_reported=codes.WHOLE_BODY_FDG if whole else codes.PET_UNSPECIFIED_REGION,
        imaging_measurements=[*patient_groups(inputs), *lesion_groups(inputs, seg)],
        title=codes.PET_MEASUREMENT_REPORT,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(codes.ENGLISH),
    )
    root = report[0]
    root.ContentSequence.append(_qualitative(findings))
    _separate(root)
    return root


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def study_reference(study_uid: str, series: dict[str, list[tuple[str, str]]]) -> Dataset:
    """An item of the Hierarchical SOP Instance Reference Macro (Table C.17-3).

    Args:
        series: series UID -> (SOP class, SOP instance) of its instances.
    """
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = []
    for uid, instances in series.items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedSOPSequence = [_reference(*instance) for instance in instances]
        study.ReferencedSeriesSequence.append(item)
    return study


def _evidence(inputs: ReportInputs, seg: ResultObject | None) -> Dataset:
    series: dict[str, list[tuple[str, str]]] = {}
    for header in (*inputs.pet_headers, *inputs.ct_headers):
        series.setdefault(str(header.SeriesInstanceUID), []).append((header.SOPClassUID, header.SOPInstanceUID))
    if seg is not None:
        uid = series_uid(seg.sop_instance_uid)
        series[uid] = [(seg.sop_class_uid, seg.sop_instance_uid)]
    return study_reference(inputs.findings.study_instance_uid, series)


def _predecessor(findings: Findings, sop_class_uid: str) -> list[Dataset]:
    uid = findings.predecessor_sr_uid
    if uid is None:
        return []
    return [study_reference(findings.study_instance_uid, {series_uid(uid): [(sop_class_uid, uid)]})]


def _editors_object(findings: Findings) -> list[Dataset]:
    """The contour that the lesions were taken from, where it was a DICOM object: Pertinent Other Evidence (C.17.2)."""
    made = findings.segmentation
    uid, series, kind = (
        made.reference_sop_instance_uid,
        made.reference_series_instance_uid,
        made.reference_sop_class_uid,
    )
    if uid is None or series is None or kind is None:
        return []
    return [study_reference(findings.study_instance_uid, {series: [(kind, uid)]})]


def build_sr(inputs: ReportInputs, target: Target, seg: ResultObject | None) -> ResultObject | None:
    """The SR of these findings; None where the target takes none.

    Automatic results are COMPLETE, PRELIMINARY and UNVERIFIED (C.17.2), accepted ones FINAL and VERIFIED.

    Args:
        seg: the SEG of the same target that the lesions' groups refer to, if there is one.
    """
    sop_class_uid = _SOP_CLASSES.get(target.profile.sr)
    if sop_class_uid is None:
        return None
    findings = inputs.findings
    dataset = identity.start_object(
        inputs,
        target,
        kind="sr",
        sop_class_uid=sop_class_uid,
        modality="SR",
        series_number=SERIES_NUMBER,
        series_description=series_title("Nodal SR", findings),
    )
    dataset.CodingSchemeIdentificationSequence = [codes.private_scheme_item()]
    dataset.CompletionFlag = "COMPLETE"
    dataset.PreliminaryFlag = "PRELIMINARY" if findings.review is None else "FINAL"
    dataset.VerificationFlag = verification_flag(findings)
    if findings.review is not None:
        dataset.VerifyingObserverSequence = [verifying_observer(findings.review, inputs.pet_headers[0])]
    dataset.PerformedProcedureCodeSequence = []
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(inputs, seg)]
    if contour := _editors_object(findings):
        dataset.PertinentOtherEvidenceSequence = contour
    if predecessor := _predecessor(findings, sop_class_uid):
        dataset.PredecessorDocumentsSequence = predecessor
    dataset.update(_content(inputs, seg))
    return identity.finish(dataset, "sr")
