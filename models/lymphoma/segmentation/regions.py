"""Regions on the working grid, and the mean of feature maps over them, window by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import Box
from lymphoma.inference.windows import Windows

__all__ = ["Members", "PoolingSum", "RegionFeatures", "members_of"]

VOXELS_AT_ONCE, ROWS_AT_ONCE = 65_536, 64
"""A block of feature columns of 34 MB, and a matrix of 17 MB to add them up by."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RegionFeatures:
    """Means of the network's feature maps over the regions of one label map; row r is label r + 1.

    Attributes:
        means: float64, shape (n, channels); 0 for a label that is not there.
        voxels: int64, shape (n); voxels of the working grid. 0 for a label too small to hold one: its mean is the value
            of the voxel nearest to its middle. present: bool, shape (n).
    """

    means: npt.NDArray[np.float64]
    voxels: Ints
    present: npt.NDArray[np.bool_]

    @property
    def sums(self) -> npt.NDArray[np.float64]:
        """Means times voxels."""
        return np.asarray(self.means * self.voxels[:, None])


@dataclass(frozen=True, eq=False)
class Members:
    """Which voxels of the working crop belong to which row.

    Attributes:
        voxels: shape (m, 3), (k, j, i). rows: shape (m), ascending. sizes: voxels of each row on the working grid, 0
            where one voxel only stands for it. present: of each row.
    """

    voxels: Ints
    rows: Ints
    sizes: Ints
    present: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.sizes)


def members_of(labels: Volume, grid: Volume) -> Members:
    """The labels 1..n of a map on a working crop, by the nearest voxel.

    A label that no voxel of the crop gets, being small, thin or beyond its rim, is stood for by the voxel of the crop
    nearest to the label's voxel that is nearest to its centroid.

    Args:
        labels: whole numbers, on any grid in the same patient space. grid: the crop; its values are not read.
    """
    given = np.asarray(labels.array)
    rows = int(given.max(initial=0))
    counted = np.bincount(given.ravel().astype(np.int64), minlength=rows + 1)
    present = counted[1:] > 0
    there = labels if labels.same_grid(grid) else resample_like(labels, grid, fill=0, interpolation="nearest")
    voxels = np.argwhere(there.array > 0)
    row = there.array[tuple(voxels.T)].astype(np.int64) - 1
    sizes = np.bincount(row, minlength=rows)
    vanished = np.flatnonzero(present & (sizes == 0))
    if len(vanished):
        boxes = ndimage.find_objects(given)
        stand_in = [_stand_in(labels, int(one) + 1, boxes[one], grid) for one in vanished]
        voxels, row = np.concatenate([voxels, np.array(stand_in)]), np.concatenate([row, vanished])
    order = np.argsort(row, kind="stable")
    return Members(voxels[order].astype(np.int64), row[order], sizes, present)


def _stand_in(labels: Volume, label: int, box: Any, grid: Volume) -> Ints:
    """The voxel of the crop for a label that has none of its own."""
    inside = np.argwhere(labels.array[box] == label)
    middle = inside[np.argmin(((inside - inside.mean(axis=0)) ** 2).sum(axis=1))]
    point_mm = labels.points_mm(middle + [side.start for side in box])
    nearest = np.rint(grid.index_kji(point_mm))
    return np.clip(nearest, 0, np.array(grid.array.shape) - 1).astype(np.int64)


class PoolingSum:
    """Adds up, window by window, what each row's mean will be of the blended maps.

    The blended map is the sum of weight times window over the sum of weights, which is known beforehand; its mean over
    a row's voxels is a sum over windows too, so that no map of a whole body is ever held.
    """

    def __init__(self, members: Members, windows: Windows, channels: int, device: torch.device) -> None:
        self._members = members
        self._size = windows.size
        share = 1.0 / np.maximum(members.sizes, 1)[members.rows]
        total = windows.total.numpy()[tuple(members.voxels.T)]
        self._factor = share / total
        self._weights = windows.weights.numpy()
        self._device = device
        self._means = torch.zeros((len(members), channels), dtype=torch.float64)

    def add(self, box: Box, features: tuple[torch.Tensor, ...]) -> None:
        """One window.

        Args:
            features: the feature maps in parts, each shape (channels, k, j, i), on the device.
        """
        first = np.array([side.start for side in box])
        local = self._members.voxels - first
        inside = np.flatnonzero(np.all((local >= 0) & (local < self._size), axis=1))
        if not len(inside):
            return
        local, rows = local[inside], self._members.rows[inside]
        factor = self._factor[inside] * self._weights[tuple(local.T)]
        flat = np.ravel_multi_index(tuple(local.T), self._size)
        columns = [one.flatten(1) for one in features]
        for block in _blocks(rows):
            there, position = np.unique(rows[block], return_inverse=True)
            matrix = torch.zeros((len(flat[block]), len(there)), device=self._device)
            at = torch.from_numpy(np.arange(len(position))), torch.from_numpy(position)
            matrix[at] = torch.from_numpy(factor[block].astype(np.float32)).to(self._device)
            chosen = torch.from_numpy(flat[block]).to(self._device)
            found = torch.cat([one[:, chosen].float() @ matrix for one in columns]).T
            self._means[torch.from_numpy(there)] += found.double().cpu()

    def result(self) -> RegionFeatures:
        """The means, once every window that holds a member has been added."""
        return RegionFeatures(self._means.numpy(), self._members.sizes, self._members.present)


def _blocks(rows: Ints) -> Iterator[slice]:
    """Stretches of ascending rows with few enough voxels and rows."""
    start = 0
    while start < len(rows):
        stop = min(start + VOXELS_AT_ONCE, int(np.searchsorted(rows, rows[start] + ROWS_AT_ONCE)))
        yield slice(start, stop)
        start = stop
