"""The PET: blur, overshoot, breathing and noise are as the scan says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.simulation import PatientPlan, draw_patient
from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.respiration import breathing_average, displaced_z, phases_mm
from lymphoma.simulation.scanner import add_pet_noise, blur, edge_response, pet_response

pytestmark = pytest.mark.unit

Array = npt.NDArray[np.float32]
NEAR = Grid((41, 41, 41), (2.0, 2.0, 2.0), (-40.0, -40.0, 300.0))


def _plan(seed: int = 3, **scan: float) -> PatientPlan:
    plan = draw_patient(seed)
    return replace(plan, scan=replace(plan.scan, **scan))


def _fwhm_mm(profile: npt.NDArray[np.float64], step_mm: float) -> float:
    """Width at half maximum, linear between samples."""
    half = profile.max() / 2
    above = np.flatnonzero(profile >= half)
    low, high = int(above[0]), int(above[-1])
    left = low - (profile[low] - half) / (profile[low] - profile[low - 1])
    right = high + (profile[high] - half) / (profile[high] - profile[high + 1])
    return float(right - left) * step_mm


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


@pytest.mark.parametrize("overshoot", [0.10, 0.18, 0.25])
def test_an_edge_overshoots_as_planned_and_keeps_its_width(overshoot: float) -> None:
    edge = np.zeros((4, 4, 241), dtype=np.float32)
    edge[:, :, 121:] = 1.0
    seen = edge_response(edge, 6.0, overshoot, (0.5, 2.0, 2.0))[2, 2].astype(float)
    # half a millimetre of sampling, and wide kernels cut at 3.5 sigma
    assert seen.max() - 1 == pytest.approx(overshoot, abs=0.01)
    assert _fwhm_mm(np.diff(seen), 0.5) == pytest.approx(6.0, rel=0.02)
    assert seen[-1] == pytest.approx(1.0, abs=0.005)
    plain = edge_response(edge, 6.0, 0.0, (0.5, 2.0, 2.0))[2, 2]
    assert plain.max() <= 1.0 + 1e-5


def test_blur_grows_with_the_radius() -> None:
    plan = _plan(psf_fwhm_mm=5.0, psf_growth=0.4)
    grid = Grid((31, 31, 211), (2.0, 2.0, 2.0), (-10.0, -30.0, 300.0))
    points = np.zeros(grid.shape, dtype=np.float32)
    for column in (5, 105):  # at x = 0 and 200 mm
        points[15, 15, column] = 1.0
    seen = pet_response(points, plan, grid)
    at_centre, far = (_fwhm_mm(seen[15, :, column].astype(float), 2.0) for column in (5, 105))
    # two to three voxels a width: interpolation is right to some per cent
    assert at_centre == pytest.approx(5.0, rel=0.05)
    assert far == pytest.approx(7.0, rel=0.05)
    # a patch whose place in the plane is not known lies between the two
    patch = pet_response(np.ascontiguousarray(points[:, :, :21]), plan, grid, slices=slice(0, 31))
    assert at_centre < _fwhm_mm(patch[15, :, 5].astype(float), 2.0) < far


def test_air_around_the_body_alters_nothing() -> None:
    """What is left out to save time is dark with and without it."""
    plan = _plan(psf_growth=0.2, overshoot=0.15, respiration_mm=10.0)
    activity = np.zeros(NEAR.shape, dtype=np.float32)
    activity[:, 14:27, 15:25] = 3.0
    wide = Grid((41, 61, 61), NEAR.spacing_mm, (-60.0, -60.0, 300.0))
    padded = np.pad(activity, ((0, 0), (10, 10), (10, 10)))
    seen, seen_wide = pet_response(activity, plan, NEAR), pet_response(padded, plan, wide)
    assert seen_wide[:, 10:-10, 10:-10] == pytest.approx(seen, abs=1e-3)
    assert seen_wide[:, :4].max() < 1e-3


def test_phases_of_breathing() -> None:
    phases = phases_mm(16.0)
    assert len(phases) == 8
    assert phases.sum() == pytest.approx(0.0, abs=1e-9)
    # most of a sin^4 cycle is spent near expiration
    assert (phases < 0).sum() >= 5
    assert np.ptp(phases) == pytest.approx(16.0)


def test_pet_is_the_mean_over_the_cycle_and_only_where_the_body_breathes() -> None:
    plan = _plan(respiration_mm=16.0, psf_fwhm_mm=4.0)
    stretch = stretch_of(plan, breath_mm=0.0)
    z = 2.0 * np.arange(600) + stretch.patient_z(-150.0)
    for reference, moves in ((320.0, True), (20.0, False), (740.0, False)):
        slice_at = int(np.searchsorted(z, stretch.patient_z(reference)))
        lamp = np.zeros((len(z), 2, 2), dtype=np.float32)
        lamp[slice_at] = 1.0
        mean = breathing_average(lamp, plan, z)[:, 0, 0].astype(float)
        # at the diaphragm the warp presses tissue together by a few per cent
        assert mean.sum() == pytest.approx(1.0, abs=0.08)
        place = z - z[slice_at]
        centre = float((mean * place).sum() / mean.sum())
        variance = float((mean * (place - centre) ** 2).sum() / mean.sum())
        # sin^4 of 16 mm has an SD of 5.9 mm in the reference body; what lies far from the diaphragm stays sharp
        assert variance == pytest.approx(35.0, rel=0.3) if moves else abs(variance) < 1.0
        assert centre == pytest.approx(0.0, abs=0.8)


def test_the_diaphragm_moves_by_what_is_asked() -> None:
    plan = draw_patient(5)
    z = np.array([stretch_of(plan, breath_mm=0.0).patient_z(320.0)])
    up, down = displaced_z(plan, z, np.array([-10.0, 10.0]))[:, 0] - z[0]
    # lower by 10 mm: what is seen at a height lay 10 mm (of the reference body's length) higher at rest
    assert down == pytest.approx(10.0, rel=0.2)
    assert up == pytest.approx(-10.0, rel=0.2)


def _noisy(plan: PatientPlan, suv: float = 2.2, shape: tuple[int, int, int] = (60, 60, 60)) -> Array:
    grid = Grid(shape, (4.0, 4.0, 4.0), (-118.0, -118.0, 300.0))
    return add_pet_noise(np.full(shape, suv, dtype=np.float32), plan, 2.2, grid)


def test_noise_in_the_liver_is_as_planned() -> None:
    plan = draw_patient(3)
    noisy = _noisy(plan)
    # 216,000 voxels correlated over about 1.4 voxels: the SD is known to better than 2 %
    assert noisy.std() / noisy.mean() == pytest.approx(plan.scan.liver_cov, rel=0.03)
    assert noisy.mean() == pytest.approx(2.2, rel=0.005)
    colder = _noisy(plan, 0.55)
    # variance goes with uptake: a quarter of it, half the SD (and the small floor of 0.004)
    assert colder.std() / noisy.std() == pytest.approx(0.5, rel=0.03)
    assert _noisy(_plan(liver_cov=0.25), 0.02).min() >= 0.0


@pytest.mark.parametrize("fwhm_mm", [4.0, 8.0])
def test_correlation_length_of_the_noise(fwhm_mm: float) -> None:
    grid = Grid((40, 60, 60), (2.0, 2.0, 2.0), (-59.0, -59.0, 300.0))
    plan = _plan(noise_fwhm_mm=fwhm_mm, liver_cov=0.1)
    noise = add_pet_noise(np.full(grid.shape, 2.0, dtype=np.float32), plan, 2.0, grid) - 2.0
    assert noise.std() == pytest.approx(0.2, rel=0.05)
    lag = float((noise[:, :, 2:] * noise[:, :, :-2]).mean() / noise.var())
    # white noise through a Gaussian: correlation exp(-d^2 / (4 s^2)) at a distance of d = 4 mm
    sigma = fwhm_mm / 2.3548
    assert lag == pytest.approx(np.exp(-16 / (4 * sigma**2)), abs=0.03)


def test_noise_rises_in_the_depth_and_between_beds() -> None:
    many = [_noisy(replace(_plan(noise_rise=0.5, liver_cov=0.1), seed=seed)) - 2.2 for seed in range(8)]
    spread = np.std(many, axis=0)
    x = np.abs(np.arange(60) - 29.5) * 4.0
    axis, rim = x < 30, x > 100
    middle = slice(5, 8)
    deep, shallow = spread[middle][:, axis][:, :, axis].mean(), spread[middle][:, rim][:, :, rim].mean()
    assert 1.2 < deep / shallow < 2.0
    assert spread[:2].mean() > 1.3 * spread[middle].mean()
    bed = 120 // 4
    assert spread[bed // 2 - 1 : bed // 2 + 2].mean() > 1.1 * spread[bed - 1 : bed + 2].mean()


def test_bias_of_the_maximum_is_that_of_a_clinical_scan() -> None:
    """SUVmax rises by 12 to 18 % at 2 to 3 minutes a bed (Lodge 2012), the mean does not."""
    grid = Grid((30, 30, 30), (4.0, 4.0, 4.0), (-58.0, -58.0, 300.0))
    distance = np.sqrt(sum((axis - 14.5) ** 2 for axis in np.indices(grid.shape))) * 4.0
    lesion = np.where(distance < 18.0, 6.0, 0.8).astype(np.float32)  # 24 mL
    plan = _plan(psf_fwhm_mm=6.0, liver_cov=0.12)
    clean = pet_response(lesion, plan, grid)
    hot = distance < 14.0
    biases, means = [], []
    for seed in range(12):
        noisy = add_pet_noise(clean, replace(plan, seed=seed), 2.2, grid)
        biases.append(noisy.max() / clean.max() - 1)
        means.append(noisy[hot].mean() / clean[hot].mean() - 1)
    assert 0.10 < np.mean(biases) < 0.20
    assert np.mean(means) == pytest.approx(0.0, abs=0.01)
