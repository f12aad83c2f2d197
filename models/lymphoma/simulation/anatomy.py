"""From a plan to the patient's tissues on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.imaging.volume import Volume
from lymphoma.simulation.build import build_of
from lymphoma.simulation.chest import paint_chest
from lymphoma.simulation.frame import Canvas, Frame, stretch_of
from lymphoma.simulation.head import paint_airway, paint_head
from lymphoma.simulation.muscles import paint_muscles
from lymphoma.simulation.outline import paint_outline
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.skeleton import paint_skeleton
from lymphoma.simulation.tissues import ORGAN_NAMES, TISSUES
from lymphoma.simulation.viscera import paint_abdomen, paint_pelvic_organs

__all__ = ["Grid", "organ_map", "paint_tissues"]


@dataclass(frozen=True)
class Grid:
    """An axial grid of the patient, slices from the feet to the head.

    Attributes:
        shape: (slices, rows, columns). spacing_mm: (x, y, z). first_mm: centre of voxel (0, 0, 0), LPS (x, y, z).
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    first_mm: tuple[float, float, float]

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """As in :class:`lymphoma.imaging.volume.Volume`."""
        affine = np.diag([*self.spacing_mm, 1.0])
        affine[:3, 3] = self.first_mm
        return affine

    def axis_mm(self, axis: int) -> npt.NDArray[np.float64]:
        """Voxel centres along x (0), y (1) or z (2), mm."""
        return np.asarray(
            self.first_mm[axis] + self.spacing_mm[axis] * np.arange(self.shape[2 - axis]), dtype=np.float64
        )

    def coarser(self, factor: int) -> Grid:
        """The same field with in-plane voxels ``factor`` times as large; rows and columns must divide by it."""
        k, j, i = self.shape
        if j % factor or i % factor:
            raise ValueError(f"{j} x {i} does not divide by {factor}")
        x, y, z = self.spacing_mm
        shift = (factor - 1) / 2
        first = (self.first_mm[0] + shift * x, self.first_mm[1] + shift * y, self.first_mm[2])
        return Grid((k, j // factor, i // factor), (x * factor, y * factor, z), first)


def paint_tissues(plan: PatientPlan, grid: Grid, *, breath_mm: float = 0.0) -> npt.NDArray[np.uint8]:
    """Tissue labels (numbers of :data:`lymphoma.simulation.tissues.LABELS`) at the voxel centres of ``grid``.

    Args:
        breath_mm: how far the diaphragm lies below its place in the PET.

    Returns:
        uint8 of the grid's shape.
    """
    stretch = stretch_of(plan, breath_mm=breath_mm)
    canvas = Canvas.empty(Frame(*stretch.coordinates(grid.axis_mm(0), grid.axis_mm(1), grid.axis_mm(2))))
    build = build_of(plan)
    paint_outline(canvas, plan, build)
    paint_muscles(canvas)
    paint_chest(canvas, build)
    paint_abdomen(canvas, build)
    paint_pelvic_organs(canvas, build, plan)
    paint_skeleton(canvas, build)
    paint_head(canvas, build)
    paint_airway(canvas)
    return canvas.labels


def organ_map(tissues: npt.NDArray[np.uint8], grid: Grid) -> Volume:
    """Tissue labels to organ labels (:data:`lymphoma.simulation.tissues.ORGAN_NAMES`), uint8."""
    number = {organ: label for label, organ in ORGAN_NAMES.items()}
    table = np.zeros(256, dtype=np.uint8)
    for label, tissue in enumerate(TISSUES):
        table[label] = number[tissue.organ] if tissue.organ is not None else 0
    return Volume(table[tissues], grid.affine)
