"""Breathing as a warp along the patient's axis: the PET is the mean over the cycle, the CT shows one phase of it.

The displacement is that of :class:`lymphoma.simulation.frame.Stretch`: largest at the diaphragm, none at the head and
in the pelvis.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

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
    cycle = np.sin(np.pi * np.arange(PHASES) / PHASES) ** 4
    return np.asarray(amplitude_mm * (cycle - cycle.mean()))


def displaced_z(
    plan: PatientPlan, z_mm: npt.NDArray[np.float64], breath_mm: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Where tissue lies at rest that lies at ``z_mm`` with the diaphragm lower; all patient z.

    Args:
        z_mm: shape (k,). breath_mm: shape (n,), by how much lower.

    Returns:
        shape (n, k).
    """
    rest = stretch_of(plan, breath_mm=0.0)
    table = np.arange(z_mm.min() - 60.0, z_mm.max() + 62.0, 2.0)
    heights = rest.reference_z(table)
    moved = [np.interp(replace(rest, breath_mm=float(b)).reference_z(z_mm), heights, table) for b in breath_mm]
    return np.asarray(moved)


def breathing_average(activity: Array, plan: PatientPlan, z_mm: npt.NDArray[np.float64]) -> Array:
    """The mean of the activity over the breathing cycle.

    Args:
        activity: at rest, (k, j, i). z_mm: of its slices, ascending and evenly spaced.
    """
    if plan.scan.respiration_mm == 0.0 or len(z_mm) < 2:
        return activity
    return _apply(_cycle_weights(plan, float(z_mm[0]), float(z_mm[1] - z_mm[0]), len(z_mm)), activity)


@lru_cache(maxsize=32)
def _cycle_weights(plan: PatientPlan, first_mm: float, step_mm: float, count: int) -> sparse.csr_matrix:
    """How much each slice at rest gives to each slice of the mean; kept, because lesions ask for it many times."""
    z = np.asarray(first_mm + step_mm * np.arange(count), dtype=np.float64)
    return _weights(z, displaced_z(plan, z, phases_mm(plan.scan.respiration_mm)))


def sample_slices(volume: Array, grid: Grid, z_mm: npt.NDArray[np.float64]) -> Array:
    """The volume at other heights, by cubic interpolation; beyond its ends its last slices."""
    return _apply(_weights(grid.axis_mm(2), z_mm[None]), volume)


def _weights(at_mm: npt.NDArray[np.float64], wanted_mm: npt.NDArray[np.float64]) -> sparse.csr_matrix:
    """Catmull-Rom weights of slices at ``at_mm`` for the mean over n sets of heights ``wanted_mm``, (n, k).

    Linear weights would blur by up to half a slice more.
    """
    count, (sets, rows) = len(at_mm), wanted_mm.shape
    place = np.clip((wanted_mm.ravel() - at_mm[0]) / (at_mm[1] - at_mm[0]), 0, count - 1)
    below = np.minimum(place.astype(np.intp), max(count - 2, 0))
    t = place - below
    taps = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
    columns = np.clip(below + np.arange(-1, 3)[:, None], 0, count - 1)
    row = np.broadcast_to(np.tile(np.arange(rows), sets), columns.shape)
    values = (taps / (2 * sets)).astype(np.float32).ravel()
    return sparse.csr_matrix((values, (row.ravel(), columns.ravel())), shape=(rows, count))


def _apply(weights: sparse.csr_matrix, volume: Array) -> Array:
    mixed = weights @ volume.reshape(volume.shape[0], -1)
    return np.asarray(mixed, dtype=np.float32).reshape(-1, *volume.shape[1:])
