"""``suv4_reviewed``: candidates of SUV >= 4, one look of the lesion network, and the reviewer's decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation.candidates import Candidates, find_candidates
from lymphoma.segmentation.delineation import Candidate, Delineation, Status
from lymphoma.segmentation.describe import Described, describe
from lymphoma.segmentation.pooling import StudyRegions
from lymphoma.segmentation.regions import RegionFeatures
from lymphoma.segmentation.reviewer import Reviewer, status_of

__all__ = ["NEAREST_MM", "Decision", "LesionLooker", "ReviewedSegmenter", "Word", "decide"]

C = TypeVar("C")

NEAREST_MM = 10.0
"""A word spoken of a place outside of every candidate is of the nearest one within this; it may have been said on
another delineation of the same scan."""


@dataclass(frozen=True)
class Word:
    """What a person says of the uptake at a place: LPS in mm, and whether it is a lesion."""

    place_mm: tuple[float, float, float]
    is_lesion: bool


class Pass(Protocol):
    """What one pass of the network gives (:class:`..whole_body.WholeBodyRun`)."""

    @property
    def regions(self) -> tuple[RegionFeatures, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def probability(self) -> npt.NDArray[np.float32]: ...


class LesionLooker(Protocol[C]):
    """The lesion network over a whole body (:class:`..whole_body.LesionNetwork`)."""

    @property
    def digest(self) -> str: ...

    def crop(self, suv: Volume, ct_hu: Volume) -> C: ...

    def run(self, crop: C, regions: Sequence[Volume] = ()) -> Pass: ...


@dataclass(frozen=True)
class Decision:
    """Each candidate judged, in the order given; ``notes`` are of words that met none."""

    judged: tuple[Candidate, ...]
    notes: tuple[str, ...]


def decide(
    candidates: Candidates,
    described: Sequence[Described],
    probability: npt.NDArray[np.float64],
    words: Sequence[Word] = (),
) -> Decision:
    """Status and number of each candidate: by its probability, unless a person has spoken.

    A word is of the candidate that holds its place, or else of the nearest within :data:`NEAREST_MM`. Of two words on
    one candidate the later holds.

    Args:
        described: in the order of the labels. probability: of each.
    """
    statuses: list[Status] = [status_of(float(one)) for one in probability]
    notes = []
    for word in words:
        label = _meant(candidates, word)
        if label is None:
            x, y, z = word.place_mm
            notes.append(f"No candidate lies at ({x:.0f}, {y:.0f}, {z:.0f}) mm, of which a person has spoken.")
        else:
            statuses[label - 1] = "accepted" if word.is_lesion else "rejected"
    taken = [at for at, status in enumerate(statuses) if status != "rejected"]
    # labels already go by descending volume, and so do the lesions
    lesion = {at: number for number, at in enumerate(taken, start=1)}
    judged = tuple(
        Candidate(
            label=one.part.label,
            lesion=lesion.get(at),
            status=statuses[at],
            p_lesion=float(probability[at]),
            organ=one.organ,
            volume_ml=one.part.volume_ml,
            suv_max=one.suv_max,
            hottest_mm=one.hottest_mm,
        )
        for at, one in enumerate(described)
    )
    return Decision(judged, tuple(notes))


@dataclass(frozen=True, eq=False)
class ReviewedSegmenter(Generic[C]):
    """A segmenter (:class:`lymphoma.segmentation.Segmenter`).

    Attributes:
        network: None judges by organs, shape and uptake alone, and pools no features.
        words: a person's, on candidates of this scan.
    """

    reviewer: Reviewer
    network: LesionLooker[C] | None = None
    min_volume_ml: float = 3.0
    words: tuple[Word, ...] = ()
    name: str = "suv4_reviewed"
    connectivity: int = 26
    needs_organs: bool = True

    @property
    def description(self) -> str:
        by = "lesion network, organs, shape and uptake" if self.network is not None else "organs, shape and uptake"
        return (
            f"SUV >= 4.0, components of at least {self.min_volume_ml:g} mL, 26-connected, divided by watershed at "
            f"organs with physiological uptake; each part judged by {by}: p >= 0.7 accepted, p <= 0.3 rejected, "
            "between to be confirmed"
        )

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The lesions; see :class:`lymphoma.segmentation.Segmenter`.

        Raises:
            NotComputable: TOO_MANY_LESIONS; NO_ANATOMY, nothing physiological could be told.
        """
        anatomy.require(*anatomy.names.values())
        candidates = find_candidates(suv, anatomy, self.min_volume_ml)
        if self.network is None:
            told = describe(suv, ct_hu, anatomy, candidates, None)
            return self._drawn(candidates, decide(candidates, told.parts, self.reviewer.probability(told), self.words))
        regions = StudyRegions.of(candidates.labels, anatomy, shipped_classes())
        seen = self.network.run(self.network.crop(suv, ct_hu), regions.volumes)
        told = describe(suv, ct_hu, anatomy, candidates, seen.probability)
        decision = decide(candidates, told.parts, self.reviewer.probability(told), self.words)
        drawn = self._drawn(candidates, decision)
        numbers = {one.label: one.lesion for one in decision.judged if one.lesion is not None}
        return replace(
            drawn,
            probability=suv.with_array(seen.probability),
            pooled=regions.pooled(self.network.digest, seen.regions, drawn.lesion_map, numbers),
            notes=(*seen.notes, *drawn.notes),
        )

    @staticmethod
    def _drawn(candidates: Candidates, decision: Decision) -> Delineation:
        number = np.zeros(len(decision.judged) + 1, dtype=np.uint16)
        for one in decision.judged:
            number[one.label] = one.lesion or 0
        lesion_map = candidates.labels.with_array(number[candidates.labels.array])
        return Delineation(lesion_map, decision.judged, candidates.labels, notes=decision.notes)


def _meant(candidates: Candidates, word: Word) -> int | None:
    """The label of the candidate that a word is of."""
    grid = candidates.labels
    index = np.rint(grid.index_kji(word.place_mm)).astype(int)
    if np.all(index >= 0) and np.all(index < grid.array.shape):
        label = int(grid.array[tuple(index)])
        if label:
            return label
    reach = np.ceil(NEAREST_MM / grid.spacing_mm[::-1]).astype(int) + 1
    box = tuple(
        slice(max(0, a - r), max(0, min(n, a + r + 1))) for a, r, n in zip(index, reach, grid.array.shape, strict=True)
    )
    there = np.argwhere(grid.array[box] > 0)
    if not len(there):
        return None
    voxels = there + [side.start for side in box]
    away_mm = np.linalg.norm(grid.points_mm(voxels) - np.array(word.place_mm), axis=1)
    nearest = int(np.argmin(away_mm))
    return int(grid.array[tuple(voxels[nearest])]) if away_mm[nearest] <= NEAREST_MM else None
