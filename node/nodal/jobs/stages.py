"""The stages of a study, from its files to its result objects; ``nodal process`` and the durable job call the same.

    select -> load -> segment -> anatomy -> prognosis -> encode          (deliver is the engine's)

Each stage reads what the one before left in the workspace, writes its own files whole or not at all, and may be run
again without harm.

    select      selection.json                              PET and CT chosen, every other series with its reason
    load        pet_suv.nrrd ct_hu.nrrd loaded.json         SUV on the PET grid, CT moved and resampled onto it
    segment     organs.nrrd lesions.nrrd segmentation.json  the voxel maps (:mod:`nodal.jobs.delineate`)
    anatomy     measured.json identities.json               lesions measured, placed and named, coverage, quality
    prognosis   findings.json                               everything computed
    encode      objects.json                                result objects, their bytes in the store
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog
from lymphoma.anatomy import AnatomyEngine
from lymphoma.errors import NotComputable
from lymphoma.imaging import Volume
from lymphoma.imaging.registration import apply, register_ct
from lymphoma.inference.device import Device
from lymphoma.prognosis.system import StudyArrays
from lymphoma.segmentation.pooling import lesion_map_sha256
from pydantic import TypeAdapter

from nodal.audit import Trail
from nodal.clinical.statements import PatientStatements
from nodal.dicom.digest import study_digest
from nodal.dicom.patient import patient_key
from nodal.dicom.series import load_ct, load_pet, read_study
from nodal.errors import Code, Failed, NodalError, Refused
from nodal.findings import Segmentation, from_json, to_json
from nodal.intake.selection import select
from nodal.jobs import assemble
from nodal.jobs.clinical import frozen, known_now, record_of_study
from nodal.jobs.delineate import pooler_of, segment, tools_of
from nodal.jobs.identity import carry_on, earlier_of, numbered, read_tracked, write_identities
from nodal.jobs.images import anatomy_of, header_of, headers_of, lesion_map_of, volumes_of
from nodal.jobs.model import Stage
from nodal.jobs.records import ChosenSeries, JudgedCandidate, Loaded, Measured, SelectionRecord
from nodal.jobs.results import OWN_ORTHANC, ResultStore, objects_from_json, objects_to_json, targets
from nodal.jobs.review import read_review, reviewed
from nodal.jobs.tools import NodeTools
from nodal.jobs.workspace import Workspace
from nodal.prognosis.shelf import Shelf, open_shelf
from nodal.prognosis.study import Asked, pet_measures, prognose
from nodal.report.build import build
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.settings import Settings
from nodal.study import Selection, SeriesFiles, StudyFiles

__all__ = ["Examined", "StageContext", "examine", "patient_key", "report_inputs", "run_stage"]

log = structlog.get_logger()

AIR_HU = -1024.0

NODES_OWN = frozenset(
    (
        *(Code.ENGINE_MISSING, Code.ENGINE_TIMEOUT, Code.ENGINE_FAILED, Code.ENGINE_MODEL, Code.ENGINE_OUTPUT),
        *(Code.NOT_INSTALLED, Code.DEVICE_UNFIT),
    )
)
"""What is wrong with the node, not with the study: the job fails, and may be run again when that is mended."""


def _none_known(patient_key: str, study_date: str, study_instance_uid: str) -> str | None:
    """Where no registry is at hand, no earlier PET/CT is known."""
    return None


@dataclass(frozen=True)
class StageContext:
    """What stages need of the node.

    Attributes:
        store: where finished result objects are kept.
        anatomy: finds the organs; None takes the engine of the settings. device: of all networks.
        earlier_pet_ct: (patient key, study date, study UID) -> date of an earlier PET/CT this node has seen.
        clinical_of: patient key -> what the registry knows of the patient.
    """

    settings: Settings
    trail: Trail
    store: ResultStore
    anatomy: AnatomyEngine | None = None
    device: Device = "auto"
    earlier_pet_ct: Callable[[str, str, str], str | None] = _none_known
    clinical_of: Callable[[str], PatientStatements] = PatientStatements


def run_stage(stage: Stage, workspace: Workspace, context: StageContext) -> None:
    """Runs one stage, timed and in the audit trail.

    Raises:
        Refused: the study is unusable. NodalError: anything else that went wrong.
    """
    request = workspace.request()
    record = partial(context.trail.record, job_id=request.job_id, study_instance_uid=request.study_instance_uid)
    begun = time.perf_counter()
    try:
        _STAGES[stage](workspace, context)
    except NotComputable as error:
        if error.code in NODES_OWN:
            record(f"{stage}_failed", outcome="failed", code=error.code, sentence=error.reason)
            raise Failed(Code(error.code), error.reason) from error
        record(f"{stage}_refused", outcome="refused", code=error.code, sentence=error.reason)
        raise Refused(Code(error.code), error.reason) from error
    except Refused as error:
        record(f"{stage}_refused", outcome="refused", code=error.code, sentence=error.message)
        raise
    except NodalError as error:
        record(f"{stage}_failed", outcome="failed", code=error.code, sentence=error.message)
        raise
    seconds = round(time.perf_counter() - begun, 3)
    _note_seconds(workspace, stage, seconds)
    record(f"{stage}_done", seconds=seconds)
    log.info("stage done", stage=str(stage), job_id=request.job_id, seconds=seconds)


def _note_seconds(workspace: Workspace, stage: Stage, seconds: float) -> None:
    known = workspace.read_json("seconds.json") if workspace.path("seconds.json").exists() else {}
    spent = {**known, str(stage): seconds}
    workspace.write_json("seconds.json", spent)
    if stage is Stage.ENCODE:
        findings = from_json(workspace.path("findings.json"))
        complete = replace(findings, provenance=replace(findings.provenance, stage_seconds=spent))
        workspace.write_text("findings.json", to_json(complete))


@dataclass(frozen=True, eq=False)
class Examined:
    """A study looked at before it is a job: its files, what was chosen, and the digest of what was chosen."""

    study: StudyFiles
    selection: Selection
    digest: str


def choose(folder: Path, context: StageContext, clinical: PatientStatements | None) -> tuple[StudyFiles, Selection]:
    """Reads a study folder and chooses PET and CT.

    Args:
        clinical: what is known of the patient; None asks the registry, and a file beside the study.

    Raises:
        Refused: nothing in it can be used.
    """
    study = read_study(folder)
    first = study.series[0].headers[0]
    key = patient_key(first)
    known = known_now(context.clinical_of(key), folder) if clinical is None else clinical
    earlier = context.earlier_pet_ct(key, str(first.get("StudyDate", "")), study.study_instance_uid)
    record = record_of_study(known, first)
    return study, select(study, settings=context.settings, clinical=record, earlier_pet_ct_date=earlier)


def examine(folder: Path, context: StageContext, clinical: PatientStatements | None = None) -> Examined:
    """As :func:`choose`, with the digest that names the job."""
    study, selection = choose(folder, context, clinical)
    return Examined(study, selection, study_digest(selection))


def _select(workspace: Workspace, context: StageContext) -> None:
    study, selection = choose(workspace.source, context, frozen(workspace))
    workspace.write_json("started.json", datetime.now(UTC).isoformat(timespec="seconds"))
    record = SelectionRecord.of(selection, study.unreadable, workspace.source)
    workspace.write_json("selection.json", asdict(record))


def _series(workspace: Workspace, chosen: ChosenSeries) -> SeriesFiles:
    paths = tuple(workspace.source / name for name in chosen.files)
    headers = tuple(header_of(path) for path in paths)
    return SeriesFiles(chosen.series_instance_uid, str(headers[0].Modality), paths, headers)


def _load(workspace: Workspace, context: StageContext) -> None:
    record = SelectionRecord.read(workspace)
    pet_series, ct_series = _series(workspace, record.pet), _series(workspace, record.ct)
    pet = load_pet(pet_series, assume_bw=context.settings.suv.assume_bw)
    ct = load_ct(ct_series)
    pet.volume.save(workspace.path("pet_suv.nrrd"))
    registration = register_ct(pet.volume, ct.volume)
    apply(ct.volume, pet.volume, registration, fill=AIR_HU).save(workspace.path("ct_hu.nrrd"))
    files = {
        str(header.SOPInstanceUID): name
        for series, chosen in ((pet_series, record.pet), (ct_series, record.ct))
        for header, name in zip(series.headers, chosen.files, strict=True)
    }
    workspace.write_json("loaded.json", asdict(Loaded.of(pet, ct, registration, files)))


def _tools(workspace: Workspace, context: StageContext, shelf: Shelf) -> NodeTools:
    return tools_of(workspace, context.settings, shelf, context.anatomy, context.device)


def _segment(workspace: Workspace, context: StageContext) -> None:
    segment(workspace, _tools(workspace, context, open_shelf(context.settings)))


def _anatomy(workspace: Workspace, context: StageContext) -> None:
    suv, ct_hu = volumes_of(workspace)
    lesion_map = lesion_map_of(workspace, suv)
    loaded = Loaded.read(workspace)
    measured = assemble.measure(
        suv,
        ct_hu,
        lesion_map,
        anatomy_of(workspace, suv),
        loaded,
        header_of(workspace.source / loaded.pet_files[0]),
        digest=workspace.request().digest,
        lesion_map_sha256=lesion_map_sha256(lesion_map),
        judged=JudgedCandidate.read(workspace),
        allow_partial=workspace.request().allow_partial,
        without_physiological=_made(workspace).without_physiological,
    )
    earlier, sha256 = earlier_of(workspace), lesion_map_sha256(lesion_map)
    tracked, digest = read_tracked(workspace), workspace.request().digest
    carried = carry_on(measured.lesions, lesion_map, earlier, tracked, digest=digest, lesion_map_sha256=sha256)
    write_identities(workspace, carried, earlier)
    workspace.write_json("measured.json", asdict(replace(measured, lesions=carried)))


def _made(workspace: Workspace) -> Segmentation:
    return TypeAdapter(Segmentation).validate_python(workspace.read_json("segmentation.json"))


def settings_digest(workspace: Workspace, settings: Settings, tools: NodeTools) -> str:
    """Hex SHA-256 of the settings that alter output, with the request's own, and of the tools they stand for."""
    request = workspace.request()
    altering = {
        "segmentation": settings.segmentation.model_dump(mode="json"),
        "tools": tools.content,
        "suv": settings.suv.model_dump(mode="json"),
        "evidence": settings.evidence.model_dump(mode="json"),
        "baseline": settings.baseline.model_dump(mode="json"),
        "systems": request.systems or settings.systems,
        "allow_partial": request.allow_partial,
    }
    return hashlib.sha256(json.dumps(altering, sort_keys=True).encode()).hexdigest()


