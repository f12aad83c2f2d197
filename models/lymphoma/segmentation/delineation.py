"""What a segmenter gives: lesions, how sure each is, and what was looked at and not taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.pooled import PooledFeatures

__all__ = ["Candidate", "Delineation", "Status"]

Status = Literal["accepted", "to_confirm", "rejected"]


@dataclass(frozen=True)
class Candidate:
    """A part of the avid volume that was judged as one.

    Attributes:
        label: in :attr:`Delineation.candidates`. lesion: number in the lesion map; None for a rejected one.
        p_lesion: calibrated probability of being a lesion. organ: that it lies in or touches most; None for none.
        hottest_mm: LPS, by which a person's word on it finds it again.
    """

    label: int
    lesion: int | None
    status: Status
    p_lesion: float
    organ: str | None
    volume_ml: float
    suv_max: float
    hottest_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Delineation:
    """The lesions of one study.

    Attributes:
        lesion_map: uint16 on the PET grid, 0 background, 1..n by descending volume; accepted and unconfirmed ones.
        judged: every candidate; empty for a rule that does not judge. Then each lesion is accepted and has no
            probability.
        candidates: labels of ``judged`` on the PET grid; None without.
        probability: of the lesion network, float32 0..1 on the PET grid; None where no network took part.
        pooled: features of the lesions of ``lesion_map`` and of organs, of the same pass; None where no network took
            part.
        notes: sentences for the report, such as a fall-back to smaller windows.
    """

    lesion_map: Volume
    judged: tuple[Candidate, ...] = ()
    candidates: Volume | None = None
    probability: Volume | None = None
    pooled: PooledFeatures | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        numbers = sorted(one.lesion for one in self.judged if one.lesion is not None)
        if self.judged and numbers != list(range(1, int(np.max(self.lesion_map.array, initial=0)) + 1)):
            raise ValueError("each lesion is one judged candidate")

    @property
    def accepted(self) -> tuple[int, ...]:
        """Numbers of the lesions that count, ascending."""
        if not self.judged:
            return tuple(range(1, int(np.max(self.lesion_map.array, initial=0)) + 1))
        return tuple(sorted(one.lesion for one in self.judged if one.status == "accepted" and one.lesion is not None))

    @property
    def accepted_map(self) -> Volume:
        """The lesion map of those that count alone, numbered anew in the same order."""
        numbers = np.array(self.accepted, dtype=np.int64)
        new = np.zeros(int(np.max(self.lesion_map.array, initial=0)) + 1, dtype=np.uint16)
        new[numbers] = np.arange(1, len(numbers) + 1)
        return self.lesion_map.with_array(new[self.lesion_map.array])

    @property
    def rejected(self) -> tuple[Candidate, ...]:
        """Candidates that were not taken, the largest first."""
        return tuple(sorted((one for one in self.judged if one.lesion is None), key=lambda one: -one.volume_ml))
