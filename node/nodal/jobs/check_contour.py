"""Whether a contour was drawn on the images of a job, and would change its lesions: asked before it takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lymphoma.imaging import Volume
from pydicom import Dataset

from nodal.dicom.contour import read_regions
from nodal.dicom.contour_header import ContourHeader, read_contour_header
from nodal.dicom.digest import canonical_digest
from nodal.dicom.series import LoadedSeries
from nodal.errors import Code, Refused
from nodal.findings import Findings, from_json
from nodal.jobs.given import GivenContourFile, GivenLesions, same_lesions, with_names
from nodal.jobs.identity import known_lesions
from nodal.jobs.records import Loaded
from nodal.jobs.results import objects_from_json
from nodal.jobs.workspace import Workspace
from nodal.report.uids import series_uid

__all__ = ["check_contour", "given_by_hand"]


def check_contour(workspace: Workspace, path: Path, *, may_be_empty: bool) -> bool:
    """Reads a contour on the grid of a job's lesion map, without the images: they may be gone from its folder by now.

    Args:
        workspace: of a job that has results. may_be_empty: a contour that marks nothing says that there is no lesion.

    Returns:
        False where the contour marks just the lesions of the job, all of which count: nothing would change.

    Raises:
        Refused: CONTOUR_OTHER_IMAGE, CONTOUR_EMPTY, CONTOUR_UNREADABLE.
    """
    header = read_contour_header(path)
    if header is None:
        raise _no_contour()
    findings = from_json(workspace.path("findings.json"))
    if not _drawn_on(header, workspace, findings):
        raise Refused(Code.CONTOUR_OTHER_IMAGE, "the contour refers to other series than the PET and CT of this job")
    lesion_map = Volume.load(workspace.path("lesions.nrrd"))
    contour = read_regions(
        path,
        LoadedSeries(lesion_map, (_pet_header(workspace),)),
        study_instance_uid=findings.study_instance_uid,
        may_be_empty=may_be_empty,
    )
    known = known_lesions(workspace)
    drawn, _ = GivenLesions(with_names(contour, known), "", frozenset(known)).lesions
    counted = all(lesion.status == "accepted" for lesion in findings.lesions)
    return not (counted and same_lesions(drawn, lesion_map))


def given_by_hand(path: Path, by: str) -> GivenContourFile:
    """The note on a contour that was checked and is handed in by a person.

    Raises:
        Refused: CONTOUR_UNREADABLE.
    """
    header = read_contour_header(path)
    if header is None:
        raise _no_contour()
    return GivenContourFile(header.sop_instance_uid, canonical_digest(path), "handed in by a person", by)


def _no_contour() -> Refused:
    sentence = "the file is no Segmentation and no RT Structure Set that can be read"
    return Refused(Code.CONTOUR_UNREADABLE, sentence)


def _drawn_on(header: ContourHeader, workspace: Workspace, findings: Findings) -> bool:
    """Whether it refers to the PET, the CT or any revision's results; one that names no series goes by its frame."""
    measured = {findings.pet_series_instance_uid, findings.ct_series_instance_uid}
    return not header.referenced_series or bool(header.referenced_series & (measured | set(_own_series(workspace))))


def _own_series(workspace: Workspace) -> Iterator[str]:
    """Series of the results of a job and of those that it replaced."""
    before: Workspace | None = workspace
    while before is not None and before.path("request.json").exists():
        if before.path("objects.json").exists():
            yield from (series_uid(one.sop_instance_uid) for one in objects_from_json(before.read_json("objects.json")))
        earlier = before.request().predecessor
        before = None if earlier is None else Workspace(before.root.parent / earlier)


def _pet_header(workspace: Workspace) -> Dataset:
    """What of the PET's header a contour is held to: its frame of reference."""
    header = Dataset()
    header.FrameOfReferenceUID = Loaded.read(workspace).frame_of_reference_uid
    return header