def _prognosis(workspace: Workspace, context: StageContext) -> None:
    suv = Volume.load(workspace.path("pet_suv.nrrd"))
    loaded = Loaded.read(workspace)
    made = _made(workspace)
    selection, measured = SelectionRecord.read(workspace), Measured.read(workspace)
    header = header_of(workspace.source / loaded.pet_files[0])
    record = record_of_study(frozen(workspace) or PatientStatements(""), header)
    request, settings = workspace.request(), context.settings
    shelf = open_shelf(settings)
    tools = _tools(workspace, context, shelf)
    asked = Asked(
        clinical=record,
        totals=measured.totals,
        segmentation=made,
        virtual=selection.virtual,
        systems=request.systems or settings.systems,
        allow_partial=request.allow_partial,
        show_simulated=settings.evidence.show_simulated,
    )
    findings = assemble.findings(
        selection=selection,
        loaded=loaded,
        measured=measured,
        segmentation=made,
        prognosis=prognose(asked, shelf, lambda: _study_arrays(workspace, asked, measured, tools)),
        clinical=record,
        header=header,
        lesion_map_sha256=lesion_map_sha256(lesion_map_of(workspace, suv)),
        settings_sha256=settings_digest(workspace, settings, tools),
        tools=tools,
        started=workspace.read_json("started.json"),
        stage_seconds=workspace.read_json("seconds.json"),
        predecessor_sr_uid=_replaced_sr_uid(workspace, OWN_ORTHANC),
    )
    workspace.write_text("findings.json", to_json(findings))


