"""The body without couch and air."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.imaging import Volume, body_mask, head_axis

from tests.unit.imaging.grids import OBLIQUE, PERMUTED, zeros
from tests.unit.imaging.phantom import crop, pet_ct, solids, upside_down

pytestmark = pytest.mark.unit


def dice(a, b) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_body_with_lungs_without_couch():
    suv, hu = pet_ct(couch=True)
    truth = solids()["body"]
    found = body_mask(suv, hu)
    # the opening rounds off single voxels of the drawn surface
    assert dice(found, truth) > 0.99
    assert not np.any(found & solids()["couch"] & ~truth)
    assert np.all(found[solids()["lungs"]])


def test_a_thick_couch_holds_no_tracer():
    """A slab four voxels thick survives the opening and is larger than 2 % of the body."""
    suv, hu = pet_ct()
    array = hu.array.copy()
    array[:, 75:79, 10:90] = 0.0
    suv_array = suv.array.copy()
    suv_array[:, 75:79, 10:90] = 0.0
    assert not body_mask(suv.with_array(suv_array), hu.with_array(array))[:, 75:79].any()


def test_both_legs_of_a_cropped_scan():
    suv, hu = (crop(volume, 5, 35) for volume in pet_ct())
    found = body_mask(suv, hu)
    truth = solids()["body"][5:35]
    assert dice(found, truth) > 0.99
    # the first and last slices are as full as those between
    assert dice(found[0], truth[0]) > 0.97
    assert dice(found[-1], truth[-1]) > 0.97


def test_all_body_and_all_air():
    suv = zeros((6, 7, 8)).with_array(np.ones((6, 7, 8), np.float32))
    assert body_mask(suv, suv.with_array(np.full((6, 7, 8), 20.0))).all()
    assert not body_mask(suv, suv.with_array(np.full((6, 7, 8), -1000.0))).any()


def test_without_any_tracer_the_largest_part_is_the_body():
    hu = np.full((12, 12, 12), -1000.0)
    hu[1:8, 1:8, 1:8] = 20
    hu[9:12, 9:12, 9:12] = 20
    found = body_mask(zeros(hu.shape), zeros(hu.shape).with_array(hu))
    assert found[4, 4, 4]
    assert not found[10, 10, 10]


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (zeros((4, 4, 4)), (0, 1)),
        (upside_down(zeros((4, 4, 4))), (0, -1)),
        (zeros((4, 4, 4), rotation=PERMUTED), (1, 1)),
        (Volume(np.zeros((3, 3, 3)), np.diag([1.0, 1.0, 5.0, 1.0])), (0, 1)),
    ],
)
def test_the_way_to_the_head(volume, expected):
    assert head_axis(volume) == expected


def test_the_way_to_the_head_on_an_oblique_grid():
    """The axis with the largest share of z, by the matrix itself."""
    axis, sign = head_axis(zeros((4, 4, 4), rotation=OBLIQUE))
    shares = OBLIQUE[2][::-1]
    assert axis == int(np.argmax(np.abs(shares)))
    assert sign == np.sign(shares[axis])
