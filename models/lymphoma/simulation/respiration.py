"""Breathing as a warp along the patient's axis: the PET is the mean over the cycle, the CT shows one phase of it.

The displacement is that of :class:`lymphoma.simulation.frame.Stretch`: largest at the diaphragm, none at the head and
in the pelvis.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.plan import PatientPlan

__all__ = ["breathing_average", "displaced_z", "phases_mm", "sample_slices"]

Array = npt.NDArray[np.float32]
PHASES = 8


def phases_mm(amplitude_mm: float) -> npt.NDArray[np.float64]:
    """Displacement of the diaphragm in 8 phases of a sin^4 cycle, about its mean; positive towards the feet."""
    cycle = np.sin(np.pi * (np.arange(PHASES) + 0.5) / PHASES) ** 4
    return np.asarray(amplitude_mm * (cycle - cycle.mean()))


def displaced_z(plan: PatientPlan, z_mm: npt.NDArray[np.float64], breath_mm: float) -> npt.NDArray[np.float64]:
    """Where the tissue that lies at ``z_mm`` with the diaphragm ``breath_mm`` lower lies at rest; both patient z."""
    table = np.arange(z_mm.min() - 60.0, z_mm.max() + 62.0, 2.0)
    rest = stretch_of(plan, breath_mm=0.0).reference_z(table)
    return np.asarray(np.interp(stretch_of(plan, breath_mm=breath_mm).reference_z(z_mm), rest, table))


def breathing_average(activity: Array, plan: PatientPlan, z_mm: npt.NDArray[np.float64]) -> Array:
    """The mean of the activity over the breathing cycle.

    Args:
        activity: at rest, (k, j, i). z_mm: of its slices, ascending and evenly spaced.
    """
    if plan.scan.respiration_mm == 0.0 or len(z_mm) < 2:
        return activity
    weights = sum(_weights(z_mm, displaced_z(plan, z_mm, phase)) for phase in phases_mm(plan.scan.respiration_mm))
    return _apply(weights / PHASES, activity)


def sample_slices(volume: Array, grid: Grid, z_mm: npt.NDArray[np.float64]) -> Array:
    """The volume at other heights, by cubic interpolation; beyond its ends its last slices."""
    return _apply(_weights(grid.axis_mm(2), z_mm), volume)


def _weights(at_mm: npt.NDArray[np.float64], wanted_mm: npt.NDArray[np.float64]) -> sparse.csr_matrix:
    """Catmull-Rom weights: four slices each; linear weights would blur by up to half a slice more."""
    count = len(at_mm)
    place = np.clip((wanted_mm - at_mm[0]) / (at_mm[1] - at_mm[0]), 0, count - 1)
    below = np.minimum(place.astype(np.intp), max(count - 2, 0))
    t = place - below
    taps = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
    columns = np.clip(below + np.arange(-1, 3)[:, None], 0, count - 1)
    rows = np.broadcast_to(np.arange(len(wanted_mm)), columns.shape)
    matrix = sparse.coo_matrix((taps.ravel(), (rows.ravel(), columns.ravel())), shape=(len(wanted_mm), count))
    return matrix.tocsr()


def _apply(weights: sparse.csr_matrix, volume: Array) -> Array:
    mixed = weights.astype(np.float32) @ volume.reshape(volume.shape[0], -1)
    return np.asarray(mixed, dtype=np.float32).reshape(-1, *volume.shape[1:])
