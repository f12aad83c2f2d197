"""A virtual patient: the plan built into PET, CT and truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lymphoma.imaging.volume import Volume
from lymphoma.simulation.anatomy import organ_map, paint_tissues
from lymphoma.simulation.confusers import ConfuserTruth
from lymphoma.simulation.ct import scan_ct, scan_ct_on_pet
from lymphoma.simulation.field import pet_grid, slab_protocol
from lymphoma.simulation.lesions import LesionTruth, place_lesions
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.protocol import Protocol
from lymphoma.simulation.scanner import add_pet_noise, pet_response
from lymphoma.simulation.tissues import LABELS, ORGAN_NAMES
from lymphoma.simulation.uptake import draw_uptake, physiological_uptake

__all__ = ["Protocol", "VirtualPatient", "build_patient", "build_slab"]


@dataclass(frozen=True, eq=False)
class VirtualPatient:
    """A patient with a known truth. PET and CT share one patient space (LPS, mm); slices go from feet to head.

    Attributes:
        pet_suv: float32, SUV by body weight, as calibrated (``plan.scan.suv_scale``). pet_noise_free: before noise.
        ct_hu: int16 on its own grid.
        lesion_map: uint16 on the PET grid, 0 and the numbers of ``lesions``.
        organs: uint8 on the PET grid. names: label -> organ.
        confusers: avid spots that are neither lymphoma nor an organ; no part of ``lesion_map``.
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
    confusers: tuple[ConfuserTruth, ...]


def build_patient(plan: PatientPlan, protocol: Protocol | None = None) -> VirtualPatient:
    """Builds PET, CT, lesion map and organ map; the same arguments give the same arrays.

    Where a lesion lies, the organ map says 0: a lesion is no part of an organ's physiological uptake.

    Args:
        protocol: the grids; None takes the scanner's own.
    """
    protocol = protocol or plan.scan.protocol
    grid = pet_grid(plan, protocol)
    tissues = paint_tissues(plan, grid)
    suv = draw_uptake(plan)
    uptake = physiological_uptake(tissues, suv, plan, grid)
    placed = place_lesions(plan, tissues, uptake.activity, grid)
    noise_free = pet_response(placed.activity, plan, grid)
    noisy = add_pet_noise(noise_free, plan, float(suv[LABELS["liver"]]), grid)
    if plan.scan.suv_scale != 1.0:
        noise_free, noisy = (image * np.float32(plan.scan.suv_scale) for image in (noise_free, noisy))
    on_pet = protocol.ct_on_pet_grid
    return VirtualPatient(
        plan=plan,
        protocol=protocol,
        pet_suv=Volume(noisy, grid.affine),
        pet_noise_free=Volume(noise_free, grid.affine),
        ct_hu=scan_ct_on_pet(plan, tissues, placed.labels, grid)
        if on_pet
        else scan_ct(plan, protocol, placed.labels, grid),
        lesion_map=Volume(placed.labels, grid.affine),
        lesions=placed.truths,
        organs=organ_map(np.where(placed.labels > 0, np.uint8(0), tissues), grid),
        names=dict(ORGAN_NAMES),
        confusers=uptake.confusers,
    )


def build_slab(plan: PatientPlan, *, spacing_mm: float = 4.0) -> VirtualPatient:
    """10 cm of the patient around the largest lesion, PET and CT on one grid: what a training step can wait for."""
    return build_patient(plan, slab_protocol(plan, spacing_mm=spacing_mm))
