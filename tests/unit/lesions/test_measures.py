"""Measures of single lesions against analytic solids, hand counts, brute force and published values."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions, measure_lesions
from scipy.spatial.distance import pdist

from tests.unit.imaging.grids import ORIENTATIONS, affine, ball, centres_mm, middle_mm, zeros
from tests.unit.lesions.brute import peak, sphere_mean

pytestmark = pytest.mark.unit

SPACINGS = {"isotropic": (4.0, 4.0, 4.0), "flat": (2.7, 2.7, 5.0), "PET": (5.47, 5.47, 3.27)}


def single(suv: Volume, mask: np.ndarray):
    (measures,) = measure_lesions(suv, suv.with_array(mask.astype(np.uint16)))
    return measures


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_ball_wherever_it_lies(orientation):
    """Radius 20 mm on 2 mm voxels: 33.51 mL, diameter 40 mm, centroid where it was put."""
    grid = zeros((30, 31, 32), spacing=(2, 2, 2), origin=(11, -7, 130), rotation=ORIENTATIONS[orientation])
    centre = middle_mm(grid) + np.array([0.3, -0.2, 0.1])
    mask = ball(grid, centre, 20)
    lesion = single(grid.with_array(np.where(mask, 5.0, 0.0)), mask)
    # counting 4,189 voxels of a ball of 10 voxels radius errs by under 1 %
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.01)
    assert lesion.voxels == mask.sum()
    # the surface mesh lies within half a voxel of the sphere at either end
    assert lesion.longest_diameter_mm == pytest.approx(40, abs=2)
    np.testing.assert_allclose(lesion.centroid_mm, centre, atol=0.1)
    assert (lesion.suv_max, lesion.suv_mean, lesion.suv_peak) == pytest.approx((5, 5, 5))
    assert lesion.tlg_g == pytest.approx(5 * lesion.volume_ml)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_box_counted_by_hand(orientation):
    """3 x 4 x 5 voxels of 2 x 3 x 4 mm; mesh vertices lie half a step beyond the outermost voxel centres."""
    grid = zeros((9, 9, 9), spacing=(2, 3, 4), rotation=ORIENTATIONS[orientation])
    mask = np.zeros(grid.array.shape, bool)
    mask[2:5, 2:6, 2:7] = True
    values = np.zeros(mask.shape)
    values[mask] = np.arange(60)
    lesion = single(grid.with_array(values), mask)
    assert lesion.volume_ml == pytest.approx(60 * 24 / 1000)
    assert lesion.suv_max == 59
    assert lesion.suv_mean == pytest.approx(29.5)
    assert lesion.hottest_kji == (4, 5, 6)
    np.testing.assert_allclose(lesion.hottest_mm, grid.points_mm([4, 5, 6]))
    np.testing.assert_allclose(lesion.centroid_mm, grid.points_mm([3, 3.5, 4]))
    # steps between the farthest centres (x 4, y 3, z 2), longest with the two half steps along two axes
    reach = np.array([4, 3, 2.0])
    ends = [reach + a + b for a in np.eye(3) / 2 for b in np.eye(3) / 2]
    assert lesion.longest_diameter_mm == pytest.approx(max(np.linalg.norm(e * [2, 3, 4]) for e in ends))


def test_one_voxel():
    grid = zeros((5, 5, 5), spacing=(2, 3, 4))
    mask = np.zeros(grid.array.shape, bool)
    mask[2, 2, 2] = True
    lesion = single(grid.with_array(np.where(mask, 7.0, 1.0)), mask)
    assert lesion.longest_diameter_mm == pytest.approx(4)
    assert lesion.suv_max == 7
    assert 1 < lesion.suv_peak < 7


def test_the_diameter_against_all_pairs_of_an_irregular_shape():
    rng = np.random.default_rng(4)
    grid = zeros((12, 13, 14), spacing=(3, 4, 5), rotation=ORIENTATIONS["oblique"])
    mask = rng.random(grid.array.shape) < 0.1
    faces = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    vertices = grid.points_mm((np.argwhere(mask)[:, None] + faces).reshape(-1, 3))
    assert single(grid, mask).longest_diameter_mm == pytest.approx(pdist(vertices).max())


@pytest.mark.parametrize(
    ("spacing", "orientation"), [*((s, "axial") for s in SPACINGS), *(("PET", o) for o in ORIENTATIONS if o != "axial")]
)
def test_peak_equals_brute_force(spacing, orientation):
    rng = np.random.default_rng(5)
    grid = zeros((11, 10, 12), spacing=SPACINGS[spacing], rotation=ORIENTATIONS[orientation], origin=(-3, 8, 40))
    suv = grid.with_array(rng.gamma(2, 3, grid.array.shape).astype(np.float32))
    mask = np.zeros(grid.array.shape, bool)
    mask[4:6, 3:6, 5:7] = True
    lesion = single(suv, mask)
    # equal point sets; a point exactly on the sphere may fall either way by rounding
    assert lesion.suv_peak == pytest.approx(peak(suv, mask), rel=1e-3)
    assert lesion.suv_peak_at_max == pytest.approx(sphere_mean(suv, lesion.hottest_kji), rel=1e-3)
    assert lesion.suv_peak_at_max <= lesion.suv_peak


def test_the_sphere_holds_one_ml():
    """A linear slope has its centre value as mean; a step shows the share of the sphere on either side."""
    grid = zeros((21, 21, 21), spacing=(2, 2, 2))
    mask = np.zeros(grid.array.shape, bool)
    mask[10, 10, 10] = True
    slope = grid.with_array(centres_mm(grid)[..., 0] * 0.1)
    assert single(slope, mask).suv_peak_at_max == pytest.approx(2.0)
    inside = ball(grid, middle_mm(grid), 6.2035)
    # all of the value within the radius, none outside: voxels cut by the surface hold both
    assert single(grid.with_array(np.where(inside, 1.0, 0.0)), mask).suv_peak_at_max == pytest.approx(1, abs=0.2)
    far = centres_mm(grid)
    beyond = np.linalg.norm(far - middle_mm(grid), axis=-1) > 6.2035 + np.sqrt(3)
    assert single(grid.with_array(np.where(beyond, 1.0, 0.0)), mask).suv_peak_at_max == 0


def test_the_peak_need_not_lie_on_the_hottest_voxel():
    """A single hot voxel at one end, a warm block at the other: PERCIST's peak lies in the block."""
    grid = zeros((9, 9, 40), spacing=(4, 4, 4))
    values = np.zeros(grid.array.shape)
    values[2:7, 2:7, 2:7] = 8
    values[4, 4, 7:31] = 4
    values[4, 4, 31] = 12
    lesion = single(grid.with_array(values), values > 0)
    assert lesion.hottest_kji == (4, 4, 31)
    assert lesion.suv_peak == pytest.approx(8)
    assert lesion.suv_peak_at_max < 4


