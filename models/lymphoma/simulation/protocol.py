"""The grids on which a virtual patient is imaged."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TRAINING_GRID", "Protocol", "training_grid"]


@dataclass(frozen=True)
class Protocol:
    """How the virtual patient is imaged.

    Attributes:
        pet_spacing_mm, ct_spacing_mm: voxel edges (x, y, z). pet_matrix, ct_matrix: rows and columns; a CT matrix
            of 256 and more must be even, its anatomy is then drawn on half as many.
        axial_extent_mm: length of the field of view; None covers what the scan covers.
        axial_centre_mm: patient z of the middle of that length; None is the diaphragm. Without a length it says
            nothing.
        ct_on_pet_grid: the CT is drawn on the PET's grid from the same tissues, its breathing and misregistration as
            a warp of them: cheap, for training. ``ct_spacing_mm`` and ``ct_matrix`` then say nothing.
    """

    pet_spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0)
    pet_matrix: int = 168
    ct_spacing_mm: tuple[float, float, float] = (1.3671875, 1.3671875, 3.75)
    ct_matrix: int = 512
    axial_extent_mm: float | None = None
    axial_centre_mm: float | None = None
    ct_on_pet_grid: bool = False


def training_grid(edge_mm: float) -> Protocol:
    """The grid of patients for training: cubes, 512 mm across, the CT on the PET's own voxels."""
    return Protocol((edge_mm, edge_mm, edge_mm), round(512.0 / edge_mm), ct_on_pet_grid=True)


TRAINING_GRID = training_grid(4.0)
"""The usual one, in voxels of 4 mm."""
