"""What a crop shows in its middle: organ, lesion or not, and SUV; the classes that the image network learns.

Class = (organ x 2 + lesion) x 12 + bin of the SUV: 40 x 2 x 12 = 960 of the network's 1,000 outputs. 40 outputs have no
class, and many classes are never met (a brain of SUV 0.4): such outputs learn only that they are unlikely.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.dfr_signature.keras_networks import CLASSES

__all__ = ["BINS", "EDGES_SUV", "LESION_KINDS", "ORGANS", "class_of", "parts_of", "suv_bins"]

Ints = npt.NDArray[np.int64]

ORGANS = len(shipped_classes())
"""Those of the anatomy network; 0 is tissue between them. Of a lesion, the organ that it grows in or beside."""
LESION_KINDS = 2
EDGES_SUV = tuple(0.5 * 2 ** (step / 2) for step in range(11))
"""0.5, 0.71, 1, ... 16: half octaves, finer than uptake differs between two scanners, coarser than noise [A]."""
BINS = len(EDGES_SUV) + 1

assert ORGANS * LESION_KINDS * BINS <= CLASSES  # the anatomy's table may grow; the network's outputs cannot


def suv_bins(suv: npt.ArrayLike) -> Ints:
    """0 .. 11; a SUV at an edge belongs to the bin above."""
    return np.asarray(np.digitize(np.asarray(suv), EDGES_SUV), dtype=np.int64)


def class_of(organ: npt.ArrayLike, lesion: npt.ArrayLike, suv_bin: npt.ArrayLike) -> Ints:
    """The class of each, in any shape."""
    organ, lesion, suv_bin = (np.asarray(one, dtype=np.int64) for one in (organ, lesion, suv_bin))
    return np.asarray((organ * LESION_KINDS + lesion) * BINS + suv_bin, dtype=np.int64)


def parts_of(classes: npt.ArrayLike) -> tuple[Ints, Ints, Ints]:
    """Organ, lesion and SUV bin of classes: the way back from :func:`class_of`."""
    above, suv_bin = np.divmod(np.asarray(classes, dtype=np.int64), BINS)
    organ, lesion = np.divmod(above, LESION_KINDS)
    return organ, lesion, suv_bin
