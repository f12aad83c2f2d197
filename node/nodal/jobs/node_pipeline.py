"""The pipeline as the durable engine runs it: stages on a workspace, and one attempt at a destination."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from nodal.clinical.statements import PatientStatements
from nodal.delivery import Outcome, Parcel, Sender, fall_back, sender_for
from nodal.dicom.contour_header import ContourHeader, read_contour_header
from nodal.dicom.digest import canonical_digest
from nodal.dicom.folder import has_modality
from nodal.errors import SourceGone, WrongUsage
from nodal.findings import from_json
from nodal.intake.spool import calling_ae
from nodal.jobs.check_contour import check_contour
from nodal.jobs.clinical import freeze, known_now
from nodal.jobs.context import link_tree
from nodal.jobs.model import Stage, StudySource
from nodal.jobs.pipeline import Admission
from nodal.jobs.results import FILES, OWN_ORTHANC, StoredObject, objects_from_json
from nodal.jobs.stages import StageContext, examine, patient_key, report_inputs, run_stage
from nodal.jobs.workspace import Workspace
from nodal.report.build import build
from nodal.report.inputs import ObjectKind, Target
from nodal.settings import Destination, Profile

__all__ = ["Archive", "NodePipeline"]

BULKY = ("pet_suv.nrrd", "ct_hu.nrrd")


class Archive(Sender, Protocol):
    """The node's own Orthanc: studies come from it, results go back to it."""

    def fetch(self, orthanc_id: str, folder: Path) -> Path:
        """Brings a study's instances into a folder."""

    def calling_ae(self, instance_id: str) -> str | None:
        """The AE title that sent an instance; None where it came otherwise."""

    def has_pet(self, orthanc_id: str) -> bool:
        """Whether a study still holds a PET series."""


