"""Thresholds that follow each lesion's own uptake: 41 % of SUVmax, and A50P.

Both need to know first what one lesion is, which a threshold alone does not say. The rule here, one of several in use:

    seed        a 26-connected component of SUV >= 4.0 that meets the volume rule: what "suv4" calls a lesion
    territory   the voxels within 10 mm of a seed and those of SUV >= 2.5 connected to one, shared out among the
                seeds by watershed along SUV (each voxel goes to the seed it descends from)
    lesion      the voxels of the territory at or above the seed's own threshold, in pieces that hold a voxel of the
                seed

The territory keeps a low threshold from flooding the body; without a voxel of SUV >= 4.0 there is no lesion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions, measure_lesions
from lymphoma.lesions.measures import LesionMeasures

__all__ = ["Territories", "a50p", "percent_of_max", "territories"]

SEED_SUV = 4.0
REACH_SUV = 2.5
REACH_MM = 10.0
BACKGROUND_MM = (10.0, 20.0)
"""Shell around a seed whose mean is its background: beyond the seed's spill-out, an assumption."""

_CORNERS = ndimage.generate_binary_structure(3, 3)


@dataclass(frozen=True, eq=False)
class Territories:
    """The seeds of a scan and what belongs to each.

    Attributes:
        seeds, shares: labels on the PET grid, seed n and the territory of seed n.
        distance_mm: from each voxel centre to the nearest seed voxel, 0 inside a seed.
        measures: of the seeds, in the order of their labels.
    """

    seeds: npt.NDArray[np.uint16]
    shares: npt.NDArray[np.int32]
    distance_mm: npt.NDArray[np.float32]
    measures: tuple[LesionMeasures, ...]


def territories(suv: Volume, min_volume_ml: float) -> Territories:
    """Seeds of at least ``min_volume_ml`` and their territories; see the head of this module."""
    shape, spacing_mm = suv.array.shape, suv.spacing_mm[::-1]
    seeds = label_lesions(suv.array >= SEED_SUV, suv.voxel_volume_ml, min_volume_ml)
    shares = np.zeros(shape, dtype=np.int32)
    distance_mm = np.full(shape, np.inf, dtype=np.float32)
    if not seeds.any():
        return Territories(seeds, shares, distance_mm, ())
    # everything happens where the uptake is; all seeds lie in this box, so distances within it are the true ones
    warm = ndimage.find_objects((suv.array >= REACH_SUV).astype(np.uint8))[0]
    box = _grown(warm, BACKGROUND_MM[1], spacing_mm)
    distance_mm[box] = ndimage.distance_transform_edt(seeds[box] == 0, sampling=spacing_mm)
    reachable = (distance_mm[box] <= REACH_MM) | (suv.array[box] >= REACH_SUV)
    markers = seeds[box].astype(np.int32)
    shares[box] = watershed(-suv.array[box], markers=markers, mask=reachable, connectivity=_CORNERS)
    return Territories(seeds, shares, distance_mm, measure_lesions(suv, suv.with_array(seeds)))


def _grown(box: tuple[slice, ...], margin_mm: float, spacing_mm: npt.NDArray[np.float64]) -> tuple[slice, ...]:
    """A box with a margin on every side, cut at the start of the array (slices end by themselves)."""
    margin = np.ceil(margin_mm / spacing_mm).astype(int)
    return tuple(slice(max(0, part.start - m), part.stop + m) for part, m in zip(box, margin, strict=True))


def percent_of_max(suv: Volume, found: Territories, share: float = 0.41) -> npt.NDArray[np.bool_]:
    """Voxels at or above ``share`` of the SUVmax of the lesion they belong to."""
    return _drawn(suv, found, [share * seed.suv_max for seed in found.measures])


def a50p(suv: Volume, found: Territories) -> npt.NDArray[np.bool_]:
    """Voxels at or above 50 % between background and SUVpeak of the lesion they belong to: (SUVpeak + B) / 2.

    SUVpeak is the global one. B is the mean SUV of the shell 10 to 20 mm away from the seed, without voxels within
    10 mm of any other seed; a lesion without such a shell is drawn at half its SUVpeak.
    """
    return _drawn(suv, found, [(seed.suv_peak + _background(suv, found, seed.number)) / 2 for seed in found.measures])


def _drawn(suv: Volume, found: Territories, thresholds: list[float]) -> npt.NDArray[np.bool_]:
    # in the precision of SUV itself, so that a voxel exactly at its threshold is taken
    limit = np.array([np.inf, *thresholds], dtype=np.float32)
    candidates = suv.array >= limit[found.shares]
    # pieces are sought within each territory: two lesions that touch do not lend each other their seeds
    drawn = np.zeros(suv.array.shape, dtype=np.bool_)
    for number, box in enumerate(ndimage.find_objects(found.shares), start=1):
        if box is None:
            continue
        own = candidates[box] & (found.shares[box] == number)
        pieces, _ = ndimage.label(own, structure=_CORNERS)
        holds_seed = np.zeros(int(pieces.max()) + 1, dtype=np.bool_)
        holds_seed[pieces[found.seeds[box] == number]] = True
        holds_seed[0] = False
        drawn[box] |= holds_seed[pieces]
    return drawn


def _background(suv: Volume, found: Territories, number: int) -> float:
    near, far = BACKGROUND_MM
    part = ndimage.find_objects((found.seeds == number).astype(np.uint8))[0]
    box = _grown(part, far, suv.spacing_mm[::-1])
    own_mm = ndimage.distance_transform_edt(found.seeds[box] != number, sampling=suv.spacing_mm[::-1])
    shell = (own_mm > near) & (own_mm <= far) & (found.distance_mm[box] > near)
    return float(suv.array[box][shell].mean(dtype=np.float64)) if shell.any() else 0.0
