"""The measures of the whole patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist

from lymphoma.lesions.measures import LesionMeasures

__all__ = ["TotalMeasures", "body_surface_m2", "measure_totals"]

BULKY_MM = 100.0
"""10 cm (MInT; Pfreundschuh, Lancet Oncol 2008); 75 mm in other series."""


@dataclass(frozen=True)
class TotalMeasures:
    """Burden and spread over all lesions.

    Without any lesion the burden is 0 and the patient is not bulky; SUV and distances are None. With one lesion the
    distances are 0 (Cottereau's convention).

    Attributes:
        tmtv_ml: sum of the lesions' volumes (they never overlap). tlg_g: sum of their TLG.
        suv_max, suv_peak: the largest of any lesion. suv_mean: ``tlg_g`` / ``tmtv_ml``.
        dmax_mm: largest distance between the centroids of two lesions (Cottereau).
        dmax_bulk_mm: from the centroid of the largest lesion to the farthest other centroid (Eertink);
            equal volumes: the lower number counts as the largest.
        sdmax_per_m: Dmax in m over body surface in m2; None where height or weight is not known or not plausible.
        bulky: the longest diameter of a lesion is at least ``bulky_threshold_mm``; on a PET contour, which may
            understate the mass seen on CT.
    """

    tmtv_ml: float
    tlg_g: float
    suv_max: float | None
    suv_peak: float | None
    suv_mean: float | None
    lesion_count: int
    dmax_mm: float | None
    dmax_bulk_mm: float | None
    sdmax_per_m: float | None
    bulky: bool
    bulky_threshold_mm: float


def body_surface_m2(weight_kg: float, height_m: float) -> float:
    """Body surface of Du Bois: 0.007184 W^0.425 H^0.725, W in kg, H in cm."""
    return float(0.007184 * weight_kg**0.425 * (height_m * 100.0) ** 0.725)


def measure_totals(
    lesions: Sequence[LesionMeasures],
    *,
    weight_kg: float | None,
    height_m: float | None,
    bulky_threshold_mm: float = BULKY_MM,
) -> TotalMeasures:
    """Sums, maxima and distances; the definitions stand at :class:`TotalMeasures`."""
    tmtv_ml = float(sum(lesion.volume_ml for lesion in lesions))
    tlg_g = float(sum(lesion.tlg_g for lesion in lesions))
    dmax_mm = _dmax_mm(lesions)
    return TotalMeasures(
        tmtv_ml=tmtv_ml,
        tlg_g=tlg_g,
        suv_max=max((lesion.suv_max for lesion in lesions), default=None),
        suv_peak=max((lesion.suv_peak for lesion in lesions), default=None),
        suv_mean=tlg_g / tmtv_ml if lesions else None,
        lesion_count=len(lesions),
        dmax_mm=dmax_mm,
        dmax_bulk_mm=_dmax_bulk_mm(lesions),
        sdmax_per_m=_sdmax_per_m(dmax_mm, weight_kg, height_m),
        bulky=any(lesion.longest_diameter_mm >= bulky_threshold_mm for lesion in lesions),
        bulky_threshold_mm=bulky_threshold_mm,
    )


def _dmax_mm(lesions: Sequence[LesionMeasures]) -> float | None:
    if len(lesions) < 2:
        return 0.0 if lesions else None
    return float(pdist(np.array([lesion.centroid_mm for lesion in lesions])).max())


def _dmax_bulk_mm(lesions: Sequence[LesionMeasures]) -> float | None:
    if not lesions:
        return None
    largest = min(lesions, key=lambda lesion: (-lesion.volume_ml, lesion.number))
    return float(cdist([largest.centroid_mm], np.array([lesion.centroid_mm for lesion in lesions])).max())


def _sdmax_per_m(dmax_mm: float | None, weight_kg: float | None, height_m: float | None) -> float | None:
    """None outside 20-300 kg and 0.5-2.5 m: a height in cm or a zero must not become a risk factor."""
    if dmax_mm is None or weight_kg is None or height_m is None:
        return None
    if not (20 <= weight_kg <= 300 and 0.5 <= height_m <= 2.5):
        return None
    return dmax_mm / 1000.0 / body_surface_m2(weight_kg, height_m)