def _study_arrays(workspace: Workspace, asked: Asked, measured: Measured, tools: NodeTools) -> StudyArrays:
    suv, ct_hu = volumes_of(workspace)
    return StudyArrays(
        suv,
        ct_hu,
        lesion_map_of(workspace, suv),
        anatomy_of(workspace, suv),
        asked.clinical,
        pet_measures(asked.totals),
        pooler_of(workspace, tools, suv),
        tuple(sorted(lesion.segment_number for lesion in measured.lesions if lesion.status == "accepted")),
    )


def _replaced_sr_uid(workspace: Workspace, destination: str) -> str | None:
    """The SR that the nearest predecessor made for a destination."""
    earlier = workspace.request().predecessor
    while earlier is not None:
        older = Workspace(workspace.root.parent / earlier)
        if older.path("objects.json").exists():
            objects = objects_from_json(older.read_json("objects.json"))
            return next((o.sop_instance_uid for o in objects if (o.target, o.kind) == (destination, "sr")), None)
        earlier = older.request().predecessor if older.path("request.json").exists() else None
    return None


def report_inputs(workspace: Workspace, destination: str) -> ReportInputs:
    """What the result objects of this job are made from; each destination's SR names the one it replaces there."""
    findings = from_json(workspace.path("findings.json"))
    suv = Volume.load(workspace.path("pet_suv.nrrd"))
    loaded = Loaded.read(workspace)
    return ReportInputs(
        replace(findings, predecessor_sr_uid=_replaced_sr_uid(workspace, destination)),
        suv,
        numbered(lesion_map_of(workspace, suv), findings.lesions),
        headers_of(workspace, loaded.pet_files),
        headers_of(workspace, loaded.ct_files),
    )


