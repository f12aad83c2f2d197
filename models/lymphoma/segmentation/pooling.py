"""The features of a study's lesions and organs, from as few windows as a lesion map asks for.

Whether a candidate is a lesion is often decided after the pass over the body, and then changed by a person. As a mean
is a sum over voxels, organs are pooled whole, and so are the pieces that candidates cut out of them; the pieces of
those that turn out to be lesions are taken off afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.classes import ClassTable, shipped_classes
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.segmentation.regions import RegionFeatures
from lymphoma.segmentation.whole_body import LesionNetwork
from lymphoma.segmentation.working_crop import WorkingCrop

__all__ = ["StudyPooler", "StudyRegions", "lesion_map_sha256", "organ_rows"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StudyRegions:
    """What is pooled for the candidates of a study; ``volumes`` goes to :meth:`LesionNetwork.run`.

    Attributes:
        candidates: labels 1..n on the PET's grid. organs: labels 1..K in the order of the rows.
        pieces: labels 1..p, the parts of organs inside candidates. piece_organ, piece_candidate: labels, shape (p).
    """

    candidates: Volume
    organs: Volume
    pieces: Volume
    piece_organ: npt.NDArray[np.int64]
    piece_candidate: npt.NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, candidates: Volume, anatomy: Anatomy, table: ClassTable) -> StudyRegions:
        """Of candidates and an organ map of any engine.

        Raises:
            NotComputable: NO_ANATOMY.
        """
        organs = organ_rows(anatomy, table)
        both = (candidates.array > 0) & (organs.array > 0)
        pairs = np.stack([organs.array[both], candidates.array[both]], axis=1).astype(np.int64)
        found, number = np.unique(pairs, axis=0, return_inverse=True)
        pieces = np.zeros(candidates.array.shape, dtype=np.int32)
        pieces[both] = number.ravel() + 1
        return cls(
            candidates, organs, candidates.with_array(pieces), found[:, 0], found[:, 1], tuple(table.names.values())
        )

    @property
    def volumes(self) -> tuple[Volume, Volume, Volume]:
        """Candidates, organs, pieces."""
        return self.candidates, self.organs, self.pieces

    def pooled(
        self, network: str, regions: tuple[RegionFeatures, ...], lesion_map: Volume, numbers: Mapping[int, int]
    ) -> PooledFeatures:
        """The features once it is decided what is a lesion.

        Args:
            network: :attr:`LesionNetwork.digest`. regions: of ``volumes``, from the network.
            lesion_map: labels 1..m. numbers: label of a candidate -> its number in the lesion map, 1..m each once.
        """
        candidates, organs, pieces = regions
        rows = [label - 1 for label, _ in sorted(numbers.items(), key=lambda one: one[1])]
        whole = _padded(organs, len(self.names))
        taken = np.isin(self.piece_candidate, list(numbers))
        left = _without(whole, pieces, self.piece_organ, taken)
        return PooledFeatures(
            network=network,
            lesions=candidates.means[rows].astype(np.float32),
            organs=left.astype(np.float32),
            present=whole.present & left.any(axis=1),
            organ_names=self.names,
            lesion_map=lesion_map_sha256(lesion_map),
            whole_organs=whole.means,
            organ_voxels=whole.voxels,
        )


@dataclass(frozen=True, eq=False)
class StudyPooler:
    """The pooler of one study (:class:`lymphoma.prognosis.pooled.FeaturePooler`).

    Attributes:
        crop: as kept from the pass that drew the lesions. known: what that pass pooled; None where nothing is known.
        table: organ classes, whose order is that of the rows.
    """

    lesion_network: LesionNetwork
    crop: WorkingCrop
    anatomy: Anatomy
    known: PooledFeatures | None = None
    table: ClassTable = shipped_classes()

    @property
    def network(self) -> str:
        """Digest of the network that is run."""
        return self.lesion_network.digest

    def pool(self, lesion_map: Volume) -> PooledFeatures:
        """What is known is used; else the windows that lesions touch are run, or, of a new study, all with an organ.

        Raises:
            NotComputable: NO_ANATOMY.
        """
        known = self._known()
        if known is not None and known.lesion_map == lesion_map_sha256(lesion_map):
            return known
        regions = StudyRegions.of(lesion_map, self.anatomy, self.table)
        if known is None:
            pooled = self.lesion_network.pool(self.crop, regions.volumes).regions
            return regions.pooled(self.network, pooled, lesion_map, _every(pooled[0]))
        if (organs := _whole(known)) is not None:
            lesions, pieces = self.lesion_network.pool(self.crop, (regions.candidates, regions.pieces)).regions
            return regions.pooled(self.network, (lesions, organs, pieces), lesion_map, _every(lesions))
        # kept without what it takes to leave other lesions out: the organs stay as they were pooled
        (lesions,) = self.lesion_network.pool(self.crop, (lesion_map,)).regions
        return replace(known, lesions=lesions.means.astype(np.float32), lesion_map=lesion_map_sha256(lesion_map))

    def _known(self) -> PooledFeatures | None:
        """What was pooled before, if by the same network over the same organs."""
        names = tuple(self.table.names.values())
        same = self.known is not None and (self.known.network, self.known.organ_names) == (self.network, names)
        return self.known if same else None


def organ_rows(anatomy: Anatomy, table: ClassTable) -> Volume:
    """The organs of any engine in the table's classes, labels 1..K; what the table does not know is left out.

    Raises:
        NotComputable: NO_ANATOMY.
    """
    organs = table.of(anatomy).organs
    if organs is None:
        raise NotComputable("NO_ANATOMY", "the features of organs need an organ map")
    return organs


def lesion_map_sha256(lesion_map: Volume) -> str:
    """Of the array's bytes as uint16, little endian, in C order."""
    return hashlib.sha256(np.ascontiguousarray(lesion_map.array, dtype="<u2").tobytes()).hexdigest()


def _without(
    organs: RegionFeatures, pieces: RegionFeatures, piece_organ: npt.NDArray[np.int64], taken: npt.NDArray[np.bool_]
) -> Floats:
    """Means of organs without the pieces that are taken; 0 where nothing is left."""
    sums, voxels = organs.sums, organs.voxels.astype(np.int64)
    for organ, sum_of_piece, size in zip(piece_organ[taken], pieces.sums[taken], pieces.voxels[taken], strict=True):
        sums[organ - 1] -= sum_of_piece
        voxels[organ - 1] -= size
    left = np.where(voxels[:, None] > 0, sums / np.maximum(voxels, 1)[:, None], 0.0)
    # an organ too small for a voxel of its own is stood for by one, unless a lesion holds part of it
    alone = organs.present & (organs.voxels == 0) & ~np.isin(np.arange(1, len(voxels) + 1), piece_organ[taken])
    return np.asarray(np.where(alone[:, None], organs.means, left))


def _padded(organs: RegionFeatures, rows: int) -> RegionFeatures:
    """With a row for each class, also for those after the last that is there."""
    missing = rows - len(organs.voxels)

    def longer(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))

    return RegionFeatures(longer(organs.means), longer(organs.voxels), longer(organs.present))


def _whole(known: PooledFeatures) -> RegionFeatures | None:
    if known.whole_organs is None or known.organ_voxels is None:
        return None
    # an organ that a lesion fills is not present beside it, but was there
    there = known.present | (known.organ_voxels > 0)
    return RegionFeatures(known.whole_organs, known.organ_voxels, there)


def _every(lesions: RegionFeatures) -> dict[int, int]:
    """Each label is a lesion, by the same number."""
    return {number: number for number in range(1, len(lesions.means) + 1)}
