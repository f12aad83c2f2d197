"""What the range check compares of a patient: the shades of the crops, none of a single voxel."""

from __future__ import annotations

import numpy as np

from lymphoma.dfr_signature.inputs import DRAWN, IMAGES, crops_of
from lymphoma.prognosis.patient_folder import Arrays

__all__ = ["RANGE_NAMES", "range_features"]

_QUANTILES = (0.1, 0.5, 0.9)
RANGE_NAMES = tuple(
    f"{image}_{name}" for image in IMAGES for name in (*(f"q{round(100 * one)}" for one in _QUANTILES), "sd", "slope")
)
"""Of the z-scores of each image's crop: quantiles, spread, and the mean step between neighbours over the spread, which
tells a coarse or smooth image from a fine or noisy one."""


def range_features(arrays: Arrays) -> tuple[float, ...]:
    """The numbers of one patient in the order of :data:`RANGE_NAMES`, in mean over the sections.

    Args:
        arrays: of :func:`lymphoma.dfr_signature.inputs.inputs_of`.

    Raises:
        NotComputable: as :func:`lymphoma.dfr_signature.inputs.crops_of`.
    """
    found: list[float] = []
    for image in IMAGES:
        crops = crops_of(arrays, image, DRAWN).astype(np.float64)
        spread = crops.std(axis=(1, 2))
        steps = 0.5 * (
            np.abs(np.diff(crops, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(crops, axis=2)).mean(axis=(1, 2))
        )
        found += np.quantile(crops, _QUANTILES, axis=(1, 2)).mean(axis=1).tolist()
        found += [float(spread.mean()), float((steps / np.maximum(spread, 1e-6)).mean())]
    return tuple(found)
