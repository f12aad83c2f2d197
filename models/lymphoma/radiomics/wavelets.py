"""An image and its eight wavelet images, at the voxels of a region only.

The same values as the library's, which transforms the whole scan: a coefficient depends on voxels no further away than
the filter is long, so that tiles with that margin are enough, and memory does not grow with the scan. At the rim of the
scan the library goes on at the opposite side (a periodic image, with the first slice once more after an odd number of
slices); so do the tiles. A lesion within a filter's length of the rim therefore sees the other end of the scan in its
wavelet images; everywhere else the rim plays no part.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pywt

from lymphoma.radiomics.names import IMAGES

__all__ = ["region_values"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bounds = tuple[tuple[int, int], ...]

TILE_VOXELS = 64
"""Edge of a tile: with the margin of 6 on either side a transform of it takes about 30 MB."""


def region_values(image: npt.NDArray[np.generic], region: Bools, wavelet: str) -> Floats:
    """Values of the image and of its wavelet images inside a region.

    Args:
        image: (slices, rows, columns). region: the same shape, N voxels True. wavelet: a name of PyWavelets.

    Returns:
        (9, N) in the order of :data:`lymphoma.radiomics.names.IMAGES`; voxels in array order.
    """
    kind = pywt.Wavelet(wavelet)
    number = np.full(region.shape, -1, dtype=np.int32)
    number[region] = np.arange(int(region.sum()), dtype=np.int32)
    values = np.empty((len(IMAGES), int(region.sum())))
    values[0] = image[region]
    for bounds in _tiles(region):
        box = tuple(slice(first, last) for first, last in bounds)
        inside = region[box]
        at = number[box][inside]
        for name, part in _transform(image, bounds, kind).items():
            values[IMAGES.index(name), at] = part[inside]
    return values


def _tiles(region: Bools) -> Iterator[Bounds]:
    """Boxes that hold all voxels of the region once, each as tight as its voxels allow."""
    for corner in np.ndindex(*(-(-size // TILE_VOXELS) for size in region.shape)):
        first = [index * TILE_VOXELS for index in corner]
        here = region[tuple(slice(start, start + TILE_VOXELS) for start in first)]
        if not here.any():
            continue
        bounds = []
        for axis, start in enumerate(first):
            used = np.flatnonzero(here.any(axis=tuple(other for other in range(3) if other != axis)))
            bounds.append((start + int(used[0]), start + int(used[-1]) + 1))
        yield tuple(bounds)


def _transform(image: npt.NDArray[np.generic], bounds: Bounds, kind: pywt.Wavelet) -> dict[str, Floats]:
    """The eight images inside a box."""
    taken = [_reach(first, last, size, kind.dec_len) for (first, last), size in zip(bounds, image.shape, strict=True)]
    data = image[np.ix_(*(index for index, _ in taken))].astype(np.float64)
    # The library gives its transform the axes in reverse: the first letter of a name is the columns'.
    found = pywt.swtn(data, kind, level=1, start_level=0, axes=(2, 1, 0))[0]
    inner = tuple(
        slice(offset, offset + last - first) for (_, offset), (first, last) in zip(taken, bounds, strict=True)
    )
    return {f"wavelet-{name.replace('a', 'L').replace('d', 'H')}": part[inner] for name, part in found.items()}


def _reach(first: int, last: int, size: int, margin: int) -> tuple[npt.NDArray[np.int64], int]:
    """Indices along an axis of what a transform of first..last needs, an even number, and where ``first`` is in it."""
    period = size + size % 2
    length = last - first + 2 * margin
    length += length % 2
    index, offset = np.arange(period), first
    if length < period:
        index, offset = (np.arange(length) + first - margin) % period, margin
    return np.where(index == size, 0, index), offset
