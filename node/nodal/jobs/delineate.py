"""The segment stage: organs, the range of the scan, lesions, and the features that systems read of them.

organs.nrrd organs.json     the organ map and the names of its labels
lesions.nrrd judged.json    the lesion map; every candidate with its probability, where they are judged
crop.safetensors            the body as the lesion network sees it        } where a lesion network is installed:
pooled.safetensors          features of lesions and organs                } a changed contour is pooled from these
tracked.json                of a given contour: labels whose lesions its editor named
segmentation.json           how it was made
tools.json                  digest of what it was made with
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from lymphoma.anatomy import AnatomyEngine, GivenAnatomy
from lymphoma.imaging import Volume
from lymphoma.inference.device import Device
from lymphoma.prognosis.pooled import FeaturePooler, PooledFeatures
from lymphoma.segmentation import reviewed
from lymphoma.segmentation.pooling import StudyPooler
from lymphoma.segmentation.way import Delineated, delineate
from lymphoma.segmentation.working_crop import WorkingCrop

from nodal.findings import Segmentation
from nodal.jobs.identity import write_tracked
from nodal.jobs.images import anatomy_of, volumes_of
from nodal.jobs.records import JudgedCandidate, Loaded
from nodal.jobs.reference import Reference, read_reference
from nodal.jobs.tools import NodeTools, open_tools
from nodal.jobs.words import Word, decided_by, read_words, words_used
from nodal.jobs.workspace import Workspace
from nodal.prognosis.shelf import Shelf
from nodal.settings import Settings

__all__ = ["pooler_of", "segment", "tools_of"]

CROP, POOLED, TOOLS = "crop.safetensors", "pooled.safetensors", "tools.json"


def tools_of(
    workspace: Workspace, settings: Settings, shelf: Shelf, anatomy: AnatomyEngine | None, device: Device
) -> NodeTools:
    """What a job is delineated with.

    Args:
        anatomy: an organ map made elsewhere; None takes the engine of the settings.
    """
    words = tuple(reviewed.Word(one.hottest_mm, one.is_lesion) for one in read_words(workspace))
    return open_tools(settings, shelf, anatomy=anatomy, device=device, words=words)


def segment(workspace: Workspace, tools: NodeTools) -> None:
    """Delineates the study of a job and writes the files above."""
    suv, ct_hu = volumes_of(workspace)
    request, loaded, words = workspace.request(), Loaded.read(workspace), read_words(workspace)
    given = None if request.reference is None else read_reference(workspace, request.reference, suv)
    asked = tools.tools
    if given is not None:
        organs = _taken_over(workspace, tools)
        asked = replace(asked, drawn_by=given.lesions, plain=given.lesions, anatomy=organs or asked.anatomy)
        write_tracked(workspace, given.lesions.lesions[1])
    done = delineate(suv, ct_hu, asked, loaded.uptake_minutes, loaded.ct_registration.verdict)
    if done.anatomy.organs is not None:
        done.anatomy.organs.save(workspace.path("organs.nrrd"))
    workspace.write_json("organs.json", {"engine": done.anatomy.engine, "names": dict(done.anatomy.names)})
    done.delineation.lesion_map.save(workspace.path("lesions.nrrd"))
    workspace.write_json("judged.json", [asdict(one) for one in _judged(done, words)])
    if tools.network is not None and not workspace.path(CROP).exists():
        tools.network.crop(suv, ct_hu).save(workspace.path(CROP))
    if done.delineation.pooled is not None:
        done.delineation.pooled.save(workspace.path(POOLED))
    workspace.write_json("segmentation.json", asdict(_made(done, tools, given, words)))
    workspace.write_json(TOOLS, tools.content)


def pooler_of(workspace: Workspace, tools: NodeTools, grid: Volume) -> FeaturePooler | None:
    """Of what the segment stage left; None where no lesion network is installed."""
    if tools.network is None or not workspace.path(CROP).exists():
        return None
    known = PooledFeatures.load(workspace.path(POOLED)) if workspace.path(POOLED).exists() else None
    crop, anatomy = WorkingCrop.load(workspace.path(CROP)), anatomy_of(workspace, grid)
    return StudyPooler(tools.network, crop, anatomy, known)


def _taken_over(workspace: Workspace, tools: NodeTools) -> AnatomyEngine | None:
    """Organs, crop and features of the job that this one replaces, where the same tools made them.

    A corrected contour changes none of them, so that only the windows it touches are looked at again.
    """
    earlier = workspace.request().predecessor
    older = None if earlier is None else Workspace(workspace.root.parent / earlier)
    if older is None or not older.path(TOOLS).exists() or older.read_json(TOOLS) != tools.content:
        return None
    for name in (CROP, POOLED):
        if older.path(name).exists() and not workspace.path(name).exists():
            workspace.path(name).hardlink_to(older.path(name))
    if not older.path("organs.nrrd").exists():
        return None
    known = older.read_json("organs.json")
    names = {int(label): name for label, name in known["names"].items()}
    return GivenAnatomy(Volume.load(older.path("organs.nrrd")), names, known["engine"])


def _judged(done: Delineated, words: Sequence[Word]) -> tuple[JudgedCandidate, ...]:
    return tuple(
        JudgedCandidate(
            one.lesion,
            one.status,
            one.p_lesion,
            one.organ,
            one.volume_ml,
            one.suv_max,
            one.hottest_mm,
            decided_by(words, one.hottest_mm, is_lesion=one.lesion is not None),
        )
        for one in done.delineation.judged
    )


def _made(done: Delineated, tools: NodeTools, given: Reference | None, words: Sequence[Word]) -> Segmentation:
    drawn_by, verdict = done.drawn_by, done.verdict
    judged = bool(done.delineation.judged)
    return Segmentation(
        drawn_by.name,
        drawn_by.description,
        drawn_by.min_volume_ml,
        drawn_by.connectivity,
        reference_sop_instance_uid=given.sop_instance_uid if given else None,
        reference_sop_class_uid=given.sop_class_uid if given else None,
        reference_series_instance_uid=given.series_instance_uid if given else None,
        reference_instant=given.instant if given else None,
        anatomy_engine=done.anatomy.engine,
        evidence=tools.evidence if judged else None,
        in_range=verdict.range if verdict else None,
        in_range_features=verdict.features if verdict else (),
        words=words_used(words) if judged else None,
        notes=(*done.anatomy.notes, *done.delineation.notes),
    )
