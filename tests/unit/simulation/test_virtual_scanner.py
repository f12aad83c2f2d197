"""Blur, noise and CT numbers."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.simulation import draw_patient
from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.scanner import CT_NOISE_HU, add_pet_noise, blur, ct_numbers, upsample_in_plane, with_ct_noise
from lymphoma.simulation.tissues import LABELS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (2.0, 2.0, 3.0)])
def test_width_of_the_point_spread(spacing: tuple[float, float, float]) -> None:
    point = np.zeros((41, 41, 41), dtype=np.float32)
    point[20, 20, 20] = 1.0
    spread = blur(point, 6.0, spacing)
    assert spread.sum() == pytest.approx(1.0, abs=1e-4)
    for axis in range(3):
        profile = spread.sum(axis=tuple(n for n in range(3) if n != axis)).astype(float)
        place = (np.arange(41) - 20) * spacing[2 - axis]
        width = np.sqrt((profile * place**2).sum() / profile.sum()) * 2.3548
        # truncated at 3.5 sigma and sampled at a third to a half of the width
        assert width == pytest.approx(6.0, rel=0.02)


def test_noise_in_the_liver_is_as_planned() -> None:
    plan = draw_patient(3)
    uniform = np.full((60, 60, 60), 2.2, dtype=np.float32)
    noisy = add_pet_noise(uniform, plan, 2.2, (4.0, 4.0, 4.0))
    # 216,000 voxels correlated over about 1.4 voxels: the SD is known to better than 2 %
    assert noisy.std() / noisy.mean() == pytest.approx(plan.scan.liver_cov, rel=0.03)
    assert noisy.mean() == pytest.approx(2.2, rel=0.005)
    colder = add_pet_noise(np.full((60, 60, 60), 0.55, dtype=np.float32), plan, 2.2, (4.0, 4.0, 4.0))
    # variance goes with uptake: a quarter of it, half the SD (and the small floor of 0.004)
    assert colder.std() / noisy.std() == pytest.approx(0.5, rel=0.03)


def test_ct_on_twice_the_matrix() -> None:
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32) * 10, (30, 40, 40))
    fine = upsample_in_plane(np.ascontiguousarray(ramp), seed=1)
    assert fine.shape == (30, 80, 80)
    expected = (np.arange(80) - 0.5) * 5.0
    # the mean of 30 x 80 noisy pixels of SD 13, correlated over neighbours, has a standard error below 1 HU
    assert fine.mean(axis=(0, 1))[2:-2] == pytest.approx(expected[2:-2], abs=3.0)
    assert (fine - expected)[:, :, 4:-4].std() == pytest.approx(CT_NOISE_HU, rel=0.05)


def test_ct_numbers_of_tissues() -> None:
    grid = Grid((2, 64, 64), (4.0, 4.0, 4.0), (-126.0, -126.0, 0.0))
    tissues = np.full(grid.shape, LABELS["liver"], dtype=np.uint8)
    hu = with_ct_noise(ct_numbers(tissues, grid), seed=2)
    assert hu.mean() == pytest.approx(58, abs=1.0)
    assert hu.dtype == np.int16


def test_couch_lies_under_the_back() -> None:
    grid = Grid((2, 96, 96), (5.0, 5.0, 5.0), (-237.5, -237.5, 0.0))
    tissues = np.zeros(grid.shape, dtype=np.uint8)
    tissues[:, 30:60, 30:66] = LABELS["muscle"]
    hu = ct_numbers(tissues, grid)
    assert (hu[:, 62:72, 40:56].max(axis=1) > -700).all()
    assert (hu[:, :28] < -950).all()
    assert (ct_numbers(tissues, grid, couch=False)[:, 63:] < -950).all()
