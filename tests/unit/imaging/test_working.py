"""The working grid fills the same field, and the body's box holds the body as PET and CT show it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import body_box, crop, working_grid

pytestmark = pytest.mark.unit

AFFINE = np.diag([3.3, 5.5, 4.0, 1.0])
AFFINE[:3, 3] = (-120.0, -80.0, 30.0)


def volume(array: np.ndarray) -> Volume:
    return Volume(array.astype(np.float32), AFFINE)


def test_it_fills_the_same_field_in_voxels_of_nearly_the_edge() -> None:
    fine = volume(np.zeros((40, 30, 50)))
    grid = working_grid(fine, 6.0)
    assert grid.array.shape == (27, 28, 28)  # 160, 165 and 165 mm in sixths
    np.testing.assert_allclose(grid.extent_mm, fine.extent_mm)
    corner = [[-0.5, -0.5, -0.5]]
    np.testing.assert_allclose(grid.points_mm(corner), fine.points_mm(corner))
    np.testing.assert_allclose(grid.spacing_mm, 6.0, rtol=0.03)


def test_there_and_back_a_ramp_stays_a_ramp() -> None:
    k, j, i = np.indices((40, 30, 50))
    fine = volume(k + 2.0 * j - i)
    coarse = resample_like(fine, working_grid(fine, 6.0), fill=0.0, interpolation="linear")
    back = torch.nn.functional.interpolate(
        torch.from_numpy(coarse.array)[None, None], size=(40, 30, 50), mode="trilinear"
    )
    inner = (slice(4, -4),) * 3  # at the rim interpolation holds the last value
    np.testing.assert_allclose(back[0, 0].numpy()[inner], fine.array[inner], atol=1e-3)


def body(shape: tuple[int, int, int], box: tuple[slice, slice, slice]) -> tuple[Volume, Volume]:
    suv, ct = np.zeros(shape), np.full(shape, -1000.0)
    suv[box], ct[box] = 1.0, 40.0
    return volume(suv), volume(ct)


def test_the_box_holds_the_body_and_lies_where_it_was() -> None:
    there = (slice(10, 30), slice(8, 22), slice(15, 40))
    suv, ct = body((40, 30, 50), there)
    box = body_box(suv, ct)
    assert box == (slice(8, 32), slice(6, 24), slice(13, 42))
    part = crop(suv, box)
    assert part.array.sum() == suv.array.sum()
    np.testing.assert_allclose(part.points_mm([2, 2, 2]), suv.points_mm([10, 8, 15]))


def test_a_missing_or_displaced_ct_does_not_cut_the_pet() -> None:
    there = (slice(10, 30), slice(8, 22), slice(15, 40))
    suv, ct = body((40, 30, 50), there)
    air = ct.with_array(np.full_like(ct.array, -1000.0))
    assert body_box(suv, air) == body_box(suv, ct)
    moved = ct.with_array(np.roll(ct.array, 6, axis=0))
    assert body_box(suv, moved)[0] == slice(8, 38)
    assert body_box(suv.with_array(np.zeros_like(suv.array)), air) == tuple(slice(0, n) for n in suv.array.shape)
