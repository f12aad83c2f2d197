"""From a mask to numbered lesions."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.errors import NotComputable

__all__ = ["Connectivity", "label_lesions"]

Connectivity = Literal[6, 18, 26]

_RANK: dict[Connectivity, int] = {6: 1, 18: 2, 26: 3}

MOST_LESIONS = int(np.iinfo(np.uint16).max)

ROUNDING = 1e-9
"""Relative slack of the volume rule: 375 voxels of 8 mm3 are 3 mL however the product is rounded."""


def label_lesions(
    mask: npt.NDArray[np.bool_], voxel_volume_ml: float, min_volume_ml: float, connectivity: Connectivity = 26
) -> npt.NDArray[np.uint16]:
    """Connected components that survive the volume rule, numbered from the largest to the smallest.

    Args:
        mask: bool, any shape of three axes.
        min_volume_ml: a component counts when its volume is at least this; 0 keeps every one.
        connectivity: voxels touch by faces (6), also by edges (18), or also by corners (26).

    Returns:
        uint16, 0 background, 1..n by descending volume; equal volumes by their first voxel in array order.

    Raises:
        NotComputable: TOO_MANY_LESIONS, more components than a lesion map can number (65,535): noise, not disease.
    """
    labels, count = ndimage.label(mask, structure=ndimage.generate_binary_structure(3, _RANK[connectivity]))
    voxels = np.bincount(labels.ravel(), minlength=count + 1)
    voxels[0] = 0
    large = (voxels > 0) & (voxels * voxel_volume_ml >= min_volume_ml * (1 - ROUNDING))
    lesions = int(large.sum())
    if lesions > MOST_LESIONS:
        raise NotComputable(
            "TOO_MANY_LESIONS", f"{lesions} components pass the threshold: the scan is too noisy for it"
        )
    # scipy numbers components by their first voxel, so a stable sort keeps that order among equals
    order = np.argsort(-voxels, kind="stable")[:lesions]
    number = np.zeros(count + 1, dtype=np.uint16)
    number[order] = np.arange(1, lesions + 1)
    return np.asarray(number[labels])
