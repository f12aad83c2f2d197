"""``suv4_reviewed``: candidates of SUV >= 4, one look of the lesion network, and the reviewer's decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.segmentation.candidates import Candidates, find_candidates
from lymphoma.segmentation.delineation import Candidate, Delineation, Status
from lymphoma.segmentation.describe import Described, describe
from lymphoma.segmentation.reviewer import Reviewer, status_of

__all__ = ["NEAREST_MM", "Decision", "LesionLooker", "ReviewedSegmenter", "Word", "decide"]

C = TypeVar("C")
Ints = npt.NDArray[np.int64]

NEAREST_MM = 10.0
"""A word spoken of a place outside of every candidate is of the nearest one within this; it may have been said on
another delineation of the same scan."""


@dataclass(frozen=True)
class Word:
    """What a person says of the uptake at a place: LPS in mm, and whether it is a lesion."""

    place_mm: tuple[float, float, float]
    is_lesion: bool


class Region(Protocol):
    """Pooled features of the labels of one map; row r is label r + 1 (:class:`..regions.RegionFeatures`)."""

    @property
    def means(self) -> npt.NDArray[np.float64]: ...

    @property
    def voxels(self) -> Ints: ...

    @property
    def present(self) -> npt.NDArray[np.bool_]: ...


class Pass(Protocol):
    """What one pass of the network gives (:class:`..whole_body.WholeBodyRun`)."""

    @property
    def regions(self) -> Sequence[Region]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def probability(self) -> npt.NDArray[np.float32]: ...


class LesionLooker(Protocol[C]):
    """The lesion network over a whole body (:class:`..whole_body.LesionNetwork`)."""

    @property
    def digest(self) -> str: ...

    @property
    def organ_names(self) -> tuple[str, ...]: ...

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
            NotComputable: TOO_MANY_LESIONS.
        """
        candidates = find_candidates(suv, anatomy, self.min_volume_ml)
        organs = _Organs(candidates, anatomy, self.network.organ_names) if self.network is not None else None
        seen: Pass | None = None
        if self.network is not None and organs is not None:
            seen = self.network.run(self.network.crop(suv, ct_hu), organs.asked())
        probability = None if seen is None else seen.probability
        told = describe(suv, ct_hu, anatomy, candidates, probability)
        decision = decide(candidates, told.parts, self.reviewer.probability(told), self.words)
        pooled = None
        if self.network is not None and organs is not None and seen is not None:
            pooled = organs.pooled(self.network.digest, seen.regions, decision.judged)
        number = np.zeros(len(decision.judged) + 1, dtype=np.uint16)
        for one in decision.judged:
            number[one.label] = one.lesion or 0
        return Delineation(
            lesion_map=suv.with_array(number[candidates.labels.array]),
            judged=decision.judged,
            candidates=candidates.labels,
            probability=None if probability is None else suv.with_array(probability),
            pooled=pooled,
            notes=(*(() if seen is None else seen.notes), *decision.notes),
        )


class _Organs:
    """Organ features without the lesions, from one pass that was made before it was known what is a lesion.

    Pooled are the candidates, each organ without candidates, and what each candidate covers of each organ; what is
    rejected then goes back to its organ, as the mean of a union follows from means and counts.
    """

    def __init__(self, candidates: Candidates, anatomy: Anatomy, names: tuple[str, ...]) -> None:
        self._names = names
        self._candidates = candidates.labels
        labels = candidates.labels.array
        organs = _rows(anatomy, names, labels.shape)
        self._free = np.where(labels == 0, organs, 0)
        both = (labels > 0) & (organs > 0)
        pairs = labels[both].astype(np.int64) * (len(names) + 1) + organs[both]
        self._pairs, numbers = np.unique(pairs, return_inverse=True)
        self._covered = np.zeros(labels.shape, dtype=np.int32)
        self._covered[both] = numbers + 1

    def asked(self) -> tuple[Volume, Volume, Volume]:
        """The label maps to pool over."""
        grid = self._candidates
        return grid, grid.with_array(self._free), grid.with_array(self._covered)

    def pooled(self, network: str, regions: Sequence[Region], judged: Sequence[Candidate]) -> PooledFeatures:
        """Features of the lesions in the order of their numbers, and of the organs."""
        of_candidates, of_free, of_covered = regions
        wide = of_candidates.means.shape[1]
        taken = sorted((one for one in judged if one.lesion is not None), key=lambda one: one.lesion or 0)
        sums, counts = np.zeros((len(self._names), wide)), np.zeros(len(self._names))
        sums[: len(of_free.means)] += of_free.means * of_free.voxels[:, None]
        counts[: len(of_free.voxels)] += of_free.voxels
        rejected = {one.label for one in judged if one.lesion is None}
        for row, pair in enumerate(self._pairs.tolist()):
            label, organ = divmod(pair, len(self._names) + 1)
            if label in rejected:
                sums[organ - 1] += of_covered.means[row] * of_covered.voxels[row]
                counts[organ - 1] += of_covered.voxels[row]
        return PooledFeatures(
            network=network,
            lesions=np.array([of_candidates.means[one.label - 1] for one in taken])
            .reshape(-1, wide)
            .astype(np.float32),
            organs=(sums / np.maximum(counts, 1)[:, None]).astype(np.float32),
            present=counts > 0,
            organ_names=self._names,
        )


def _rows(anatomy: Anatomy, names: tuple[str, ...], shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """The organ map with row + 1 of each organ's name; 0 for what has no row."""
    if anatomy.organs is None:
        return np.zeros(shape, dtype=np.int32)
    merged = shipped_classes().of(anatomy)
    table = np.zeros(256, dtype=np.int32)
    for label, name in merged.names.items():
        if name in names:
            table[label] = names.index(name) + 1
    return table[merged.require(*merged.names.values()).array]


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