def _with_review(workspace: Workspace) -> None:
    """Enters who accepted the results; a job that a review has begun takes its findings over from the one before."""
    review, findings = read_review(workspace), from_json(workspace.path("findings.json"))
    if review is not None and findings.review != review:
        replaced = _replaced_sr_uid(workspace, OWN_ORTHANC)
        complete = replace(reviewed(findings, review), predecessor_sr_uid=replaced)
        workspace.write_text("findings.json", to_json(complete))


def _encode(workspace: Workspace, context: StageContext) -> None:
    _with_review(workspace)
    inputs = report_inputs(workspace, OWN_ORTHANC)
    built: dict[tuple[Target, str | None], tuple[ResultObject, ...]] = {}
    stored = []
    for name, target in targets(context.settings).items():
        replaced = _replaced_sr_uid(workspace, name)
        if (target, replaced) not in built:
            findings = replace(inputs.findings, predecessor_sr_uid=replaced)
            built[target, replaced] = build(replace(inputs, findings=findings), target)
        stored += [context.store.put(result, name) for result in built[target, replaced]]
    workspace.write_json("objects.json", objects_to_json(stored))


_STAGES: dict[Stage, Callable[[Workspace, StageContext], None]] = {
    Stage.SELECT: _select,
    Stage.LOAD: _load,
    Stage.SEGMENT: _segment,
    Stage.ANATOMY: _anatomy,
    Stage.PROGNOSIS: _prognosis,
    Stage.ENCODE: _encode,
}
