"""The physical features of a patient: what can be measured of lesions and organs without any network.

They are measured alike on any case, from generator A or B or a hospital. Unknown numbers are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.lesions.measures import LesionMeasures, measure_lesions
from lymphoma.lesions.totals import measure_totals
from lymphoma.simulation.sites import ORGANS, group_of_place, group_of_station, organ_index
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Case

__all__ = ["BodyFrame", "BodySize", "LesionFeatures", "OrganFeatures", "PatientFeatures", "measure_features"]

Array = npt.NDArray[np.float32]
LENGTH_MM = 970.0
"""From the middle of the thigh to the vertex in the body that ``FeatureOrgan.height_mm`` refers to."""
MOSTLY = 0.5
"""Share of a lesion's surroundings that an organ must make up for the lesion to lie in it [A]."""


@dataclass(frozen=True)
class BodySize:
    """Size of the patient, for the body surface."""

    weight_kg: float
    height_m: float


@dataclass(frozen=True, eq=False)
class LesionFeatures:
    """One entry for each lesion; all arrays have the shape (n,).

    Attributes:
        volume_ml, suv_max, suv_peak, suv_mean: as in :class:`lymphoma.lesions.LesionMeasures`.
        suv_cv: SD of SUV over its mean inside the lesion, the texture. hu_mean, hu_sd: CT numbers inside.
        height: 0 at the middle of the thigh, 1 at the vertex. lateral: from the midline, in half widths of the body,
            positive to the patient's left. depth: from the body's middle, in half depths, positive to the back.
        group: int8, index in :data:`lymphoma.simulation.sites.GROUPS`.
    """

    volume_ml: Array
    suv_max: Array
    suv_peak: Array
    suv_mean: Array
    suv_cv: Array
    hu_mean: Array
    hu_sd: Array
    height: Array
    lateral: Array
    depth: Array
    group: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class OrganFeatures:
    """Organs in the order of :data:`lymphoma.simulation.sites.ORGANS`; shape (K,), or (patients, K) in a table.

    Attributes:
        suv_mean, suv_sd, hu_mean, hu_sd, volume_ml: over the organ's voxels, lesions left out; NaN where not present.
        present: bool, in the field of view and known to the organ map.
    """

    suv_mean: Array
    suv_sd: Array
    hu_mean: Array
    hu_sd: Array
    volume_ml: Array
    present: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BodyFrame:
    """Where the patient's body lies: relative coordinates are (LPS - ``origin_mm``) / ``size_mm``.

    Attributes:
        origin_mm: midline, middle from front to back, middle of the thigh. size_mm: half width, half depth, length.
    """

    origin_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class PatientFeatures:
    """All features of one patient.

    Attributes:
        dmax_mm: largest distance between two lesions, 0 with one, NaN without. sdmax_per_m: over the body surface;
            NaN where the body's size is not known.
    """

    patient_id: str
    clinical: ClinicalFactors
    lesions: LesionFeatures
    organs: OrganFeatures
    size_mm: tuple[float, float, float]
    dmax_mm: float
    sdmax_per_m: float

    @property
    def tmtv_ml(self) -> float:
        """Sum of the lesions' volumes."""
        return float(self.lesions.volume_ml.sum(dtype=np.float64))

    @property
    def count(self) -> int:
        """Number of lesions."""
        return len(self.lesions.volume_ml)


def measure_features(
    case: Case, *, size: BodySize | None = None, stations: Mapping[int, str] | None = None
) -> PatientFeatures:
    """Features of a case.

    Args:
        size: height and weight, where known. stations: number of a lesion -> station of generator A; without it the
            site group follows from the surroundings.

    Raises:
        ValueError: the case has no lesion map.
    """
    if case.lesions is None:
        raise ValueError(f"{case.subject.patient_id} has no lesion map to measure")
    organs, heights, middle = _organs(case)
    frame = _frame(case, heights, middle)
    measures = measure_lesions(case.suv, case.lesions)
    totals = measure_totals(
        measures, weight_kg=size.weight_kg if size else None, height_m=size.height_m if size else None
    )
    return PatientFeatures(
        patient_id=case.subject.patient_id,
        clinical=case.subject.clinical,
        lesions=_lesions(case, measures, frame, stations or {}),
        organs=organs,
        size_mm=frame.size_mm,
        dmax_mm=np.nan if totals.dmax_mm is None else totals.dmax_mm,
        sdmax_per_m=np.nan if totals.sdmax_per_m is None else totals.sdmax_per_m,
    )


def _organs(case: Case) -> tuple[OrganFeatures, Array, tuple[float, float]]:
    """Statistics by organ, the height of each organ's centre (slice index) and the midline (row, column) of all."""
    count = len(ORGANS)
    table = np.zeros(256, dtype=np.int64)
    labels = case.anatomy.organs.array if case.anatomy.organs is not None else np.zeros(case.suv.array.shape, np.uint8)
    for label, index in organ_index(case.anatomy.names).items():
        if label >= len(table):
            table = np.concatenate((table, np.zeros(label + 1 - len(table), dtype=np.int64)))
        table[label] = index + 1
    where = np.flatnonzero(labels)
    organ = table[labels.ravel()[where]]
    where, organ = where[organ > 0], organ[organ > 0]
    if case.lesions is not None:
        free = case.lesions.array.ravel()[where] == 0
        where, organ = where[free], organ[free]
    voxels = np.bincount(organ, minlength=count + 1)[1:].astype(np.float64)
    known = np.maximum(voxels, 1)

    def moments(values: npt.NDArray[np.generic]) -> tuple[Array, Array]:
        inside = values.ravel()[where].astype(np.float64)
        mean = np.bincount(organ, weights=inside, minlength=count + 1)[1:] / known
        square = np.bincount(organ, weights=(inside - np.append(0.0, mean)[organ]) ** 2, minlength=count + 1)[1:]
        gone = np.where(voxels > 0, 0.0, np.nan)
        return (mean + gone).astype(np.float32), (np.sqrt(square / known) + gone).astype(np.float32)

    k, j, i = np.unravel_index(where, case.suv.array.shape)
    height = np.bincount(organ, weights=k, minlength=count + 1)[1:] / known + np.where(voxels > 0, 0.0, np.nan)
    middle = (float(j.mean()), float(i.mean())) if len(where) else (np.nan, np.nan)
    volume = np.where(voxels > 0, voxels * case.suv.voxel_volume_ml, np.nan).astype(np.float32)
    statistics = OrganFeatures(*moments(case.suv.array), *moments(case.ct_hu.array), volume, voxels > 0)
    return statistics, height.astype(np.float32), middle


