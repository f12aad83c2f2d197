"""Diffuse lymphoma of marrow and spleen: uptake of the organ itself, patchy in the marrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import expit, ndtri

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.lesion_shapes import NEIGHBOURS
from lymphoma.simulation.lesion_uptake import ALONE_SUV, SURFACE_SUV
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.scanner import pet_response
from lymphoma.simulation.tissues import SOFT, TISSUES

__all__ = ["Infiltrated", "infiltrate"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
MARROW_ML = 1150.0
"""Volume above SUV 4 when all marrow of a body 1.72 m tall is infiltrated with an uptake of about 7."""
SMALLEST_ML = 0.2
"""Pieces below this, a few voxels at the end of a rib, are not called lesions."""
YELLOW = ("skull", "forearm")
"""Bones whose marrow is fat in adults."""
PATCH_MM, GRAIN_MM = (110.0, 380.0), (20.0, 60.0)
"""Wavelengths of the waves that say which marrow is infiltrated, and of those that vary its uptake [A]."""
EDGE = 0.15
_WAVES = 14


@dataclass(frozen=True, eq=False)
class Infiltrated:
    """One organ's infiltration on the grid.

    Attributes:
        station, organ, suv: as in the truth of a lesion.
        activity: SUV before blur of the whole grid. seen: after blur, without other hot tissue.
        pieces: int32, 0 and 1..n, 26-connected parts of the organ that are seen at SUV 4 and more.
    """

    station: str
    organ: str | None
    suv: float
    activity: Array
    seen: Array
    pieces: npt.NDArray[np.int32]


def infiltrate(plan: PatientPlan, tissues: npt.NDArray[np.uint8], activity: Array, grid: Grid) -> Iterator[Infiltrated]:
    """Infiltrated marrow, then spleen, where the plan has them; the second stands on the activity of the first."""
    disease = plan.disease
    rng = np.random.default_rng([plan.seed, 9])
    if disease.marrow_suv is not None:
        marrow = _table(lambda name, organ: name.endswith(":marrow") and not organ.startswith(YELLOW))[tissues]
        around = _table(lambda name, organ: ":" in name or name in (*SOFT, "disc", "joint"))[tissues]
        # hotter marrow is seen above SUV 4 further out
        size = MARROW_ML * (plan.person.height_m / 1.72) ** 2 * (disease.marrow_suv / 7.0) ** 0.8
        level = float(ndtri(1 - min(disease.marrow_ml / size, 0.98)))
        share = expit((_field(marrow, grid, PATCH_MM, rng) - level) / EDGE)
        uptake = disease.marrow_suv * share * np.exp(0.15 * _field(marrow, grid, GRAIN_MM, rng))
        found = _raise(plan, grid, activity, marrow, uptake, around)
        yield Infiltrated("marrow", "bone_marrow", disease.marrow_suv, *found)
        activity = found[0]
    if disease.spleen_suv is not None:
        spleen = _table(lambda name, organ: organ == "spleen")[tissues]
        uptake = disease.spleen_suv * np.exp(0.12 * _field(spleen, grid, GRAIN_MM, rng))
        yield Infiltrated("spleen", None, disease.spleen_suv, *_raise(plan, grid, activity, spleen, uptake, spleen))


def _table(wanted: Callable[[str, str], bool]) -> Mask:
    """Tissue labels for which ``wanted`` (name, organ or "") holds, shape (256,)."""
    table = np.zeros(256, dtype=bool)
    table[: len(TISSUES)] = [wanted(tissue.name, tissue.organ or "") for tissue in TISSUES]
    return table


def _field(
    where: Mask, grid: Grid, lengths_mm: tuple[float, float], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A random field of mean 0 and SD 1 at the voxels of ``where``; by place in the patient, so alike on every grid."""
    k, j, i = np.nonzero(where)
    places = np.stack([grid.axis_mm(0)[i], grid.axis_mm(1)[j], grid.axis_mm(2)[k]], axis=1)
    ways = rng.normal(size=(_WAVES, 3))
    lengths = np.exp(rng.uniform(np.log(lengths_mm[0]), np.log(lengths_mm[1]), _WAVES))
    ways *= (2 * np.pi / lengths / np.linalg.norm(ways, axis=1))[:, None]
    phases = rng.uniform(0, 2 * np.pi, _WAVES)
    return np.asarray(np.cos(places @ ways.T + phases).sum(axis=1) * np.sqrt(2 / _WAVES))


def _raise(
    plan: PatientPlan, grid: Grid, activity: Array, where: Mask, uptake: npt.NDArray[np.float64], organ: Mask
) -> tuple[Array, Array, npt.NDArray[np.int32]]:
    """Activity with ``uptake`` over ``where``, how it is seen, and its pieces within ``organ``.

    The blur carries uptake beyond a thin bone; what lies in soft tissue there is part of the piece.
    """
    raised = activity.copy()
    raised[where] = np.maximum(activity[where], uptake.astype(np.float32))
    alone = np.minimum(activity, np.float32(ALONE_SUV))
    alone[where] = raised[where]
    seen = pet_response(alone, plan, grid)
    pieces, count = ndimage.label(organ & (seen >= SURFACE_SUV), structure=NEIGHBOURS)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) * float(np.prod(grid.spacing_mm)) / 1000
    kept = sizes >= SMALLEST_ML
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return raised, seen, numbers[pieces]
