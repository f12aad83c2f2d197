"""One reference from several readers: the majority's mask, and how far the readers agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

__all__ = ["Consensus", "dice", "majority_vote"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Consensus:
    """What a majority of readers drew.

    Attributes:
        mask: bool, the shape of the readers' masks.
        dice: Dice coefficient of each pair of readers, in the order (1, 2), (1, 3), ..., (2, 3), ...; empty for one.
    """

    mask: Mask
    dice: tuple[float, ...]

    @property
    def mean_dice(self) -> float | None:
        """Mean over all pairs of readers; None for a single reader."""
        return float(np.mean(self.dice)) if self.dice else None


def majority_vote(readers: Sequence[Mask]) -> Consensus:
    """Voxels that strictly more than half of the readers drew.

    One reader stands alone; of two, a voxel needs both (their intersection); of three, two; of four, three. A tie is
    background: half of the readers is no majority.

    Args:
        readers: at least one bool mask, all of the same shape (k, j, i).

    Raises:
        ValueError: no reader, or masks of different shapes.
    """
    if not readers or len({mask.shape for mask in readers}) != 1:
        raise ValueError("a majority needs at least one mask, and masks of one shape")
    votes = np.zeros(readers[0].shape, dtype=np.uint16)
    for mask in readers:
        votes += mask.astype(bool)
    pairs = tuple(dice(one, other) for one, other in combinations(readers, 2))
    return Consensus(2 * votes > len(readers), pairs)


def dice(one: Mask, other: Mask) -> float:
    """Twice the shared voxels over the sum of both; two empty masks agree (1)."""
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / total if total else 1.0
