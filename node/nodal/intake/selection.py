"""Chooses the PET and the CT of a study by rule, and says why each other series was passed over.

The rules stand in :mod:`nodal.intake.pet_rules`, :mod:`~nodal.intake.ct_rules`, :mod:`~nodal.intake.tracer` and
:mod:`~nodal.intake.baseline`; here they are put together. Nothing is guessed: where no series passes, the study is
refused with the code of the series that came furthest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

from pydicom import Dataset

from nodal.clinical.record import ClinicalRecord
from nodal.errors import Code, Refused
from nodal.intake.baseline import decide_baseline
from nodal.intake.completeness import Completeness
from nodal.intake.ct_rules import CtCandidate, judge_ct, rank_cts
from nodal.intake.fault import Fault
from nodal.intake.pet_rules import PetCandidate, judge_pet, rank_pets
from nodal.settings import Settings
from nodal.study import PassedFile, Selection, SeriesDecision, SeriesFiles, StudyFiles

__all__ = ["select"]

VIRTUAL_GROUP, VIRTUAL_CREATOR, VIRTUAL_ELEMENT = 0x0099, "NODAL VIRTUAL", 0x01
CT_COVERS = 0.95  # share of the PET's length; below it the missing part is worth a warning

_PASSED_OVER = {
    "SEG": "a segmentation; used only where it is named as reference",
    "RTSTRUCT": "a contour; used only where it is named as reference",
    "RTPLAN": "a radiotherapy plan",
    "RTDOSE": "a radiotherapy dose",
    "SR": "a structured report (measurements or radiation dose)",
    "DOC": "a document",
    "KO": "a key object selection",
    "PR": "a presentation state",
    "REG": "a registration",
    "OT": "a secondary capture",
    "SC": "a secondary capture",
    "NM": "a nuclear medicine image, not PET",
    "MR": "an MR image",
}

# What pydicom raises for an element whose bytes do not make a value of its VR.
UNREADABLE_VALUES = (ValueError, TypeError, AttributeError, OverflowError, NotImplementedError)
UNREADABLE_HEADER = "its header holds values that cannot be read"

Decisions = dict[str, SeriesDecision]
Candidate = TypeVar("Candidate", PetCandidate, CtCandidate)

_NAMED = {"PT": "PET", "CT": "CT"}


def select(
    study: StudyFiles,
    *,
    settings: Settings,
    clinical: ClinicalRecord | None = None,
    earlier_pet_ct_date: str | None = None,
) -> Selection:
    """Chooses one PT and one CT series.

    Args:
        study: every series found, headers without pixel data.
        clinical: the record of the clinic, where there is one; its time point decides whether this is a baseline.
        earlier_pet_ct_date: DA of an earlier PET/CT of this patient that the node has seen.

    Raises:
        Refused: with the reason of the series that came furthest (NO_PET, PET_NOT_CORRECTED, PET_DERIVED,
            PET_DYNAMIC, PET_ENHANCED_UNMAPPED, NOT_FDG, NO_CT, CT_OTHER_FRAME, CT_NO_OVERLAP, MIXED_SERIES and
            others), or because the chosen series lacks slices (MISSING_SLICE, SERIES_INCOMPLETE), or because the
            scan is not the baseline (NOT_BASELINE).
    """
    decisions: Decisions = {
        s.series_instance_uid: SeriesDecision(s.series_instance_uid, s.modality, None, _reason_by_kind(s))
        for s in study.series
    }
    warnings: list[tuple[str, str]] = []
    pet = _choose_pet(study, settings, decisions, warnings)
    ct = _choose_ct(study, pet, decisions, warnings)
    pet_header, ct_header = pet.series.headers[0], ct.series.headers[0]
    if _patient(pet_header) != _patient(ct_header):
        raise Refused(Code.MIXED_SERIES, "the PET and the CT name different patients under one study UID")
    baseline = decide_baseline(
        (pet_header, ct_header),
        rules=settings.baseline,
        clinical=clinical,
        earlier_pet_ct_date=earlier_pet_ct_date,
    )
    return Selection(
        study_instance_uid=study.study_instance_uid,
        pet=pet.series,
        ct=ct.series,
        series=tuple(decisions[uid] for uid in sorted(decisions)),
        baseline=baseline.baseline,
        virtual=_is_virtual((*pet.series.headers, *ct.series.headers)),
        warnings=(*warnings, *baseline.warnings),
    )


def _reason_by_kind(series: SeriesFiles) -> str:
    return _PASSED_OVER.get(series.modality, f"modality {series.modality or 'not named'}, neither PET nor CT")


def _decide(
    decisions: Decisions, series: SeriesFiles, reason: str, *, used_as: Literal["pet", "ct"] | None = None
) -> None:
    uid = series.series_instance_uid
    decisions[uid] = SeriesDecision(uid, series.modality, used_as, reason)


def _refuse_incomplete(what: str, chosen: SeriesFiles, state: Completeness, unreadable: Sequence[PassedFile]) -> None:
    """Also when a file is cut short that may be a slice of the series: an end slice leaves no gap behind."""
    possible = (chosen.series_instance_uid, None)
    cut = [f for f in unreadable if f.code is Code.TRUNCATED_FILE and f.series_instance_uid in possible]
    if cut:
        raise Refused(Code.TRUNCATED_FILE, f"{len(cut)} file(s) of the {what} are cut short: {cut[0].reason}")
    if state.state == "incomplete":
        raise Refused(state.code or Code.SERIES_INCOMPLETE, f"the {what} is not whole: {state.reason}")


def _passing(
    study: StudyFiles,
    modality: str,
    judge: Callable[[SeriesFiles], Candidate | Fault],
    decisions: Decisions,
    absent: Code,
) -> list[Candidate]:
    """The series of a modality that pass every gate; each other's decision is noted. Refuses when none passes."""
    what = _NAMED[modality]
    candidates: list[Candidate] = []
    faults: list[Fault] = []
    for one in (s for s in study.series if s.modality == modality):
        try:
            judged = judge(one)
        except UNREADABLE_VALUES:
            judged = Fault(0, Code.GEOMETRY_MISSING, UNREADABLE_HEADER)
        if isinstance(judged, Fault):
            faults.append(judged)
            _decide(decisions, one, judged.reason)
        else:
            candidates.append(judged)
    if candidates:
        return candidates
    if not faults:
        raise Refused(absent, f"the study has no {what} series")
    furthest = max(faults, key=lambda fault: fault.gate)
    raise Refused(furthest.code, f"no {what} series can be used: {furthest.reason}")


