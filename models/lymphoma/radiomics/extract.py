"""The 1456 features of a region, and of each lesion of a map, on the PET grid.

The images are transformed once for all regions; images and regions are then worked through by several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.radiomics.families import TOO_SMALL, image_features, shape_features
from lymphoma.radiomics.layout import Layout, lay_out
from lymphoma.radiomics.names import IMAGES, MODALITIES, NAMES
from lymphoma.radiomics.processes import cores, run_all
from lymphoma.radiomics.settings import RadiomicsSettings
from lymphoma.radiomics.wavelets import region_values

__all__ = ["LesionRadiomics", "Radiomics", "extract", "extract_lesions"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DEFAULTS = RadiomicsSettings()
VOXELS_WORTH_IT, LESIONS_WORTH_IT = 50_000, 25
"""From here on it takes longer to work through a study (5 s) than to start processes for it (2 to 4 s)."""
LEAST_AXES = 2
"""A region must be wider than one voxel along at least two axes, as the library asks: a line has no texture in 3D."""


@dataclass(frozen=True, eq=False)
class Radiomics:
    """Features of one region.

    Attributes:
        names: (1456,), :data:`lymphoma.radiomics.names.NAMES`. values: (1456,) float64, all finite.
    """

    names: tuple[str, ...]
    values: Floats

    @cached_property
    def by_name(self) -> Mapping[str, float]:
        """Name -> value."""
        return dict(zip(self.names, self.values.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class LesionRadiomics:
    """Features of each lesion.

    Attributes:
        found: number of a lesion -> its features. left_out: number -> why it has none.
    """

    found: Mapping[int, Radiomics]
    left_out: Mapping[int, str]


@dataclass(frozen=True, eq=False)
class _Voxels:
    """The voxels of all regions of a study, and their values.

    Attributes:
        number: (N,) of the region, in array order. values: modality -> (9, N).
    """

    labels: npt.NDArray[np.int32]
    number: npt.NDArray[np.int32]
    values: Mapping[str, Floats]
    spacing_mm: tuple[float, float, float]


def extract(
    suv: Volume,
    ct_hu: Volume,
    region: Volume,
    settings: RadiomicsSettings = DEFAULTS,
    *,
    workers: int | None = None,
) -> Radiomics:
    """All features of one region, which may be of several parts (the lesions of a patient together).

    Args:
        suv: SUV in g/mL. ct_hu: HU. region: above 0 in the region; all three on the PET grid, (slices, rows, columns).
        workers: processes; 1 stays in this one, None does so for a small region and else takes all cores.

    Raises:
        NotComputable: ``REGION_TOO_SMALL``, also for an empty one; ``VALUES_NOT_FINITE``.
        ValueError: different grids.
    """
    labels = (region.array > 0).astype(np.int32)
    voxels = _voxels(suv, ct_hu, region, labels, settings)
    inside, layout = _checked(voxels, 1)
    jobs = [
        partial(
            image_features,
            layout,
            voxels.values[modality][image],
            voxels.spacing_mm,
            settings.bin_width(modality),
            settings.distance_voxels,
        )
        for modality in MODALITIES
        for image in range(len(IMAGES))
    ]
    # The meshes of a large region take longest: they begin first.
    all_jobs = [partial(shape_features, inside, voxels.spacing_mm), *jobs]
    parts = run_all(all_jobs, workers or (cores() if voxels.number.size >= VOXELS_WORTH_IT else 1))
    return Radiomics(NAMES, np.concatenate([*parts[1:], parts[0]]))


def extract_lesions(
    suv: Volume,
    ct_hu: Volume,
    lesion_map: Volume,
    numbers: Sequence[int] | None = None,
    settings: RadiomicsSettings = DEFAULTS,
    *,
    workers: int | None = None,
) -> LesionRadiomics:
    """All features of each lesion.

    Args:
        lesion_map: 0 background, 1..n lesions. numbers: those that are asked for; None: all. workers: as above.

    Raises:
        NotComputable: ``VALUES_NOT_FINITE``. A lesion that is too small is left out and said.
        ValueError: different grids, or a number that the map does not hold.
    """
    there = [int(number) for number in np.unique(lesion_map.array) if number > 0]
    wanted = there if numbers is None else [int(number) for number in numbers]
    if set(wanted) - set(there):
        raise ValueError("the lesion map does not hold all lesions that were asked for")
    if not wanted:
        return LesionRadiomics({}, {})
    labels = np.where(np.isin(lesion_map.array, wanted), lesion_map.array, 0).astype(np.int32)
    voxels = _voxels(suv, ct_hu, lesion_map, labels, settings)
    left_out: dict[int, str] = {}
    jobs: dict[int, Callable[[], Floats | str]] = {}
    for number in wanted:
        try:
            inside, layout = _checked(voxels, number)
        except NotComputable as fault:
            left_out[number] = fault.reason
            continue
        own = voxels.number == number
        values = {modality: voxels.values[modality][:, own] for modality in MODALITIES}
        jobs[number] = partial(_all_features, inside, layout, values, voxels.spacing_mm, settings)
    many = voxels.number.size >= VOXELS_WORTH_IT or len(jobs) >= LESIONS_WORTH_IT
    found: dict[int, Radiomics] = {}
    for number, outcome in zip(jobs, run_all(list(jobs.values()), workers or (cores() if many else 1)), strict=True):
        if isinstance(outcome, str):
            left_out[number] = outcome
        else:
            found[number] = Radiomics(NAMES, outcome)
    return LesionRadiomics(found, left_out)


def _voxels(
    suv: Volume, ct_hu: Volume, region: Volume, labels: npt.NDArray[np.int32], settings: RadiomicsSettings
) -> _Voxels:
    if not (suv.same_grid(ct_hu) and suv.same_grid(region)):
        raise ValueError("PET, CT and region must be on one grid")
    inside = labels > 0
    values: dict[str, Floats] = {}
    for modality, volume in zip(MODALITIES, (suv, ct_hu), strict=True):
        values[modality] = region_values(volume.array, inside, settings.wavelet)
        if not np.isfinite(values[modality]).all():
            raise NotComputable("VALUES_NOT_FINITE", f"the {modality.upper()} holds no number at or beside the region")
    x, y, z = (float(edge) for edge in suv.spacing_mm)
    return _Voxels(labels, labels[inside], values, (x, y, z))


def _checked(voxels: _Voxels, number: int) -> tuple[Bools, Layout]:
    """A region cropped to what it holds, and laid out."""
    box = ndimage.find_objects(voxels.labels, max_label=number)[number - 1] if voxels.number.size else None
    if box is None:
        raise NotComputable(TOO_SMALL, "the region is empty")
    inside = voxels.labels[box] == number
    if sum(size > 1 for size in inside.shape) < LEAST_AXES:
        raise NotComputable(TOO_SMALL, "the region is a line of voxels, or a single one")
    return inside, lay_out(inside)


def _all_features(
    inside: Bools,
    layout: Layout,
    values: Mapping[str, Floats],
    spacing_mm: tuple[float, float, float],
    settings: RadiomicsSettings,
) -> Floats | str:
    """All features of a lesion, or why it has none: an error of one lesion must not end the others."""
    try:
        parts = [
            image_features(layout, row, spacing_mm, settings.bin_width(modality), settings.distance_voxels)
            for modality in MODALITIES
            for row in values[modality]
        ]
        return np.concatenate([*parts, shape_features(inside, spacing_mm)])
    except NotComputable as fault:
        return fault.reason
