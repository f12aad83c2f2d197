"""A contour drawn by a person, in place of a segmenter."""

from __future__ import annotations

from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions

__all__ = ["lesions_from_contour"]


def lesions_from_contour(mask: Volume) -> Volume:
    """The lesion map of a given contour: its 26-connected components, with no threshold and no volume rule.

    Args:
        mask: non-zero inside the contour, on the PET grid. Labels that touch become one lesion.

    Returns:
        uint16, 0 background, 1..n by descending volume.
    """
    return mask.with_array(label_lesions(mask.array > 0, mask.voxel_volume_ml, min_volume_ml=0.0))
