"""A contour that a person corrected: kept in the job's folder, checked against its PET, drawn as lesions.

contour.dcm     the editor's object as it came
contour.json    where it came from: :class:`GivenContourFile`

Both are inputs of a job, as its clinical record is: later revisions take them over, until another contour comes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lymphoma.anatomy import Anatomy
from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions
from lymphoma.segmentation.delineation import Delineation
from pydantic import TypeAdapter

from nodal.dicom.contour import Contour, ContourRegion
from nodal.jobs.workspace import Workspace

__all__ = [
    "CONTOUR_FILE",
    "CONTOUR_NOTE",
    "GivenContourFile",
    "GivenLesions",
    "contour_path",
    "copy_durably",
    "read_note",
    "same_lesions",
    "with_names",
    "write_note",
]

CONTOUR_FILE = "contour.dcm"
CONTOUR_NOTE = "contour.json"

_OUR_LABEL = re.compile(r"L0*(?P<number>[1-9]\d*)( .*)? [0-9.]+ mL(, .*)?")
"""As :func:`nodal.report.seg.segment_label` writes it; structure sets made from our SEG name their structures so."""


@dataclass(frozen=True)
class GivenContourFile:
    """Where a corrected contour came from.

    Attributes:
        digest: canonical digest of the object (:func:`nodal.dicom.digest.canonical_digest`).
        why: why it counts as a correction. by: who sent it, as in the audit trail.
    """

    sop_instance_uid: str
    digest: str
    why: str
    by: str


_NOTE: TypeAdapter[GivenContourFile] = TypeAdapter(GivenContourFile)


def write_note(workspace: Workspace, note: GivenContourFile) -> None:
    """Writes it into a new job's folder, before any of its stages runs."""
    workspace.write_json(CONTOUR_NOTE, asdict(note))


def read_note(workspace: Workspace) -> GivenContourFile | None:
    """The corrected contour that a job is drawn by; None where its segmenter draws."""
    if not workspace.path(CONTOUR_NOTE).exists():
        return None
    return _NOTE.validate_python(workspace.read_json(CONTOUR_NOTE))


def with_names(contour: Contour, known: Mapping[str, int]) -> Contour:
    """The contour with the Tracking UIDs that its editor's program lost but whose lesions its labels still name.

    Args:
        known: Tracking UID -> number of the lesions of earlier revisions.
    """
    of_number = {number: uid for uid, number in known.items()}

    def named(region: ContourRegion) -> ContourRegion:
        label = _OUR_LABEL.fullmatch(region.name.strip())
        uid = None if label is None else of_number.get(int(label["number"]))
        return region if uid is None or region.tracking_uid in known else replace(region, tracking_uid=uid)

    return Contour(contour.labels, tuple(named(region) for region in contour.regions))


@dataclass(frozen=True, eq=False)
class GivenLesions:
    """A contour as a :class:`lymphoma.segmentation.Segmenter` that keeps apart what is known to be apart.

    A region that carries a known Tracking UID is one lesion, whether or not it touches its neighbour or falls into
    parts: its editor left it the lesion's name. All other regions together fall into their 26-connected components.

    Attributes:
        known: Tracking UIDs of the lesions of earlier revisions. source: what the contour is called, for the report.
    """

    contour: Contour
    source: str
    known: frozenset[str] = field(default_factory=frozenset)
    name: str = "reference"
    min_volume_ml: float = 0.0
    connectivity: int = 26
    needs_organs: bool = False

    @property
    def description(self) -> str:
        """What was done with it."""
        if any(region.tracking_uid in self.known for region in self.contour.regions):
            return (
                f"given contour ({self.source}), regions with a known Tracking UID as one lesion each, "
                "26-connected components of the others, no threshold and no volume rule"
            )
        return f"given contour ({self.source}), 26-connected components, no threshold and no volume rule"

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The contour's lesions."""
        return Delineation(self.lesions[0])

    @cached_property
    def lesions(self) -> tuple[Volume, Mapping[int, str]]:
        """The lesion map (uint16, 1..n by descending volume), and the Tracking UID of each label that kept one."""
        labels = self.contour.labels
        kept = {one.label: str(one.tracking_uid) for one in self.contour.regions if one.tracking_uid in self.known}
        names = {uid: place for place, uid in enumerate(dict.fromkeys(kept.values()), start=1)}
        table = np.zeros(int(labels.array.max(initial=0)) + 1, dtype=np.int64)
        for label, uid in kept.items():
            if label < len(table):
                table[label] = names[uid]
        apart = table[labels.array]
        rest = label_lesions((labels.array > 0) & (apart == 0), labels.voxel_volume_ml, 0.0)
        apart[rest > 0] = rest[rest > 0].astype(np.int64) + len(names)
        new = _by_volume(apart)
        tracked = {int(new[place]): uid for uid, place in names.items() if place < len(new) and new[place]}
        return labels.with_array(new[apart]), tracked


def _by_volume(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
    """Table from labels to 1..n by descending volume, 0 for those without a voxel; equals keep their order."""
    voxels = np.bincount(labels.ravel())
    voxels[0] = 0
    order = np.argsort(-voxels, kind="stable")[: int(np.count_nonzero(voxels))]
    new = np.zeros(len(voxels), dtype=np.uint16)
    new[order] = np.arange(1, len(order) + 1)
    return new


def same_lesions(one: Volume, other: Volume) -> bool:
    """Whether two lesion maps on one grid mark the same lesions, whatever their numbers."""
    if one.array.shape != other.array.shape or not ((one.array > 0) == (other.array > 0)).all():
        return False
    marked = one.array > 0
    pairs = set(zip(one.array[marked].tolist(), other.array[marked].tolist(), strict=True))
    return len({first for first, _ in pairs}) == len({second for _, second in pairs}) == len(pairs)


def copy_durably(path: Path, target: Path) -> None:
    """Copies a file whole or not at all, on disk when this returns."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with path.open("rb") as source, part.open("wb") as copy:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())
    part.replace(target)


def contour_path(workspace: Workspace, reference: Path) -> Path:
    """Where a job's reference lies: a relative name is in its own folder."""
    return workspace.root / reference
