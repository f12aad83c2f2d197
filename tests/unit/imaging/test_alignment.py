"""The shift between PET and CT."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.imaging import pet_ct_shift_mm

from tests.unit.imaging.phantom import crop, pet_ct, upside_down

pytestmark = pytest.mark.unit

# the working grid is 6 mm here, the peak is sought in steps of 0.3 mm along each axis
TOLERANCE_MM = 1.5


@pytest.mark.parametrize("shift_mm", [(0, 0, 0), (12, 0, 0), (3, 4, 5), (-20, 10, 7)])
def test_a_known_shift(shift_mm):
    read = pet_ct_shift_mm(*pet_ct(shift_mm, couch=True))
    assert read == pytest.approx(np.linalg.norm(shift_mm), abs=TOLERANCE_MM)


def test_the_order_of_slices_does_not_matter():
    suv, hu = pet_ct((10, 0, 8))
    read = pet_ct_shift_mm(upside_down(suv), upside_down(hu))
    assert read == pytest.approx(np.hypot(10, 8), abs=TOLERANCE_MM)


def test_a_ct_that_is_shorter_than_the_pet():
    suv, hu = pet_ct((0, 8, 0))
    array = hu.array.copy()
    array[:40] = -1024
    assert pet_ct_shift_mm(suv, hu.with_array(array)) == pytest.approx(8, abs=TOLERANCE_MM)


def test_a_piece_of_trunk_cannot_be_judged():
    suv, hu = (crop(volume, 60, 120) for volume in pet_ct())
    assert pet_ct_shift_mm(suv, hu) is None


def test_a_body_cut_at_the_sides_cannot_be_judged():
    suv, hu = pet_ct()
    inner = (slice(None), slice(42, 58), slice(30, 70))
    cut = [type(v)(v.array[inner], v.affine) for v in (suv, hu)]
    assert pet_ct_shift_mm(*cut) is None


def test_outlines_that_do_not_match_cannot_be_judged():
    suv, hu = pet_ct()
    array = suv.array.copy()
    array[:, 20:] = 0
    assert pet_ct_shift_mm(suv.with_array(array), hu) is None


def test_air_alone_cannot_be_judged():
    suv, hu = pet_ct()
    assert pet_ct_shift_mm(suv.with_array(suv.array * 0), hu.with_array(np.full_like(hu.array, -1000))) is None
