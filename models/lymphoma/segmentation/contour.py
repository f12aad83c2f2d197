"""A contour drawn by a person, in place of a segmenter."""

from __future__ import annotations

from dataclasses import dataclass

from lymphoma.anatomy import Anatomy
from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions
from lymphoma.segmentation.delineation import Delineation

__all__ = ["GivenContour", "lesions_from_contour"]


def lesions_from_contour(mask: Volume) -> Volume:
    """The lesion map of a given contour: its 26-connected components, with no threshold and no volume rule.

    Args:
        mask: non-zero inside the contour, on the PET grid. Labels that touch become one lesion.

    Returns:
        uint16, 0 background, 1..n by descending volume.
    """
    return mask.with_array(label_lesions(mask.array > 0, mask.voxel_volume_ml, min_volume_ml=0.0))


@dataclass(frozen=True, eq=False)
class GivenContour:
    """A contour as a :class:`lymphoma.segmentation.Segmenter`: neither SUV nor organs change what a person drew.

    Attributes:
        mask: non-zero inside the contour, on the PET grid. source: what it is called, for the report.
    """

    mask: Volume
    source: str
    name: str = "reference"
    min_volume_ml: float = 0.0
    connectivity: int = 26
    needs_organs: bool = False

    @property
    def description(self) -> str:
        """What was done with it."""
        return f"given contour ({self.source}), 26-connected components, no threshold and no volume rule"

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The contour's components."""
        return Delineation(lesions_from_contour(self.mask))
