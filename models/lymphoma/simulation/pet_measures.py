"""Measures of the whole patient from a table of features, by the definitions of :mod:`lymphoma.lesions.totals`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lymphoma.prognosis.measures import PetMeasures
from lymphoma.simulation.feature_table import FeatureTable

__all__ = ["pet_measures"]


def pet_measures(table: FeatureTable) -> tuple[PetMeasures, ...]:
    """One for each patient, in the order of the table.

    Places of lesions are relative to the body's half width, half depth and length, so that distances hold its error.
    """
    lesions = table.lesions
    places_mm = np.stack([lesions.lateral, lesions.depth, lesions.height], axis=1) * table.size_mm[table.owner]
    tlg_g = table.pooled(lesions.volume_ml.astype(np.float64) * lesions.suv_mean, np.add, 0.0)
    suv_max, suv_peak = (table.pooled(column, np.maximum) for column in (lesions.suv_max, lesions.suv_peak))
    bulk = _from_largest_mm(places_mm.astype(np.float64), lesions.volume_ml, table.starts)
    return tuple(
        PetMeasures(
            tmtv_ml=float(table.tmtv_ml[i]),
            tlg_g=float(tlg_g[i]),
            suv_max=_known(suv_max[i]),
            suv_peak=_known(suv_peak[i]),
            lesion_count=int(table.counts[i]),
            dmax_mm=_known(table.dmax_mm[i]),
            dmax_bulk_mm=_known(bulk[i]),
            sdmax_per_m=_known(table.sdmax_per_m[i]),
        )
        for i in range(len(table))
    )


def _from_largest_mm(
    places_mm: npt.NDArray[np.float64], volume_ml: npt.NDArray[np.float32], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """From the largest lesion to the farthest other; 0 with one lesion, NaN without."""
    found = np.full(len(starts) - 1, np.nan)
    for patient, (low, high) in enumerate(pairwise(starts)):
        if high > low:
            own = places_mm[low:high]
            found[patient] = np.linalg.norm(own - own[np.argmax(volume_ml[low:high])], axis=1).max()
    return found


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
