"""A given contour becomes lesions as it is."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.segmentation import lesions_from_contour

from tests.unit.imaging.grids import OBLIQUE, zeros

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16])
def test_every_voxel_is_kept_however_small_the_part(dtype):
    grid = zeros((6, 6, 6), spacing=(2, 2, 2), rotation=OBLIQUE)
    mask = np.zeros(grid.array.shape, dtype)
    mask[0, 0, 0] = mask[3, 3, 3] = mask[4, 4, 4] = 1
    lesions = lesions_from_contour(grid.with_array(mask))
    assert lesions.array.dtype == np.uint16
    assert lesions.same_grid(grid)
    assert (lesions.array[3, 3, 3], lesions.array[4, 4, 4], lesions.array[0, 0, 0]) == (1, 1, 2)
    assert np.count_nonzero(lesions.array) == 3


def test_labels_that_touch_are_one_lesion():
    labels = np.zeros((3, 3, 6), np.uint16)
    labels[1, 1, 1:3], labels[1, 1, 3:5] = 1, 2
    assert lesions_from_contour(zeros(labels.shape).with_array(labels)).array[1, 1].tolist() == [0, 1, 1, 1, 1, 0]