def test_half_voxel_refinement_finds_what_lies_between_voxels():
    """2 x 2 x 2 hot voxels of 5 mm: the best centre is their common corner, which no voxel centre is."""
    grid = zeros((8, 8, 8), spacing=(5, 5, 5))
    values = np.zeros(grid.array.shape)
    values[3:5, 3:5, 3:5] = 10
    lesion = single(grid.with_array(values), values > 0)
    suv = grid.with_array(values)
    assert lesion.suv_peak == pytest.approx(sphere_mean(suv, (3.5, 3.5, 3.5)), rel=1e-3)
    assert lesion.suv_peak > 1.2 * sphere_mean(suv, (3, 3, 3))


def test_a_lesion_at_the_corner_of_the_image():
    """The part of the sphere inside the image counts; a constant image reads its constant."""
    grid = zeros((6, 6, 6))
    mask = np.zeros(grid.array.shape, bool)
    mask[0, 0, 0] = mask[5, 5, 5] = True
    lesion = single(grid.with_array(np.full(mask.shape, 3.0)), mask)
    assert lesion.suv_peak == pytest.approx(3)
    assert lesion.suv_peak_at_max == pytest.approx(3)


def test_ties_of_the_maximum_take_the_first_voxel():
    grid = zeros((4, 4, 4))
    mask = np.zeros(grid.array.shape, bool)
    mask[1:3, 1:3, 1:3] = True
    assert single(grid.with_array(np.where(mask, 5.0, 0)), mask).hottest_kji == (1, 1, 1)


