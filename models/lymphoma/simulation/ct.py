"""The CT of a virtual patient, on its own grid or, for training, on the PET's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lymphoma.imaging.volume import Volume
from lymphoma.simulation.anatomy import Grid, paint_tissues
from lymphoma.simulation.ct_contrast import hu_of_tissues, mass_hu
from lymphoma.simulation.ct_physics import ct_numbers, expose, noise_by_slice, upsample_in_plane, with_ct_noise
from lymphoma.simulation.field import ct_grid
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.protocol import Protocol
from lymphoma.simulation.respiration import displaced_z, sample_slices
from lymphoma.simulation.tissues import TISSUES

__all__ = ["scan_ct", "scan_ct_on_pet"]

Tissues = npt.NDArray[np.uint8]
Lesions = npt.NDArray[np.uint16]
_YIELD = np.zeros(256, dtype=bool)
_YIELD[[n for n, t in enumerate(TISSUES) if t.name in ("fat", "visceral_fat") or t.name.startswith("lung")]] = True


def scan_ct(plan: PatientPlan, protocol: Protocol, lesions: Lesions, pet_grid: Grid) -> Volume:
    """The CT on the protocol's own grid, its anatomy drawn in its own breath; int16, HU.

    Args:
        lesions: the lesion map on ``pet_grid``. They are soft tissue on the CT too, in fat and lung; inside muscle,
            bone or a solid organ most are not seen.
    """
    grid = ct_grid(plan, protocol)
    factor = 2 if protocol.ct_matrix >= 256 else 1
    drawn = grid.coarser(factor)
    still = _moved(drawn, plan.scan.ct.offset_mm)
    tissues = paint_tissues(plan, still, breath_mm=plan.scan.breath_mm)
    hu = _numbers(plan, tissues, still, _nearest(lesions, pet_grid, still))
    expose(hu, plan, drawn, offset_mm=plan.scan.ct.offset_mm)
    noise = noise_by_slice(hu, drawn, plan.scan.ct)
    fine = upsample_in_plane(hu, plan.seed, noise) if factor == 2 else with_ct_noise(hu, plan.seed, noise)
    return Volume(fine, grid.affine)


def scan_ct_on_pet(plan: PatientPlan, tissues: Tissues, lesions: Lesions, grid: Grid) -> Volume:
    """The CT on the PET's grid, from the PET's tissues; breathing and misregistration are a warp of the CT numbers.

    Args:
        tissues, lesions: on ``grid``, (k, j, i).
    """
    hu = _numbers(plan, tissues, grid, lesions > 0)
    x, y, z = plan.scan.ct.offset_mm
    heights = displaced_z(plan, grid.axis_mm(2) - z, np.array([plan.scan.breath_mm]))[0]
    if not np.allclose(heights, grid.axis_mm(2), atol=0.05):
        hu = sample_slices(hu, grid, heights)
    hu = _shifted(_shifted(hu, y / grid.spacing_mm[1], axis=1), x / grid.spacing_mm[0], axis=2)
    expose(hu, plan, grid, offset_mm=(x, y, z))
    return Volume(with_ct_noise(hu, plan.seed, noise_by_slice(hu, grid, plan.scan.ct)), grid.affine)


def _numbers(
    plan: PatientPlan, tissues: Tissues, grid: Grid, lesions: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    masses = lesions & _YIELD[tissues]
    return ct_numbers(
        tissues, grid, hu_of_tissues(plan), couch=plan.scan.ct.couch, masses=masses, mass_hu=mass_hu(plan)
    )


def _shifted(image: npt.NDArray[np.float32], voxels: float, *, axis: int) -> npt.NDArray[np.float32]:
    """Moved along an axis towards higher indices, linear between voxels; its edge is repeated."""
    if voxels == 0.0:
        return image
    whole = int(np.floor(voxels))
    part = np.float32(voxels - whole)
    place = np.arange(image.shape[axis]) - whole
    near, next_ = (np.take(image, np.clip(place - n, 0, len(place) - 1), axis=axis) for n in (0, 1))
    return np.asarray(near + part * (next_ - near), dtype=np.float32)


def _moved(grid: Grid, offset_mm: tuple[float, float, float]) -> Grid:
    """The grid as the patient at rest sees it."""
    x, y, z = (first - offset for first, offset in zip(grid.first_mm, offset_mm, strict=True))
    return Grid(grid.shape, grid.spacing_mm, (x, y, z))


def _nearest(lesions: Lesions, pet_grid: Grid, grid: Grid) -> npt.NDArray[np.bool_]:
    """Where lesions lie, on another grid."""
    k, j, i = (
        np.clip(
            np.rint((grid.axis_mm(a) - pet_grid.first_mm[a]) / pet_grid.spacing_mm[a]), 0, pet_grid.shape[2 - a] - 1
        ).astype(np.intp)
        for a in (2, 1, 0)
    )
    return np.asarray(lesions[np.ix_(k, j, i)] > 0)