class NodePipeline:
    """All that the engine asks of the work itself (see :class:`nodal.jobs.pipeline.Pipeline`)."""

    def __init__(self, context: StageContext, archive: Archive | None) -> None:
        self._context = context
        self._archive = archive

    def fetch(self, source: StudySource, folder: Path) -> None:
        """Hard links where the source is on the same disk, else copies; a study in Orthanc is pulled."""
        if source.kind == "orthanc":
            if self._archive is None or source.orthanc_id is None:
                raise WrongUsage("the node has no Orthanc of its own to fetch from")
            self._archive.fetch(source.orthanc_id, folder)
            return
        if source.path is None or not source.path.is_dir():
            raise SourceGone("the folder of this study is not there")
        link_tree(source.path, folder)

    def admit(self, folder: Path) -> Admission:
        """Selects PET and CT and takes their digest."""
        examined = examine(folder, self._context)
        header = examined.selection.pet.headers[0]
        return Admission(
            examined.digest,
            examined.selection.study_instance_uid,
            patient_key(header),
            str(header.get("StudyDate", "") or ""),
        )

    def contours(self, folder: Path) -> Sequence[ContourHeader]:
        """The SEG and RTSTRUCT objects below a folder, in the order of their paths."""
        found = (read_contour_header(path) for path in sorted(folder.rglob("*")) if path.is_file())
        return [contour for contour in found if contour is not None]

    def contour_digest(self, path: Path) -> str:
        """As of any instance: transfer syntax and file meta do not count."""
        return canonical_digest(path)

    def calling_ae(self, source: StudySource, contour: ContourHeader) -> str | None:
        """From the spool's journal, or from what Orthanc noted of the instance."""
        if source.kind == "spool" and source.path is not None:
            return calling_ae(source.path, contour.sop_instance_uid)
        if source.kind == "orthanc" and self._archive is not None:
            return self._archive.calling_ae(contour.path.stem)  # so it was named when it was fetched
        return None

    def check_contour(self, workspace: Workspace, path: Path, *, may_be_empty: bool) -> bool:
        """Reads it on the grid of the job's lesion map."""
        return check_contour(workspace, path, may_be_empty=may_be_empty)

    def has_images(self, source: StudySource) -> bool:
        """Whether there is a PET left where the study came from; the rest is told by its digest."""
        if source.kind == "orthanc":
            return (
                self._archive is not None and source.orthanc_id is not None and self._archive.has_pet(source.orthanc_id)
            )
        return source.path is not None and source.path.is_dir() and has_modality(source.path, "PT")

    def prepare(self, workspace: Workspace, admission_patient_key: str | None) -> None:
        """Freezes what is known of the patient now into the job."""
        key, earlier = admission_patient_key or "", [workspace]
        if workspace.path("request.json").exists() and workspace.request().predecessor is not None:
            earlier.append(Workspace(workspace.root.parent / str(workspace.request().predecessor)))
        stored = self._context.clinical_of(key) if key else PatientStatements(key)
        freeze(workspace, known_now(stored, workspace.source, earlier))

    def run_stage(self, stage: Stage, workspace: Workspace) -> None:
        """Runs one of SELECT..ENCODE."""
        run_stage(stage, workspace, self._context)

    def planned(self, workspace: Workspace) -> Sequence[StoredObject]:
        """Every object for every destination; without an Orthanc of its own, nothing for it."""
        objects = objects_from_json(workspace.read_json("objects.json"))
        nowhere = {FILES} if self._archive is not None else {FILES, OWN_ORTHANC}
        return [entry for entry in objects if entry.target not in nowhere]

    def summary(self, workspace: Workspace) -> Mapping[str, float | int | str | None]:
        """The few numbers that tables show."""
        totals = from_json(workspace.path("findings.json")).totals
        return {
            "tmtv_ml": round(totals.tmtv_ml, 1),
            "tlg_g": round(totals.tlg_g, 1),
            "lesion_count": totals.lesion_count,
            "suv_max": None if totals.suv_max is None else round(totals.suv_max, 2),
            "field_of_view": totals.field_of_view,
        }

    def deliver(
        self, workspace: Workspace, destination: str, objects: Sequence[StoredObject]
    ) -> Iterator[tuple[StoredObject, Outcome]]:
        """Tries once; what a destination can never take is replaced by what its profile falls back to."""
        if destination == OWN_ORTHANC:
            if self._archive is not None:
                yield from self._send(workspace, self._archive, objects)
            return
        to = next(one for one in self._context.settings.destinations if one.name == destination)
        sender, profile = sender_for(to, self._calling_ae_title()), to.profile
        rejected: list[tuple[StoredObject, Outcome]] = []
        known = {entry.sop_instance_uid for entry in self.planned(workspace) if entry.target == to.name}
        while objects:
            answers = list(self._send(workspace, sender, objects))
            yield from (answer for answer in answers if not answer[1].context_rejected)
            refused = [answer for answer in answers if answer[1].context_rejected]
            rejected += refused
            changed = _next_profile(profile, [entry.kind for entry, _ in refused])
            objects = self._instead(workspace, to, changed, known) if changed else ()
            known |= {entry.sop_instance_uid for entry in objects}
            profile = changed or profile
        yield from rejected  # last: until all that stands in for them is sent, the delivery is not over

    def _instead(self, workspace: Workspace, to: Destination, changed: Profile, known: set[str]) -> list[StoredObject]:
        """The objects of the changed profile that this destination was not offered before."""
        built = build(report_inputs(workspace, to.name), Target(changed, to.accepts))
        return [self._context.store.put(result, to.name) for result in built if result.sop_instance_uid not in known]

    def _send(
        self, workspace: Workspace, sender: Sender, objects: Sequence[StoredObject]
    ) -> Iterator[tuple[StoredObject, Outcome]]:
        request, trail = workspace.request(), self._context.trail
        parcels = [
            Parcel(
                entry.kind,
                entry.sop_class_uid,
                entry.sop_instance_uid,
                self._context.store.path(entry.sha256).read_bytes(),
            )
            for entry in objects
        ]
        for entry, outcome in zip(objects, sender.send(parcels), strict=True):
            trail.record(
                f"object_{outcome.state}",
                outcome="ok" if outcome.state == "sent" else "failed",
                job_id=request.job_id,
                study_instance_uid=request.study_instance_uid,
                code=outcome.code,
                destination=entry.target,
                kind=entry.kind,
                sop_instance_uid=entry.sop_instance_uid,
                sentence=outcome.message,
            )
            yield entry, outcome

    def _calling_ae_title(self) -> str:
        listener = self._context.settings.listener
        return listener.ae_title if listener else "NODAL"

    def tidy(self, workspace: Workspace) -> None:
        """Removes the images and loaded volumes of a job that has ended; maps, findings and results stay."""
        shutil.rmtree(workspace.source, ignore_errors=True)
        for name in BULKY:
            workspace.path(name).unlink(missing_ok=True)


def _next_profile(profile: Profile, rejected: Sequence[ObjectKind]) -> Profile | None:
    changed = profile
    for kind in rejected:
        changed = fall_back(changed, kind) or changed
    return None if changed == profile else changed