def test_values_of_neighbours_do_not_count_into_mean_or_max():
    grid = zeros((5, 5, 9))
    labels = np.zeros(grid.array.shape, np.uint16)
    labels[2, 2, 1:4], labels[2, 2, 4:8] = 2, 1
    values = np.where(labels == 1, 10.0, 5.0)
    first, second = measure_lesions(grid.with_array(values), grid.with_array(labels))
    assert (first.number, first.suv_max, first.suv_mean, first.voxels) == (1, 10, 10, 4)
    assert (second.number, second.suv_max, second.suv_mean, second.voxels) == (2, 5, 5, 3)
    assert second.suv_peak > 5  # the sphere reaches into its neighbour


def test_no_lesion_and_a_missing_number():
    grid = zeros((4, 4, 4))
    labels = np.zeros((4, 4, 4), np.uint16)
    assert measure_lesions(grid, grid.with_array(labels)) == ()
    labels[1, 1, 1] = 3
    assert [lesion.number for lesion in measure_lesions(grid, grid.with_array(labels))] == [3]


def test_a_map_of_another_grid_is_a_fault():
    with pytest.raises(ValueError, match="grid"):
        measure_lesions(zeros((4, 4, 4)), zeros((4, 4, 4), origin=(1, 0, 0)))


def test_the_ibsi_phantom(real_data):
    """IBSI reference values of the digital phantom, configuration "dig. phantom" (Zwanenburg, Radiology 2020).

    Volume by voxel counting 592 mm3, mean 2.15, minimum 1, maximum 6, maximum 3D diameter 13.1 mm.
    """
    folder = real_data / "ibsi_phantom/nifti"
    image, mask = Volume.load(folder / "image/phantom.nii.gz"), Volume.load(folder / "mask/mask.nii.gz")
    labels = image.with_array((mask.array > 0).astype(np.uint16))
    (lesion,) = measure_lesions(image, labels)
    assert lesion.voxels == 74
    assert lesion.volume_ml * 1000 == pytest.approx(592, abs=1e-6)
    assert lesion.suv_mean == pytest.approx(2.15, abs=0.005)
    assert image.array[mask.array > 0].min() == 1
    assert lesion.suv_max == 6
    assert lesion.longest_diameter_mm == pytest.approx(13.1, abs=0.05)


def test_sixty_lesions_of_a_whole_body():
    rng = np.random.default_rng(6)
    suv = Volume(np.full((260, 168, 168), 0.5, np.float32), affine((4, 4, 4)))
    mask = np.zeros(suv.array.shape, bool)
    k, j, i = np.ogrid[:30, :30, :30]
    for n in range(60):
        centre = np.array([20 + 24 * (n % 10), 20 + 30 * (n // 10 % 3), 20 + 60 * (n // 30)])
        blob = (k - 15) ** 2 + (j - 15) ** 2 + (i - 15) ** 2 < rng.uniform(2, 10) ** 2
        box = tuple(slice(c - 15, c + 15) for c in centre)
        mask[box] |= blob
    labels = label_lesions(mask, suv.voxel_volume_ml, 0.0)
    lesions = measure_lesions(suv, suv.with_array(labels))
    assert [lesion.number for lesion in lesions] == list(range(1, 61))
    assert sum(lesion.volume_ml for lesion in lesions) == pytest.approx(mask.sum() * suv.voxel_volume_ml)
