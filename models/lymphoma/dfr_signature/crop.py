"""Square axial crops of the lesions, 224 x 224, as the backbones read them."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from scipy import ndimage

from lymphoma.imaging.volume import Volume

__all__ = ["SIZE", "CropSettings", "Slices", "Square", "as_rgb", "cropped", "lesion_sections", "square_on", "to_lps"]

SIZE = 224
"""Rows and columns of a crop."""
CUBIC = 3
Slices = Literal["largest", "mean"]
"""The section with the largest lesion area; or sections through all of them, whose features are averaged."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class CropSettings:
    """What is cropped.

    Attributes:
        margin_mm: about the lesions' bounding box, on each side; [A] enough to show what they touch.
        slices: see :data:`Slices`. most_slices: of "mean", evenly spaced over those that show a lesion [A]; a crop of
            each image and contour is 100 kB.
    """

    margin_mm: Annotated[float, Field(ge=0)] = 10.0
    slices: Slices = "largest"
    most_slices: Annotated[int, Field(gt=0)] = 8


@dataclasses.dataclass(frozen=True)
class Square:
    """Where a crop lies.

    Attributes:
        section: index along array axis 0. row, column: of its centre, in voxels. side_mm: its edge.
    """

    section: int
    row: float
    column: float
    side_mm: float


def to_lps(volume: Volume) -> Volume:
    """The same voxels with axes as near as can be to (head, back, left) for (section, row, column) (SimpleITK).

    A volume that is so already is returned as it is; bool comes back as uint8 otherwise.
    """
    image = volume.to_sitk()
    filter_ = sitk.DICOMOrientImageFilter()
    filter_.SetDesiredCoordinateOrientation("LPS")
    moved = filter_.Execute(image)
    same = tuple(filter_.GetPermuteOrder()) == (0, 1, 2) and not any(filter_.GetFlipAxes())
    return volume if same else Volume.from_sitk(moved)


def lesion_sections(lesions: Volume, settings: CropSettings | None = None) -> tuple[int, ...]:
    """Indices of the sections to crop, from feet to head.

    The largest area is that of all lesions of a section together; of equal ones the section nearest to the head.

    Args:
        lesions: 0 outside lesions, oriented by :func:`to_lps`.

    Raises:
        ValueError: there is no lesion.
    """
    settings = settings or CropSettings()
    areas = np.count_nonzero(lesions.array, axis=(1, 2))
    shown = np.flatnonzero(areas)
    if not len(shown):
        raise ValueError("no section shows a lesion")
    if settings.slices == "largest":
        return (int(np.flatnonzero(areas == areas.max())[-1]),)
    count = min(len(shown), settings.most_slices)
    # the middles of equal stretches, so that neither end, where the lesion is smallest, is favoured
    at = np.floor((np.arange(count) + 0.5) * len(shown) / count).astype(int)
    return tuple(int(one) for one in shown[at])


def square_on(lesions: Volume, section: int, settings: CropSettings | None = None) -> Square:
    """The square about the bounding box of all lesions on a section, with its margin.

    Raises:
        ValueError: the section shows no lesion.
    """
    settings = settings or CropSettings()
    shown = lesions.array[section] != 0
    if not shown.any():
        raise ValueError("the section shows no lesion")
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    width_mm, height_mm = lesions.spacing_mm[:2]
    side = max(_length(rows) * height_mm, _length(columns) * width_mm) + 2 * settings.margin_mm
    return Square(section, float(rows[[0, -1]].mean()), float(columns[[0, -1]].mean()), float(side))


def cropped(section: npt.NDArray[Any], square: Square, spacing_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """A section's values in a square by cubic splines, (224, 224); beyond the image its border goes on.

    Pixels tile the square: the first one's centre lies half a pixel inside its edge.

    Args:
        section: (rows, columns). spacing_mm: (x, y, ...) of the volume.
    """
    offset_mm = ((np.arange(SIZE) + 0.5) / SIZE - 0.5) * square.side_mm
    at = np.meshgrid(square.row + offset_mm / spacing_mm[1], square.column + offset_mm / spacing_mm[0], indexing="ij")
    values = ndimage.map_coordinates(section.astype(np.float64), at, order=CUBIC, mode="nearest")
    return np.asarray(values, dtype=np.float32)


def as_rgb(crops: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Grey crops (..., 224, 224) as three equal channels (..., 224, 224, 3), float32."""
    return np.repeat(crops.astype(np.float32)[..., None], 3, axis=-1)


def _length(at: npt.NDArray[np.int64]) -> int:
    """Voxels from the first to the last."""
    return int(at[-1] - at[0] + 1)
