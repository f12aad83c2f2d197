"""Resampling one volume onto the grid of another."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.imaging import Volume, resample_like

from tests.unit.imaging.grids import FLIPPED, OBLIQUE, ORIENTATIONS, affine, ball, centres_mm, middle_mm, zeros

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_linear_field_keeps_its_values(orientation):
    """f = 1 + 2x - 3y + 0.5z is reproduced by block means and linear interpolation alike, whatever the axes."""
    moving = zeros((70, 75, 80), spacing=(1.2, 1.3, 2.0), origin=(-45, -50, -65))
    moving = moving.with_array((1 + centres_mm(moving) @ [2, -3, 0.5]).astype(np.float32))
    grid = zeros((6, 7, 8), spacing=(4, 5, 3), rotation=ORIENTATIONS[orientation])
    there = resample_like(moving, grid, fill=np.nan, interpolation="linear").array
    inside = ~np.isnan(there)
    assert inside.mean() > 0.9
    # float32 holds seven digits of values up to 300
    np.testing.assert_allclose(there[inside], (1 + centres_mm(grid) @ [2, -3, 0.5])[inside], atol=1e-3)


def test_fine_stripes_are_averaged_and_not_sampled():
    """1 mm stripes of +-1000 on a 4 mm grid: point samples would give +-1000, the mean is 0."""
    stripes = np.broadcast_to(np.where(np.arange(64) % 2, 1000.0, -1000.0), (16, 64, 64)).astype(np.float32)
    moving = Volume(stripes, affine((1, 1, 4)))
    grid = zeros((16, 15, 15), spacing=(4, 4, 4), origin=(2.25, 1.5, 0))
    there = resample_like(moving, grid, fill=-1024, interpolation="linear").array
    assert np.abs(there).max() < 1e-3


def test_noise_falls_as_in_a_mean():
    """Block means of 4 x 4 voxels have a quarter of the noise, seen where grid and blocks coincide."""
    noise = np.random.default_rng(1).normal(0, 100, (20, 128, 128)).astype(np.float32)
    grid = zeros((20, 32, 32), spacing=(4, 4, 4), origin=(1.5, 1.5, 0))
    there = resample_like(Volume(noise, affine((1, 1, 4))), grid, fill=0, interpolation="linear").array
    np.testing.assert_allclose(there, noise.reshape(20, 32, 4, 32, 4).mean(axis=(2, 4)), atol=1e-3)


def test_the_last_incomplete_block_is_not_lost():
    """10 voxels of 1 mm in blocks of 4: the PET voxel over the last two still reads them."""
    moving = Volume(np.full((4, 4, 10), 7.0, np.float32), affine((1, 1, 1)))
    grid = zeros((1, 1, 3), spacing=(4, 4, 4), origin=(1.5, 1.5, 1.5))
    assert resample_like(moving, grid, fill=-1024, interpolation="linear").array.tolist() == [[[7, 7, 7]]]


def test_outside_the_moving_volume_is_fill():
    moving = Volume(np.full((5, 5, 5), 40.0, np.float32), affine((4, 4, 4)))
    there = resample_like(moving, zeros((5, 5, 9)), fill=-1024, interpolation="linear").array
    assert np.all(there[..., :5] == 40)
    assert np.all(there[..., 5:] == -1024)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_])
def test_labels_stay_labels(dtype):
    moving = zeros((40, 40, 40), spacing=(2, 2, 2))
    labels = ball(moving, middle_mm(moving), 25).astype(np.uint8) * 3
    grid = zeros((20, 20, 20), spacing=(3.7, 3.9, 4.1), rotation=OBLIQUE, origin=(10, 20, 30))
    there = resample_like(moving.with_array(labels.astype(dtype)), grid, fill=0, interpolation="nearest").array
    assert there.dtype == dtype
    assert set(np.unique(there).tolist()) == set(np.unique(labels.astype(dtype)).tolist())
    # nearest neighbour errs only within half a voxel diagonal (1.7 mm) of the surface
    assert np.all(there[ball(grid, middle_mm(moving), 23)] > 0)
    assert not np.any(there[~ball(grid, middle_mm(moving), 27)])


def test_the_same_grid_turned_round_gives_the_same_voxels():
    values = np.random.default_rng(2).normal(size=(6, 7, 8)).astype(np.float32)
    moving = Volume(values, affine((4, 3, 5), origin=(1, 2, 3)))
    turned = Volume(values[::-1, :, ::-1], affine((4, 3, 5), (1 + 7 * 4, 2, 3 + 5 * 5), FLIPPED))
    np.testing.assert_allclose(resample_like(turned, moving, fill=0, interpolation="linear").array, values, atol=1e-5)
