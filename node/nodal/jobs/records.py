"""What one stage writes down for the next: small frozen records, each one JSON file of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from lymphoma.imaging.registration import Registration
from pydantic import TypeAdapter
from pydicom import Dataset

from nodal.dicom.series import LoadedPet, LoadedSeries
from nodal.findings import CtRegistration, Lesion, NotComputed, Quality, RejectedCandidate, SuvUsed, Totals
from nodal.jobs.workspace import Workspace
from nodal.outlook import Suggestion
from nodal.study import Baseline, PassedFile, Selection, SeriesDecision, SeriesFiles

__all__ = ["ChosenSeries", "JudgedCandidate", "Loaded", "Measured", "SelectionRecord"]


@dataclass(frozen=True)
class ChosenSeries:
    """A chosen series; ``files`` are names relative to the workspace's source folder."""

    series_instance_uid: str
    files: tuple[str, ...]

    @classmethod
    def of(cls, series: SeriesFiles, source: Path) -> Self:
        """From the files as found."""
        return cls(series.series_instance_uid, tuple(str(path.relative_to(source)) for path in series.paths))


@dataclass(frozen=True)
class SelectionRecord:
    """``selection.json``: what was chosen, and why everything else was not."""

    study_instance_uid: str
    pet: ChosenSeries
    ct: ChosenSeries
    series: tuple[SeriesDecision, ...]
    baseline: Baseline
    virtual: bool
    warnings: tuple[tuple[str, str], ...]
    unreadable: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, selection: Selection, unreadable: tuple[PassedFile, ...], source: Path) -> Self:
        """From the selection; ``unreadable`` as (file, code, reason)."""
        return cls(
            selection.study_instance_uid,
            ChosenSeries.of(selection.pet, source),
            ChosenSeries.of(selection.ct, source),
            selection.series,
            selection.baseline,
            selection.virtual,
            selection.warnings,
            tuple((str(passed.path.relative_to(source)), str(passed.code), passed.reason) for passed in unreadable),
        )

    @classmethod
    def read(cls, workspace: Workspace) -> SelectionRecord:
        """From the workspace."""
        return TypeAdapter(SelectionRecord).validate_python(workspace.read_json("selection.json"))


@dataclass(frozen=True)
class Loaded:
    """``loaded.json``: how the PET became SUV, and the instances in slice order.

    ``latest_instant``: DICOM DT without fraction, the latest acquisition or content time of the chosen instances.
    ``ct_registration``: of the CT to the PET. ``frame_of_reference_uid``: of the PET.
    """

    suv: SuvUsed
    uptake_minutes: float | None
    injected_mbq_per_kg: float | None
    pet_files: tuple[str, ...]
    ct_files: tuple[str, ...]
    latest_instant: str
    ct_registration: CtRegistration
    frame_of_reference_uid: str = ""

    @classmethod
    def of(cls, pet: LoadedPet, ct: LoadedSeries, found: Registration, files: dict[str, str]) -> Self:
        """From the loaded series; ``files`` names the file of each SOP Instance UID."""
        used = pet.conversion
        return cls(
            SuvUsed(used.method, used.factor, used.scan_reference_time, used.decay_s, used.warnings),
            used.uptake_minutes,
            used.injected_mbq_per_kg,
            tuple(files[str(header.SOPInstanceUID)] for header in pet.headers),
            tuple(files[str(header.SOPInstanceUID)] for header in ct.headers),
            _latest_instant((*pet.headers, *ct.headers)),
            CtRegistration(found.verdict, found.shift_mm, found.rotation_deg),
            str(pet.headers[0].get("FrameOfReferenceUID", "") or ""),
        )

    @classmethod
    def read(cls, workspace: Workspace) -> Loaded:
        """From the workspace."""
        return TypeAdapter(Loaded).validate_python(workspace.read_json("loaded.json"))


@dataclass(frozen=True)
class JudgedCandidate:
    """A candidate of the segment stage; see :class:`lymphoma.segmentation.Candidate`.

    ``decided_by``: "person" where a person's word made the status.
    """

    lesion: int | None
    status: Literal["accepted", "to_confirm", "rejected"]
    p_lesion: float
    organ: str | None
    volume_ml: float
    suv_max: float
    hottest_mm: tuple[float, float, float]
    decided_by: Literal["person"] | None = None

    @classmethod
    def read(cls, workspace: Workspace) -> tuple[JudgedCandidate, ...]:
        """From the workspace; none where the segmenter does not judge."""
        return TypeAdapter(tuple[JudgedCandidate, ...]).validate_python(workspace.read_json("judged.json"))


@dataclass(frozen=True)
class Measured:
    """``measured.json``: lesions, totals, the quality of the scan, and what the lesions' sites suggest."""

    lesions: tuple[Lesion, ...]
    rejected_candidates: tuple[RejectedCandidate, ...]
    totals: Totals
    quality: Quality
    not_computed: tuple[NotComputed, ...]
    suggestions: tuple[Suggestion, ...] = ()

    @classmethod
    def read(cls, workspace: Workspace) -> Measured:
        """From the workspace."""
        return TypeAdapter(Measured).validate_python(workspace.read_json("measured.json"))


def _latest_instant(headers: Sequence[Dataset]) -> str:
    """Without any acquisition or content date, midnight of the study's date."""
    instants = []
    for header in headers:
        for kind in ("Acquisition", "Content"):
            date, clock = str(header.get(f"{kind}Date", "") or ""), str(header.get(f"{kind}Time", "") or "")
            if len(date) == 8:
                instants.append((date + clock.split(".")[0]).ljust(14, "0")[:14])
        if header.get("AcquisitionDateTime"):
            instants.append(str(header.AcquisitionDateTime).split(".")[0].ljust(14, "0")[:14])
    study_date = str(headers[0].get("StudyDate", "") or "19000101")
    return max(instants, default=study_date.ljust(14, "0"))