def _choose_pet(
    study: StudyFiles, settings: Settings, decisions: Decisions, warnings: list[tuple[str, str]]
) -> PetCandidate:
    candidates = _passing(study, "PT", lambda one: judge_pet(one, settings), decisions, Code.NO_PET)
    (chosen, *others), alike = rank_pets(candidates)
    length = chosen.extent.length_mm
    _decide(decisions, chosen.series, f"FDG PET, corrected, largest axial coverage ({length:.0f} mm)", used_as="pet")
    for other in others:
        _decide(decisions, other.series, _why_second(other, chosen))
    _refuse_incomplete("PET", chosen.series, chosen.completeness, study.unreadable)
    if chosen.derived:
        text = "the PET is a derived series; its values are taken as they are declared (SUV, body weight)"
        warnings.append((str(Code.PET_DERIVED), text))
    if any(str(header.get("LossyImageCompression") or "") == "01" for header in chosen.series.headers):
        warnings.append(("PET_LOSSY", "the PET was compressed with loss; its values are not those of the scanner"))
    if alike > 1:
        warnings.append(("SEVERAL_PET", f"{alike} reconstructions cover the same length; one was chosen by rule"))
    return chosen


def _why_second(other: PetCandidate, chosen: PetCandidate) -> str:
    lacking = chosen.extent.length_mm - other.extent.length_mm
    if lacking > other.extent.step_mm + 0.1:
        return f"covers {other.extent.length_mm:.0f} mm; the PET used covers {chosen.extent.length_mm:.0f} mm"
    if other.completeness.state == "incomplete" != chosen.completeness.state:
        return f"not whole: {other.completeness.reason}; the PET used is"
    if other.derived and not chosen.derived:
        return "derived; the PET used covers the same and is original"
    if chosen.harmonised and not other.harmonised:
        return "covers the same; the PET used is the EARL reconstruction"
    if other.extent.step_mm > chosen.extent.step_mm + 0.01:
        return "covers the same; the PET used has finer slices"
    return "covers the same as the PET used, which has the lower series number or UID"


def _choose_ct(
    study: StudyFiles, pet: PetCandidate, decisions: Decisions, warnings: list[tuple[str, str]]
) -> CtCandidate:
    frame = str(pet.series.headers[0].FrameOfReferenceUID)
    candidates = _passing(study, "CT", lambda one: judge_ct(one, pet.extent, frame), decisions, Code.NO_CT)
    chosen, *others = rank_cts(candidates)
    covered = f"covers {chosen.overlap:.0%} of the PET's length"
    _decide(decisions, chosen.series, f"CT in the PET's frame of reference, {covered}", used_as="ct")
    for other in others:
        less = f"covers {other.overlap:.0%} of the PET's length" if other.overlap < chosen.overlap - 0.02 else ""
        _decide(
            decisions, other.series, less or "overlaps the PET as well; the CT used comes first by type, kernel, slices"
        )
    _refuse_incomplete("CT", chosen.series, chosen.completeness, study.unreadable)
    if chosen.localizers:
        warnings.append(("CT_LOCALIZERS", f"{chosen.localizers} localizer image(s) inside the CT series are left out"))
    if chosen.overlap < CT_COVERS:
        warnings.append(("CT_SHORT", f"the CT {covered}; beyond it there is no CT"))
    return chosen


def _patient(header: Dataset) -> tuple[str, str]:
    return str(header.get("PatientID") or ""), str(header.get("IssuerOfPatientID") or "")


def _is_virtual(headers: Iterable[Dataset]) -> bool:
    """Whether every instance says that it is a simulated patient, by both marks."""
    return all(_says_virtual(header) for header in headers)


def _says_virtual(header: Dataset) -> bool:
    if header.get("QualityControlSubject") != "YES":
        return False
    try:
        value = header.private_block(VIRTUAL_GROUP, VIRTUAL_CREATOR)[VIRTUAL_ELEMENT].value
        text = value.decode() if isinstance(value, bytes) else str(value)
        told = json.loads(text.rstrip("\0 "))
    except (KeyError, ValueError):
        return False
    return isinstance(told, dict) and {"generator", "seed", "version"} <= told.keys()
