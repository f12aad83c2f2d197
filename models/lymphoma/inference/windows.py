"""Windows over a body: where they lie, and by how much each counts in a voxel."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from monai.data.utils import compute_importance_map
from monai.utils import BlendMode

from lymphoma.imaging.working import Box

__all__ = ["OVERLAP", "Windows", "fit_windows"]

OVERLAP = 0.25
"""Share of a window that its neighbour sees too, at least."""

LARGER, SMALLER = 1.5, 0.75
"""How far the edge of a window may lie from that of the training patches: so far that most bodies are one window deep
and two wide, and no farther, as the normalisation of a network was learnt over regions of the patches' size [A]."""

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Windows:
    """A plan: every window of one size over a body, the same for every run over it.

    Attributes:
        body: voxels (k, j, i) of the body. padded: the same or more, never less than a window; what is added lies at
            the far ends and is air. size: of a window. starts: first voxels, in array order.
    """

    body: Triple
    padded: Triple
    size: Triple
    starts: tuple[Triple, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Box]:
        for k, j, i in self.starts:
            yield slice(k, k + self.size[0]), slice(j, j + self.size[1]), slice(i, i + self.size[2])

    @cached_property
    def weights(self) -> torch.Tensor:
        """Gaussian weights of a window's voxels, float32, shape ``size``."""
        weights: torch.Tensor = compute_importance_map(self.size, mode=BlendMode.GAUSSIAN)
        return weights

    @cached_property
    def total(self) -> torch.Tensor:
        """Sum of all windows' weights in each voxel, float32, shape ``padded``: known before any window is run."""
        total = torch.zeros(self.padded)
        for box in self:
            total[box] += self.weights
        return total

    def holding(self, voxels: npt.NDArray[np.int64]) -> tuple[int, ...]:
        """Which windows hold at least one of these voxels, shape (m, 3)."""
        size = np.array(self.size)
        return tuple(
            number
            for number, start in enumerate(np.array(self.starts))
            if np.any(np.all((voxels >= start) & (voxels < start + size), axis=1))
        )


def fit_windows(body: Triple, usual: Triple, *, multiple: int, overlap: float = OVERLAP) -> Windows:
    """The plan that looks at the fewest voxels.

    The windows of an axis lie evenly, each overlapping the next by ``overlap`` at least; their edge may differ from the
    training's by the factors above. A body shallower than a window is padded with air.

    Args:
        body: voxels (k, j, i). usual: window of the training. multiple: that a window's edge must be of, 2 to the
            number of the network's levels less one.
    """
    axes = [_fit(length, edge, multiple, overlap) for length, edge in zip(body, usual, strict=True)]
    size = (axes[0][0], axes[1][0], axes[2][0])
    padded = (max(body[0], size[0]), max(body[1], size[1]), max(body[2], size[2]))
    firsts = [_evenly(length, edge, count) for length, (edge, count) in zip(padded, axes, strict=True)]
    return Windows(body, padded, size, tuple((k, j, i) for k, j, i in product(*firsts)))


def _fit(length: int, usual: int, multiple: int, overlap: float) -> tuple[int, int]:
    """Edge and number of windows along one axis; of equal sums the fewer windows."""
    least = max(1, math.ceil(SMALLER * usual / multiple)) * multiple
    most = max(least, math.floor(LARGER * usual / multiple) * multiple)
    edges = range(least, most + 1, multiple)
    counts = [(edge, _count(length, edge, overlap)) for edge in edges]
    return min(counts, key=lambda one: (one[0] * one[1], one[1]))


def _count(length: int, edge: int, overlap: float) -> int:
    step = max(1, math.floor(edge * (1 - overlap)))
    return 1 + max(0, math.ceil((length - edge) / step))


def _evenly(length: int, edge: int, count: int) -> tuple[int, ...]:
    return tuple(int(start) for start in np.linspace(0, length - edge, count).round())
