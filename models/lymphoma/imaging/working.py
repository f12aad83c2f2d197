"""The coarse grid on which a network sees the body, and the box of it that holds the body."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.imaging.body import body_mask
from lymphoma.imaging.volume import Volume

__all__ = ["Box", "body_box", "crop", "working_grid"]

Box = tuple[slice, slice, slice]

PET_BODY_SUV = 0.2
"""Subcutaneous fat, the faintest tissue, reads about 0.3; the noise of air falls below after one opening [A]."""


def working_grid(volume: Volume, edge_mm: float) -> Volume:
    """A grid along the axes of ``volume`` that fills exactly the same field in voxels of nearly ``edge_mm``.

    As outer edge meets outer edge, :func:`torch.nn.functional.interpolate` with ``align_corners=False`` brings values
    back to the voxel centres of ``volume``.

    Returns:
        A grid without values (zeros that take no memory).
    """
    shape = np.array(volume.array.shape)
    counts = np.maximum(1, np.rint(shape * volume.spacing_mm[::-1] / edge_mm)).astype(int)
    ratio = shape / counts  # steps of the old grid in one of the new, (k, j, i)
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] * ratio[::-1]
    affine[:3, 3] = volume.points_mm((ratio - 1) / 2)
    return Volume(np.broadcast_to(np.uint8(0), tuple(counts.tolist())), affine)


def body_box(suv: Volume, ct_hu: Volume, *, margin: int = 2) -> Box:
    """The smallest box around the body as CT and PET show it, widened by ``margin`` voxels.

    Either may be displaced or empty, so both are asked; the whole grid where neither shows a body.

    Args:
        suv, ct_hu: on one grid.
    """
    body = body_mask(suv, ct_hu) | _pet_body(suv.array)
    found = ndimage.find_objects(body.astype(np.uint8))
    if not found:
        return tuple(slice(0, n) for n in suv.array.shape)  # type: ignore[return-value]  # three axes
    return tuple(  # type: ignore[return-value]
        slice(max(0, side.start - margin), min(n, side.stop + margin))
        for side, n in zip(found[0], suv.array.shape, strict=True)
    )


def crop(volume: Volume, box: Box) -> Volume:
    """The part of a volume in a box of whole voxels, where it lies in the patient."""
    affine = volume.affine.copy()
    affine[:3, 3] = volume.points_mm([side.start for side in box])
    return Volume(np.ascontiguousarray(volume.array[box]), affine)


def _pet_body(suv: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """The largest connected part with tracer."""
    labels, count = ndimage.label(ndimage.binary_opening(suv > PET_BODY_SUV))
    if not count:
        return np.zeros(suv.shape, dtype=np.bool_)
    return np.asarray(labels == int(np.bincount(labels.ravel())[1:].argmax()) + 1)