def _frame(case: Case, heights_k: Array, middle_ji: tuple[float, float]) -> BodyFrame:
    """The body's frame: along z a straight line through the organs that tell height, across by the body's outline.

    Half width and depth are taken where the sum of body over the other two axes is half its largest value: arms and
    couch are thinner than that. With fewer than two organs the field of view counts as the whole length.
    """
    solid = case.ct_hu.array > -300
    across = [np.flatnonzero(line > 0.5 * line.max()) for line in (solid.sum(axis=(0, 2)), solid.sum(axis=(0, 1)))]
    half = [max(len(line), 2) / 2 * edge for line, edge in zip(across, case.suv.spacing_mm[[1, 0]], strict=True)]
    centre = [
        float(line.mean()) if len(line) else np.nan_to_num(fallback)
        for line, fallback in zip(across, middle_ji, strict=True)
    ]
    x_mm, y_mm, _ = case.suv.points_mm((0.0, centre[0], centre[1]))
    known = [
        (case.suv.points_mm((float(k), 0.0, 0.0))[2], organ.height_mm)
        for k, organ in zip(heights_k, ORGANS, strict=True)
        if organ.height_mm is not None and np.isfinite(k)
    ]
    if len(known) >= 2:
        z_mm, reference = np.array(known).T
        slope, start = np.polyfit(reference, z_mm, 1)
        bottom, length = float(start), float(slope * LENGTH_MM)
    else:
        ends = case.suv.points_mm([(0, 0, 0), (case.suv.array.shape[0] - 1, 0, 0)])[:, 2]
        bottom, length = float(ends.min()), float(max(np.ptp(ends), 1.0))
    return BodyFrame((float(x_mm), float(y_mm), bottom), (float(half[1]), float(half[0]), length))


def _lesions(
    case: Case, measures: tuple[LesionMeasures, ...], frame: BodyFrame, stations: Mapping[int, str]
) -> LesionFeatures:
    assert case.lesions is not None
    boxes = ndimage.find_objects(case.lesions.array.astype(np.int32, copy=False))
    centroids = np.array([lesion.centroid_mm for lesion in measures], dtype=np.float64).reshape(-1, 3)
    lateral, depth, height = ((centroids - frame.origin_mm) / frame.size_mm).T
    inside = np.zeros((len(measures), 3))
    group = np.zeros(len(measures), dtype=np.int8)
    around = organ_index(case.anatomy.names)
    for row, lesion in enumerate(measures):
        box = boxes[lesion.number - 1]
        there = case.lesions.array[box] == lesion.number
        hu = case.ct_hu.array[box][there].astype(np.float64)
        suv_sd = float(case.suv.array[box][there].astype(np.float64).std())
        inside[row] = (suv_sd / max(lesion.suv_mean, 1e-6), float(hu.mean()), float(hu.std()))
        if lesion.number in stations:
            group[row] = group_of_station(stations[lesion.number])
        else:
            group[row] = group_of_place(_surroundings(case, lesion.number, box, around), float(height[row]))

    def column(name: str) -> Array:
        return np.array([getattr(lesion, name) for lesion in measures], dtype=np.float32)

    suv_cv, hu_mean, hu_sd = inside.T.astype(np.float32)
    return LesionFeatures(
        volume_ml=column("volume_ml"),
        suv_max=column("suv_max"),
        suv_peak=column("suv_peak"),
        suv_mean=column("suv_mean"),
        suv_cv=suv_cv,
        hu_mean=hu_mean,
        hu_sd=hu_sd,
        height=height.astype(np.float32),
        lateral=lateral.astype(np.float32),
        depth=depth.astype(np.float32),
        group=group,
    )


def _surroundings(case: Case, number: int, box: tuple[slice, slice, slice], around: Mapping[int, int]) -> str | None:
    """The organ that makes up most of the lesion and the two voxels about it."""
    if case.anatomy.organs is None or case.lesions is None:
        return None
    wide = tuple(
        slice(max(part.start - 2, 0), min(part.stop + 2, size))
        for part, size in zip(box, case.lesions.array.shape, strict=True)
    )
    shell = ndimage.binary_dilation(case.lesions.array[wide] == number, iterations=2)
    labels = np.bincount(case.anatomy.organs.array[wide][shell & (case.lesions.array[wide] != number)].ravel())
    shares: dict[str, int] = {}
    for label, voxels in enumerate(labels):
        if label in around:
            name = ORGANS[around[label]].name
            shares[name] = shares.get(name, 0) + int(voxels)
    most = max(shares, key=lambda name: shares[name], default=None)
    return most if most is not None and shares[most] > MOSTLY * max(int(labels.sum()), 1) else None
