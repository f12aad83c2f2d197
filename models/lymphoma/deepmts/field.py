"""The part of the body that DeepMTS looks at, and the cubes it is resampled to.

The paper crops a box about the primary tumour of the nasopharynx. A lymphoma has no primary tumour, so the field is the
body from the skull base to the middle of the thighs [A]. It hangs from the lower edge of the brain, has one size in
millimetres for everybody and cubic voxels: nobody is squeezed, a smaller body leaves air around it, and a millilitre of
lesion is as many voxels in every patient.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.skull_base import skull_base
from lymphoma.errors import NotComputable
from lymphoma.imaging.body import body_mask
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import working_grid
from lymphoma.prognosis.system import StudyArrays

__all__ = ["CUBE_64", "CUBE_128", "LONG", "BodyField", "Placed", "place"]

Points = npt.NDArray[np.float64]

BELOW_MM = 150.0
"""From the lower edge of the hip bones to the middle of the thigh [A]."""
EDGE_SHARE = 0.01
"""Of an organ's voxels that may lie beyond what counts as its edge: an organ network errs in single voxels."""
LEAST_ML = 20.0
"""Less of an organ is a mistake of the map (a cerebellum has 120 mL, a hip bone 200) [A]."""
ROUNDING_MM = 1e-3
"""So that a slice that ends just there is shown however its place was computed."""
BODY_EDGE_MM = 8.0
"""The middle of the body needs no finer grid."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class BodyField:
    """How large the field is.

    Attributes:
        size: voxels (k, j, i): along the body, back to front, side to side; multiples of 16, 32 at least.
        edge_mm: of a voxel, along each axis.
    """

    size: tuple[int, int, int]
    edge_mm: Annotated[float, Field(gt=0)]

    def __post_init__(self) -> None:
        if any(edge % 16 or edge < 32 for edge in self.size):
            raise ValueError("each edge of the field is a multiple of 16 voxels, 32 or more")


LONG = BodyField((96, 48, 64), 10.0)
"""960 x 480 x 640 mm: as the body is longer than wide, it holds voxels a third finer than a cube of as many."""
CUBE_64 = BodyField((64, 64, 64), 15.0)
"""The same length in a cube of 64."""
CUBE_128 = BodyField((128, 128, 128), 7.5)
"""The published matrix over the same length."""


@dataclass(frozen=True, config=ConfigDict(arbitrary_types_allowed=True))
class Placed:
    """The field in one patient.

    Attributes:
        grid: without values; slices rise towards the head, rows go to the back, columns to the left.
        bottom_mm: patient z below which nothing is shown; -inf where the map does not tell the hips.
    """

    grid: Volume
    bottom_mm: float

    def shows(self, points_mm: Points) -> npt.NDArray[np.bool_]:
        """Whether points (n, 3) lie in the field."""
        index = self.grid.index_kji(points_mm)
        inside = ((index >= -0.5) & (index <= np.array(self.grid.array.shape) - 0.5)).all(axis=1)
        return np.asarray(inside & (points_mm[:, 2] >= self.bottom_mm))

    @property
    def below(self) -> npt.NDArray[np.bool_]:
        """Slices of the grid that nothing is shown in, (k,)."""
        return np.asarray(self.grid.affine[2, 3] + np.arange(self.grid.array.shape[0]) * self.grid.affine[2, 2]) < (
            self.bottom_mm
        )


def place(study: StudyArrays, field: BodyField) -> Placed:
    """Places the field.

    It hangs from the skull base (:mod:`lymphoma.anatomy.skull_base`), or from the upper end of the body where no brain
    is in view. From side to side and back to front its middle is the body's.

    Raises:
        NotComputable: ``NO_ANATOMY`` where no organ map can tell a brain: with raised arms no profile of the body tells
            where its head is. ``FOV_PARTIAL``: there is no body in the images, or none of it within the field.
    """
    study.anatomy.require("brain")
    body = _body_points(study)
    if not len(body):
        raise NotComputable("FOV_PARTIAL", "the images show no body")
    top = skull_base(study.suv, body_mask(study.suv, study.ct_hu), study.anatomy).top_mm
    hips = _ends_mm(study.anatomy, ("hip", "hip_left", "hip_right"))
    bottom = -np.inf if hips is None else hips[0] - BELOW_MM
    seen = body[(body[:, 2] <= top) & (body[:, 2] >= max(bottom, top - field.size[0] * field.edge_mm))]
    if not len(seen):
        raise NotComputable("FOV_PARTIAL", "no part of the body between skull base and thighs is in view")
    x, y = np.quantile(seen[:, :2], [EDGE_SHARE, 1 - EDGE_SHARE], axis=0).mean(axis=0)
    edge, (slices, rows, columns) = field.edge_mm, field.size
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = (x - (columns - 1) / 2 * edge, y - (rows - 1) / 2 * edge, top - (slices - 0.5) * edge)
    return Placed(Volume(np.broadcast_to(np.uint8(0), field.size), affine), float(bottom) - ROUNDING_MM)


def _body_points(study: StudyArrays) -> Points:
    """Voxel centres of the body on a coarse grid, (n, 3)."""
    coarse = working_grid(study.suv, BODY_EDGE_MM)
    suv = resample_like(study.suv, coarse, fill=0.0, interpolation="linear")
    ct = resample_like(study.ct_hu, coarse, fill=-1024.0, interpolation="linear")
    return coarse.points_mm(np.argwhere(body_mask(suv, ct)))


def _ends_mm(anatomy: Anatomy, names: tuple[str, ...]) -> tuple[float, float] | None:
    """Patient z of the lower and upper edge of organs; None where the map cannot tell them, or has too little."""
    if not anatomy.has(*names):
        return None
    organs = anatomy.require(*names)
    voxels = np.argwhere(anatomy.mask(*names))
    if len(voxels) * organs.voxel_volume_ml < LEAST_ML:
        return None
    low, high = np.quantile(organs.points_mm(voxels)[:, 2], [EDGE_SHARE, 1 - EDGE_SHARE])
    return float(low), float(high)
