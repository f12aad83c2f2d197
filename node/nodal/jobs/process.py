"""The whole way of a study on a folder of files, without a server: ``nodal process``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from lymphoma.anatomy import AnatomyEngine
from lymphoma.inference.device import Device
from pydicom import dcmread

from nodal.audit import Trail
from nodal.clinical.file import statements_beside
from nodal.clinical.statements import PatientStatements
from nodal.errors import WrongUsage
from nodal.findings import Findings, from_json
from nodal.jobs.clinical import freeze
from nodal.jobs.model import JobRequest, Stage, StudySource
from nodal.jobs.results import ResultStore, objects_from_json
from nodal.jobs.stages import StageContext, examine, run_stage
from nodal.jobs.workspace import Workspace
from nodal.settings import Settings

__all__ = ["process_folder"]

FILE_NAMES = {
    "seg": "seg.dcm",
    "sr": "sr.dcm",
    "pdf": "report.dcm",
    "summary": "summary.dcm",
    "rotating_mip": "rotation.dcm",
    "rtstruct": "rtstruct.dcm",
    "key_images": "key-images.dcm",
    "fhir": "report.fhir.json",
}
OUTLINES = "outlines"
"""Folder of the presentation states, one file for each slice."""
STAGES: Sequence[Stage] = tuple(stage for stage in Stage if stage is not Stage.DELIVER)


def process_folder(
    study: Path,
    out: Path,
    settings: Settings,
    *,
    clinical: PatientStatements | None = None,
    systems: tuple[str, ...] | None = None,
    reference: Path | None = None,
    anatomy: AnatomyEngine | None = None,
    device: Device = "auto",
    allow_partial: bool = False,
    progress: Callable[[Stage], None] = lambda stage: None,
) -> Findings:
    """Runs every stage up to encode on the DICOM files below ``study`` and writes the results into ``out``.

    Writes ``findings.json``, ``sr.dcm``, ``report.dcm``, ``report.pdf``, ``summary.dcm`` and, when there is a lesion,
    ``seg.dcm``; with ``results`` in the settings also what is asked for there: ``rotation.dcm``,
    ``rtstruct.dcm``, ``key-images.dcm``, the folder ``outlines`` and ``report.fhir.json``.

    Args:
        clinical: what is known of the patient; without it a ``clinical.json``, ``.yaml`` or ``.yml`` in the study's
            folder is read. Either is joined to what the header says.
        reference: a SEG, RTSTRUCT or NIfTI contour that stands in for the segmenter.
        anatomy: organ engine in place of that of the settings. device: of all networks.
        progress: called with each stage before it runs.

    Raises:
        Refused: the study is unusable. WrongUsage: a path that is not there; a file beside the study that
            is no clinical record, or several.
    """
    if not study.is_dir():
        raise WrongUsage(f"{study} is not a folder")
    if reference is not None and not reference.is_file():
        raise WrongUsage(f"{reference} is not a file")
    known = clinical or statements_beside(study) or PatientStatements("")
    own = settings.model_copy(update={"destinations": ()})
    with tempfile.TemporaryDirectory(prefix="nodal-process-") as name:
        scratch = Path(name)
        workspace = Workspace(scratch / "job")
        workspace.root.mkdir()
        workspace.source.symlink_to(study.resolve(), target_is_directory=True)
        store = ResultStore(scratch / "results")
        context = StageContext(own, Trail(scratch / "audit"), store, anatomy, device)
        freeze(workspace, known)
        examined = examine(workspace.source, context, known)
        workspace.save_request(
            JobRequest(
                job_id=f"{examined.digest[:32]}-r0",
                digest=examined.digest,
                revision=0,
                cause="intake",
                study_instance_uid=examined.selection.study_instance_uid,
                source=StudySource("folder", study),
                reference=reference.resolve() if reference else None,
                systems=systems,
                allow_partial=allow_partial,
            )
        )
        for stage in STAGES:
            progress(stage)
            run_stage(stage, workspace, context)
        return _write_results(workspace, store, out)


def _write_results(workspace: Workspace, store: ResultStore, out: Path) -> Findings:
    out.mkdir(parents=True, exist_ok=True)
    for name in FILE_NAMES.values():
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / OUTLINES, ignore_errors=True)
    for entry in objects_from_json(workspace.read_json("objects.json")):
        data = store.path(entry.sha256).read_bytes()
        if entry.kind == "outlines":
            (out / OUTLINES).mkdir(exist_ok=True)
            (out / OUTLINES / f"{entry.sop_instance_uid}.dcm").write_bytes(data)
        elif entry.kind in FILE_NAMES:
            (out / FILE_NAMES[entry.kind]).write_bytes(data)
        if entry.kind == "pdf":
            (out / "report.pdf").write_bytes(pdf_of(data))
    (out / "findings.json").write_bytes(workspace.path("findings.json").read_bytes())
    return from_json(out / "findings.json")


def pdf_of(part10: bytes) -> bytes:
    """The PDF inside an encapsulated PDF object, without DICOM's padding byte."""
    dataset = dcmread(BytesIO(part10))
    document: bytes = dataset.EncapsulatedDocument
    return document[: dataset.get("EncapsulatedDocumentLength", len(document))]
