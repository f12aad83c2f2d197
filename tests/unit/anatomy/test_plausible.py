"""One piece of a single organ, all pieces of the others."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.plausible import SINGLE, largest_parts

pytestmark = pytest.mark.unit

NAMES = {1: "liver", 2: "rib", 3: "kidney_left"}


def test_the_largest_piece_stays() -> None:
    labels = np.zeros((12, 8, 8), np.uint8)
    labels[1:5, 1:5, 1:5], labels[7:9, 1:3, 1:3] = 1, 1
    labels[5, 5, 5] = 1  # touches the large piece at a corner
    labels[9, 6:, 6:], labels[11, 0, 0] = 2, 2
    made = largest_parts(labels, NAMES)
    expected = labels.copy()
    expected[7:9, 1:3, 1:3] = 0
    np.testing.assert_array_equal(made, expected)
    assert labels[7, 1, 1] == 1  # the given map is left as it was


def test_an_empty_map_stays_empty() -> None:
    assert not largest_parts(np.zeros((3, 3, 3), np.uint8), NAMES).any()


def test_single_organs_are_classes_of_the_network() -> None:
    assert set(shipped_classes().names.values()) >= SINGLE
