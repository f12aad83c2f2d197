"""What a body can have of each organ: one brain, one liver, one kidney a side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["SINGLE", "largest_parts"]

SINGLE = frozenset(("brain", "heart", "liver", "spleen", "stomach", "kidney_left", "kidney_right", "urinary_bladder"))
"""Organs that are one piece.

A further piece is mostly a hot lesion elsewhere taken for the organ, which would hide it with the organ's healthy
uptake; where it is truly the organ's (a second spleen), the uptake in it stays a candidate. With the network after
1,000 of 5,000 steps the Dice of none fell by more than .001 in four patients, that of the bladder rose by up to .31 and
that of a kidney by up to .10 [measured]; of bowel, bone and vessels it fell, and they keep all their pieces.
"""

_TOUCHING = np.ones((3, 3, 3), dtype=np.bool_)


def largest_parts(
    labels: npt.NDArray[np.uint8], names: Mapping[int, str], single: frozenset[str] = SINGLE
) -> npt.NDArray[np.uint8]:
    """The map with the largest 26-connected part of each single organ; what is lost becomes background.

    Args:
        labels: of ``names``, shape (k, j, i).
    """
    kept = labels.copy()
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or names.get(label) not in single:
            continue
        parts, count = ndimage.label(labels[box] == label, _TOUCHING)
        if count > 1:
            largest = int(np.bincount(parts.ravel())[1:].argmax()) + 1
            kept[box][(parts > 0) & (parts != largest)] = 0
    return kept
