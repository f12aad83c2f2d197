"""The field of view of a patient's scan as a grid, and the short one around the largest lesion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.frame import DIAPHRAGM_MM, VERTEX_MM, stretch_of
from lymphoma.simulation.lesion_places import first_place
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.protocol import Protocol, training_grid

__all__ = ["ct_grid", "pet_grid", "slab_protocol"]

_PET_AIR_MM, _CT_AIR_MM = 12.0, 14.0  # above the vertex


def pet_grid(plan: PatientPlan, protocol: Protocol) -> Grid:
    """The PET's grid, centred on the body's axis."""
    return _grid(plan, protocol, protocol.pet_spacing_mm, protocol.pet_matrix, air_mm=_PET_AIR_MM)


def ct_grid(plan: PatientPlan, protocol: Protocol) -> Grid:
    """The CT's grid; it begins where the PET's does."""
    return _grid(plan, protocol, protocol.ct_spacing_mm, protocol.ct_matrix, air_mm=_CT_AIR_MM)


def slab_protocol(plan: PatientPlan, *, extent_mm: float = 100.0, spacing_mm: float = 4.0) -> Protocol:
    """A short field of view with its middle at the planned place of the largest lesion, the CT on the PET's grid.

    The lesion mostly ends within 2 cm of it. Without lesions the diaphragm is in the middle.

    Args:
        extent_mm: length in z. spacing_mm: edge of the cubic voxels; the matrix is 512 mm wide.
    """
    centre = None
    if plan.disease.lesions:
        centre = round(first_place(plan, 0)[2], 1)
    return replace(training_grid(spacing_mm), axial_extent_mm=extent_mm, axial_centre_mm=centre)


def _grid(
    plan: PatientPlan, protocol: Protocol, spacing: tuple[float, float, float], matrix: int, *, air_mm: float
) -> Grid:
    stretch = stretch_of(plan, breath_mm=0.0)
    low, high = plan.scan.covers_mm
    bottom, top = stretch.patient_z(low), stretch.patient_z(high) + (air_mm if high >= VERTEX_MM else 0.0)
    if protocol.axial_extent_mm is not None:
        middle = protocol.axial_centre_mm
        middle = stretch.patient_z(DIAPHRAGM_MM) if middle is None else middle
        top, bottom = (middle + sign * protocol.axial_extent_mm / 2 for sign in (1, -1))
    # a length that is a whole number of slices but for the last digit is that number
    slices = int(np.ceil((top - bottom) / spacing[2] - 1e-6))
    half = (matrix - 1) / 2
    first = (-half * spacing[0], -half * spacing[1], round(float(bottom), 1) + spacing[2] / 2)
    return Grid((slices, matrix, matrix), spacing, first)
