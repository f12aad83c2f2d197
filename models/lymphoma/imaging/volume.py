"""The volume: an array with its affine in patient space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

__all__ = ["Volume"]


@dataclass(frozen=True, eq=False)
class Volume:
    """Values on a regular grid in the patient.

    Attributes:
        array: shape (slices, rows, columns), index order (k, j, i).
        affine: shape (4, 4), float64; maps the voxel index (i column, j row, k slice, 1) to the centre of that
            voxel in patient space, LPS, in mm (the convention of DICOM PS3.3 C.7.6.2.1.1).
    """

    array: npt.NDArray[Any]
    affine: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise ValueError(f"a volume has three axes, not {self.array.ndim}")
        if self.affine.shape != (4, 4):
            raise ValueError(f"an affine is 4x4, not {self.affine.shape}")

    @cached_property
    def spacing_mm(self) -> npt.NDArray[np.float64]:
        """Voxel edges (x, y, z) = (column step, row step, slice step), in mm."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def extent_mm(self) -> npt.NDArray[np.float64]:
        """Outer size (x, y, z) of the grid along its own axes, in mm, voxel edge to voxel edge."""
        return np.asarray(self.spacing_mm * np.asarray(self.array.shape[::-1]))

    def points_mm(self, index_kji: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Patient coordinates of voxel indices.

        Args:
            index_kji: shape (..., 3), array index order (k, j, i); fractions allowed.

        Returns:
            shape (..., 3), LPS (x, y, z) in mm.
        """
        ijk = np.asarray(index_kji, dtype=np.float64)[..., ::-1]
        return np.asarray(ijk @ self.affine[:3, :3].T + self.affine[:3, 3])

    def index_kji(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Fractional array indices (k, j, i) of patient points (x, y, z) in mm; shape (..., 3) to (..., 3)."""
        shifted = np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        return np.asarray((shifted @ np.linalg.inv(self.affine[:3, :3]).T)[..., ::-1])

    def same_grid(self, other: Volume, tolerance_mm: float = 1e-3) -> bool:
        """Whether both have the same shape and every voxel centre agrees within ``tolerance_mm``."""
        if self.array.shape != other.array.shape:
            return False
        corners = np.array([[0, 0, 0], [n - 1 for n in self.array.shape]])
        same_axes = np.allclose(self.affine[:3, :3], other.affine[:3, :3], atol=tolerance_mm / max(self.array.shape))
        return same_axes and np.allclose(self.points_mm(corners), other.points_mm(corners), atol=tolerance_mm)

    def with_array(self, array: npt.NDArray[Any]) -> Self:
        """The same grid with other values; ``array`` has the shape of this volume."""
        if array.shape != self.array.shape:
            raise ValueError(f"the grid is {self.array.shape}, the array {array.shape}")
        return type(self)(array, self.affine)

    def to_sitk(self) -> sitk.Image:
        """As a SimpleITK image (bool becomes uint8)."""
        values = self.array.astype(np.uint8) if self.array.dtype == np.bool_ else self.array
        image = sitk.GetImageFromArray(np.ascontiguousarray(values))
        spacing = self.spacing_mm
        image.SetSpacing(spacing.tolist())
        image.SetOrigin(self.affine[:3, 3].tolist())
        image.SetDirection((self.affine[:3, :3] / spacing).ravel().tolist())
        return image

    @classmethod
    def from_sitk(cls, image: sitk.Image) -> Self:
        """From a three-dimensional SimpleITK image."""
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
        affine[:3, 3] = image.GetOrigin()
        return cls(sitk.GetArrayFromImage(image), affine)

    def save(self, path: Path) -> None:
        """Writes any format SimpleITK knows by its suffix; ``.nrrd`` keeps the geometry in full precision."""
        sitk.WriteImage(self.to_sitk(), str(path), useCompression=self.array.dtype.kind in "biu")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what :meth:`save` wrote, or any volume SimpleITK can read (NIfTI arrives in LPS)."""
        return cls.from_sitk(sitk.ReadImage(str(path)))
