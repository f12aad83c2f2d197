"""A virtual patient: the plan built into PET, CT and truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.imaging.volume import Volume
from lymphoma.simulation.anatomy import Grid, organ_map, paint_tissues
from lymphoma.simulation.frame import MID_THIGH_MM, VERTEX_MM, stretch_of
from lymphoma.simulation.lesions import LesionTruth, place_lesions
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.scanner import add_pet_noise, ct_numbers, pet_response, upsample_in_plane, with_ct_noise
from lymphoma.simulation.tissues import AIRY, LABELS, ORGAN_NAMES
from lymphoma.simulation.uptake import draw_uptake, tissue_activity

__all__ = ["Protocol", "VirtualPatient", "build_patient"]


@dataclass(frozen=True)
class Protocol:
    """How the virtual patient is imaged.

    Attributes:
        pet_spacing_mm, ct_spacing_mm: voxel edges (x, y, z). pet_matrix, ct_matrix: rows and columns; a CT matrix
            of 256 and more must be even, its anatomy is then drawn on half as many.
        axial_extent_mm: length of the field of view, centred at the diaphragm; None covers vertex to mid-thigh.
    """

    pet_spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0)
    pet_matrix: int = 168
    ct_spacing_mm: tuple[float, float, float] = (1.3671875, 1.3671875, 3.75)
    ct_matrix: int = 512
    axial_extent_mm: float | None = None


@dataclass(frozen=True, eq=False)
class VirtualPatient:
    """A patient with a known truth. PET and CT share one patient space (LPS, mm); slices go from feet to head.

    Attributes:
        pet_suv: float32, SUV by body weight. pet_noise_free: the same before noise.
        ct_hu: int16 on its own grid.
        lesion_map: uint16 on the PET grid, 0 and the numbers of ``lesions``.
        organs: uint8 on the PET grid. names: label -> organ.
    """

    plan: PatientPlan
    protocol: Protocol
    pet_suv: Volume
    pet_noise_free: Volume
    ct_hu: Volume
    lesion_map: Volume
    lesions: tuple[LesionTruth, ...]
    organs: Volume
    names: Mapping[int, str]


def build_patient(plan: PatientPlan, protocol: Protocol | None = None) -> VirtualPatient:
    """Builds PET, CT, lesion map and organ map; the same arguments give the same arrays.

    Where a lesion lies, the organ map says 0: a lesion is no part of an organ's physiological uptake.
    """
    protocol = protocol or Protocol()
    pet_grid = _grid(plan, protocol, protocol.pet_spacing_mm, protocol.pet_matrix, margin_mm=12.0)
    tissues = paint_tissues(plan, pet_grid)
    suv = draw_uptake(plan)
    placed = place_lesions(plan, tissues, tissue_activity(tissues, suv, plan), pet_grid)
    noise_free = pet_response(placed.activity, plan, pet_grid)
    noisy = add_pet_noise(noise_free, plan, float(suv[LABELS["liver"]]), protocol.pet_spacing_mm)
    organs = organ_map(np.where(placed.labels > 0, np.uint8(0), tissues), pet_grid)
    return VirtualPatient(
        plan=plan,
        protocol=protocol,
        pet_suv=Volume(noisy, pet_grid.affine),
        pet_noise_free=Volume(noise_free, pet_grid.affine),
        ct_hu=_scan_ct(plan, protocol, placed.labels, pet_grid),
        lesion_map=Volume(placed.labels, pet_grid.affine),
        lesions=placed.truths,
        organs=organs,
        names=dict(ORGAN_NAMES),
    )


def _grid(
    plan: PatientPlan, protocol: Protocol, spacing: tuple[float, float, float], matrix: int, *, margin_mm: float
) -> Grid:
    """The grid centred on the body's axis that covers the field of view."""
    stretch = stretch_of(plan, breath_mm=0.0)
    top, bottom = stretch.patient_z(VERTEX_MM) + margin_mm, stretch.patient_z(MID_THIGH_MM)
    if protocol.axial_extent_mm is not None:
        middle = stretch.patient_z(320.0)
        top, bottom = (middle + sign * protocol.axial_extent_mm / 2 for sign in (1, -1))
    slices = int(np.ceil((top - bottom) / spacing[2]))
    half = (matrix - 1) / 2
    first = (-half * spacing[0], -half * spacing[1], round(float(bottom), 1) + spacing[2] / 2)
    return Grid((slices, matrix, matrix), spacing, first)


def _scan_ct(plan: PatientPlan, protocol: Protocol, lesions: npt.NDArray[np.uint16], pet_grid: Grid) -> Volume:
    grid = _grid(plan, protocol, protocol.ct_spacing_mm, protocol.ct_matrix, margin_mm=14.0)
    factor = 2 if protocol.ct_matrix >= 256 else 1
    drawn = grid.coarser(factor)
    tissues = paint_tissues(plan, drawn, breath_mm=plan.scan.breath_mm)
    _draw_masses(tissues, drawn, lesions, pet_grid)
    hu = ct_numbers(tissues, drawn)
    fine = upsample_in_plane(hu, plan.seed) if factor == 2 else with_ct_noise(hu, plan.seed)
    return Volume(fine, grid.affine)


def _draw_masses(tissues: npt.NDArray[np.uint8], grid: Grid, lesions: npt.NDArray[np.uint16], pet_grid: Grid) -> None:
    """Lesions are soft tissue on the CT too (not inside bone or solid organs, where most are not seen)."""
    index = [
        np.clip(
            np.rint((grid.axis_mm(a) - pet_grid.first_mm[a]) / pet_grid.spacing_mm[a]), 0, pet_grid.shape[2 - a] - 1
        )
        for a in (2, 1, 0)
    ]
    k, j, i = (axis.astype(np.intp) for axis in index)
    there = lesions[np.ix_(k, j, i)] > 0
    yields = [LABELS[name] for name in AIRY]
    tissues[there & np.isin(tissues, yields)] = LABELS["muscle"]
