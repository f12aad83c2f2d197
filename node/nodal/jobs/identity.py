"""A lesion keeps its number and its Tracking UID from revision to revision, by best overlap.

identities.json     Tracking UID -> number of every lesion that this study ever had
tracked.json        label in the lesion map -> Tracking UID, of a contour whose editor kept it

The labels of ``lesions.nrrd`` stay 1..n; what is shown is the number. A lesion that went keeps its number too: it is
given to no other, and comes back with the lesion where a contour names it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from lymphoma.imaging import Volume
from lymphoma.imaging.resample import resample_like

from nodal.findings import Lesion
from nodal.jobs.records import Measured
from nodal.jobs.workspace import Workspace
from nodal.report.uids import tracking_uid

__all__ = [
    "Earlier",
    "carry_on",
    "earlier_of",
    "known_lesions",
    "numbered",
    "read_tracked",
    "write_identities",
    "write_tracked",
]

IDENTITIES, TRACKED = "identities.json", "tracked.json"


@dataclass(frozen=True, eq=False)
class Earlier:
    """The lesions before this revision.

    Attributes:
        lesion_map: labels as in ``lesions``' segment numbers. known: Tracking UID -> number, of all there ever were.
    """

    lesion_map: Volume
    lesions: tuple[Lesion, ...]
    known: Mapping[str, int]


def earlier_of(workspace: Workspace) -> Earlier | None:
    """Of the nearest predecessor whose lesions were measured; None where there is none."""
    before = workspace.request().predecessor
    while before is not None:
        older = Workspace(workspace.root.parent / before)
        if older.path("measured.json").exists() and older.path("lesions.nrrd").exists():
            lesions = Measured.read(older).lesions
            known = known_lesions(older)
            of_these = {lesion.tracking_uid: lesion.number for lesion in lesions}
            return Earlier(Volume.load(older.path("lesions.nrrd")), lesions, {**known, **of_these})
        before = older.request().predecessor if older.path("request.json").exists() else None
    return None


def known_lesions(workspace: Workspace) -> dict[str, int]:
    """Tracking UID -> number of every lesion that the study has had up to this job; nothing before it has measured."""
    known: dict[str, int] = workspace.read_json(IDENTITIES) if workspace.path(IDENTITIES).exists() else {}
    return known


def write_tracked(workspace: Workspace, tracked: Mapping[int, str]) -> None:
    """Notes which labels of the lesion map an editor left their Tracking UIDs."""
    workspace.write_json(TRACKED, {str(label): uid for label, uid in tracked.items()})


def read_tracked(workspace: Workspace) -> dict[int, str]:
    """Label -> Tracking UID; nothing where no contour was given."""
    if not workspace.path(TRACKED).exists():
        return {}
    return {int(label): str(uid) for label, uid in workspace.read_json(TRACKED).items()}


def write_identities(workspace: Workspace, lesions: tuple[Lesion, ...], earlier: Earlier | None) -> None:
    """Notes every lesion that the study ever had, these included."""
    known = dict(earlier.known) if earlier else {}
    workspace.write_json(IDENTITIES, known | {lesion.tracking_uid: lesion.number for lesion in lesions})


def carry_on(
    lesions: tuple[Lesion, ...],
    lesion_map: Volume,
    earlier: Earlier | None,
    tracked: Mapping[int, str],
    *,
    digest: str,
    lesion_map_sha256: str,
) -> tuple[Lesion, ...]:
    """The lesions with the numbers and Tracking UIDs that they had before, by ascending number.

    First what an editor named by its Tracking UID, then the pairs that share most voxels, each lesion once: of a lesion
    that was split the larger part keeps its name, and two that were merged go by the one of which more is left in it.
    A lesion that shares nothing gets the number after the highest that was ever given.

    Args:
        lesions: as measured, numbered by their labels. lesion_map: of these. tracked: see :func:`read_tracked`.
        digest: of the study. lesion_map_sha256: of ``lesion_map``; both are part of a new Tracking UID.
    """
    if earlier is None:
        return lesions
    names: dict[int, str] = {}
    labels = {lesion.segment_number for lesion in lesions}
    for label, uid in tracked.items():
        if label in labels and uid in earlier.known and uid not in names.values():
            names[label] = uid
    for label, uid in _by_overlap(lesion_map, earlier):
        if label in labels and label not in names and uid not in names.values():
            names[label] = uid
    following = max(earlier.known.values(), default=0) + 1
    carried = []
    for lesion in sorted(lesions, key=lambda one: one.segment_number):
        known = names.get(lesion.segment_number)
        if known is None:
            new = tracking_uid(digest, lesion_map_sha256, following)
            carried.append(replace(lesion, number=following, tracking_uid=new))
            following += 1
        else:
            carried.append(replace(lesion, number=earlier.known[known], tracking_uid=known))
    return tuple(sorted(carried, key=lambda one: one.number))


def _by_overlap(lesion_map: Volume, earlier: Earlier) -> list[tuple[int, str]]:
    """(label now, Tracking UID before) of all pairs that share a voxel, most shared first, then the lower number."""
    older = earlier.lesion_map
    if not older.same_grid(lesion_map):
        older = resample_like(older, lesion_map, fill=0.0, interpolation="nearest")
    both = (lesion_map.array > 0) & (older.array > 0)
    pairs = np.stack([lesion_map.array[both], older.array[both]], axis=1).astype(np.int64)
    found, shared = np.unique(pairs, axis=0, return_counts=True)
    before = {lesion.segment_number: lesion for lesion in earlier.lesions}
    ranked = sorted(
        (-int(voxels), before[int(was)].number, int(now), before[int(was)].tracking_uid)
        for (now, was), voxels in zip(found, shared, strict=True)
        if int(was) in before
    )
    return [(now, uid) for _, _, now, uid in ranked]


def numbered(lesion_map: Volume, lesions: tuple[Lesion, ...]) -> Volume:
    """The lesion map with the lesions' numbers in place of its labels 1..n."""
    table = np.zeros(int(lesion_map.array.max(initial=0)) + 1, dtype=np.uint16)
    for lesion in lesions:
        table[lesion.segment_number] = lesion.number
    return lesion_map.with_array(table[lesion_map.array])
