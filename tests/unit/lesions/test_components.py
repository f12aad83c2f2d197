"""Numbered components and the volume rule."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.lesions import label_lesions

pytestmark = pytest.mark.unit

CUBE_ML = 0.008
"""A voxel of 2 mm."""


def test_numbers_go_by_volume_and_then_by_first_voxel():
    mask = np.zeros((10, 10, 10), bool)
    mask[0, 0, 0:2] = True
    mask[2, 0, 0:4] = True
    mask[4, 0, 0:2] = True
    mask[6, 0, 0:3] = True
    labels = label_lesions(mask, 1.0, 0.0)
    assert labels.dtype == np.uint16
    assert [labels[k, 0, 0] for k in (2, 6, 0, 4)] == [1, 2, 3, 4]
    assert np.array_equal(labels > 0, mask)


@pytest.mark.parametrize(("connectivity", "expected"), [(6, 3), (18, 2), (26, 1)])
def test_faces_edges_corners(connectivity, expected):
    """Voxel 2 touches voxel 1 by an edge, voxel 3 touches voxel 2 by a corner."""
    mask = np.zeros((4, 4, 4), bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 2, 2] = True
    assert label_lesions(mask, 1.0, 0.0, connectivity).max() == expected


def test_exactly_three_ml_is_a_lesion():
    """375 voxels of 8 mm3 are 3.000 mL, 374 are not; 0.008 has no exact binary form."""
    mask = np.zeros((2, 30, 30), bool)
    mask[0].ravel()[:375] = True
    assert label_lesions(mask, CUBE_ML, 3.0).max() == 1
    mask[0].ravel()[374] = False
    assert label_lesions(mask, CUBE_ML, 3.0).max() == 0


def test_the_rule_drops_small_components_before_numbering():
    mask = np.zeros((9, 9, 9), bool)
    mask[0, 0, 0] = True
    mask[4:7, 4:7, 4:7] = True
    labels = label_lesions(mask, 1.0, 2.0)
    assert labels[0, 0, 0] == 0
    assert labels.max() == 1
    assert np.count_nonzero(labels) == 27


def test_nothing_gives_nothing():
    assert not label_lesions(np.zeros((3, 3, 3), bool), 1.0, 0.0).any()


def test_more_components_than_numbers():
    mask = np.zeros((84, 84, 84), bool)
    mask[::2, ::2, ::2] = True
    with pytest.raises(NotComputable) as refusal:
        label_lesions(mask, 1.0, 0.0)
    assert refusal.value.code == "TOO_MANY_LESIONS"
    assert label_lesions(mask, 1.0, 2.0).max() == 0
