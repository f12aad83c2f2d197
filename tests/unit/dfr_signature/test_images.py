"""Preparation, fusion, contours and crops."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from lymphoma.dfr_signature.contours import PERTURBATIONS, perturbed
from lymphoma.dfr_signature.crop import (
    SIZE,
    CropSettings,
    Square,
    as_rgb,
    cropped,
    lesion_sections,
    square_on,
    to_lps,
)
from lymphoma.dfr_signature.fusion import SCALES, SD_PER_SCALE, TRUNCATE, MultiScaleFusion, fuse, fused_sections
from lymphoma.dfr_signature.inputs import (
    DRAWN,
    IMAGES,
    GreyWindows,
    InputSettings,
    contours_of,
    crops_of,
    inputs_of,
    pixels_of,
    way_of,
)
from lymphoma.dfr_signature.preparation import PreparationSettings, prepare, windowed
from lymphoma.errors import NotComputable
from lymphoma.imaging.body import body_mask
from lymphoma.imaging.volume import Volume
from scipy import ndimage

from tests.unit.dfr_signature.made_up import BODY, EDGES_MM, SHAPE, box, grid, study

pytestmark = pytest.mark.unit


@pytest.mark.paper("dfr-window")
def test_ct_is_cut_off_at_the_ends_of_the_window() -> None:
    assert windowed(np.array([-1000.0, -125.0, -124.0, 50.0, 225.0, 3000.0])).tolist() == [
        -125.0,
        -125.0,
        -124.0,
        50.0,
        225.0,
        225.0,
    ]


@pytest.mark.paper("dfr-zscore")
def test_both_images_are_z_scores_over_the_body_alone() -> None:
    one = study(box(10, 12, 14))
    made = prepare(one.suv, one.ct_hu)
    body = body_mask(one.suv, one.ct_hu)
    assert 0.2 < body.mean() < 0.6
    for image in (made.pet, made.ct):
        assert image.array.dtype == np.float32
        assert image.array[body].mean(dtype=np.float64) == pytest.approx(0.0, abs=1e-5)
        assert image.array[body].std(dtype=np.float64) == pytest.approx(1.0, abs=1e-5)
    # what lies outside counts for nothing: other air, the same scores
    other = prepare(one.suv, one.ct_hu.with_array(np.where(one.ct_hu.array < -900, -800.0, one.ct_hu.array)))
    np.testing.assert_array_equal(made.ct.array, other.ct.array)


@pytest.mark.paper("dfr-smoothing")
def test_the_pet_is_smoothed_by_the_width_asked_for_in_mm_and_denoised() -> None:
    at = (15, 20, 24)
    point = np.zeros(SHAPE, dtype=np.float32)
    point[at] = 1000.0
    ct = np.full(SHAPE, -1000.0)
    ct[BODY] = 40.0
    ct[BODY[0], BODY[1], 10] = 60.0
    made = prepare(grid(point), grid(ct), PreparationSettings(pet_fwhm_mm=12.0, median=False)).pet.array
    base, top = made[0, 0, 0], made[at]
    for axis, edge in enumerate(EDGES_MM[::-1]):
        beside = list(at)
        beside[axis] += 1
        expected = np.exp(-4 * np.log(2) * (edge / 12.0) ** 2)
        assert (made[tuple(beside)] - base) / (top - base) == pytest.approx(expected, rel=1e-3)
    point += ct > -900  # a single hot voxel in a body of 1 is noise to a median
    gone = prepare(grid(point + np.arange(SHAPE[2], dtype=np.float32)), grid(ct), PreparationSettings(pet_fwhm_mm=0.0))
    assert abs(gone.pet.array[at] - gone.pet.array[at[0] + 5, at[1], at[2]]) < 0.2


def test_an_image_without_a_body_without_contrast_or_with_gaps_is_refused() -> None:
    one = study(box(10, 12, 14))
    air = one.ct_hu.with_array(np.full(SHAPE, -1000.0))
    flat = one.ct_hu.with_array(np.where(one.ct_hu.array < -900, -1000.0, 40.0))
    holed = one.suv.with_array(np.where(np.arange(SHAPE[2]) == 3, np.nan, one.suv.array))
    for suv, ct, code in (
        (one.suv, air, "CONSTANT_IMAGE"),
        (one.suv, flat, "CONSTANT_IMAGE"),
        (holed, one.ct_hu, "VALUES_NOT_FINITE"),
    ):
        with pytest.raises(NotComputable) as refused:
            prepare(suv, ct)
        assert refused.value.code == code
    with pytest.raises(ValueError, match="grid"):
        prepare(one.suv, Volume(one.ct_hu.array, one.ct_hu.affine + np.eye(4) * 0.5))


def _plain_fusion(pet: np.ndarray, ct: np.ndarray) -> np.ndarray:
    """The same operator in NumPy and SciPy."""

    def pooled(image: np.ndarray, scale: int) -> np.ndarray:
        wide = np.pad(image, [(0, -n % max(SCALES)) for n in image.shape], mode="edge").astype(np.float64)
        smooth = ndimage.gaussian_filter(wide, SD_PER_SCALE * scale, mode="nearest", truncate=TRUNCATE)
        cubes = [part for n in wide.shape for part in (n // scale, scale)]
        return smooth.reshape(cubes).mean(axis=(1, 3, 5))

    def up(image: np.ndarray, scale: int) -> np.ndarray:
        for axis in range(3):
            centres = (np.arange(image.shape[axis]) + 0.5) * scale
            fine = np.arange(image.shape[axis] * scale) + 0.5
            image = np.apply_along_axis(lambda line, a=fine, b=centres: np.interp(a, b, line), axis, image)
        return image[tuple(slice(0, n) for n in pet.shape)]

    spatial = sum(up(pooled(image, s), s) / (2 * len(SCALES)) for s in SCALES for image in (pet, ct))
    attention = sum(up(1 / (1 + np.exp(-pooled(pet, s))), s) for s in SCALES) / len(SCALES)
    return (spatial + (attention + ct) / 2) / 2


@pytest.mark.paper("dfr-fusion", "dfr-attention")
def test_fusion_is_what_plain_numpy_computes() -> None:
    rng = np.random.default_rng(1)
    pet, ct = rng.normal(size=(2, 11, 14, 9))
    found = fuse(grid(pet), grid(ct))
    assert found.array.shape == pet.shape
    np.testing.assert_allclose(found.array, _plain_fusion(pet, ct), atol=2e-6)


def test_slabs_leave_no_trace_and_sections_can_be_had_alone() -> None:
    rng = np.random.default_rng(2)
    pet, ct = (grid(one) for one in rng.normal(size=(2, 101, 9, 10)).astype(np.float32))
    module = MultiScaleFusion()
    with torch.no_grad():
        whole = module(torch.from_numpy(np.stack([pet.array, ct.array]))[None])[0, 0].numpy()
    np.testing.assert_allclose(fuse(pet, ct).array, whole, atol=1e-6)
    some = [70, 3, 33, 100]
    np.testing.assert_allclose(fused_sections(pet, ct, some), whole[some], atol=1e-6)
    with pytest.raises(IndexError):
        fused_sections(pet, ct, [101])


@pytest.mark.paper("dfr-fusion")
def test_the_fusion_has_fixed_weights_unless_asked_otherwise() -> None:
    fixed, free = MultiScaleFusion(), MultiScaleFusion(trainable=True)
    assert fixed.spatial.weight.flatten().tolist() == pytest.approx([1 / 6] * 6)
    assert not any(one.requires_grad for one in fixed.parameters())
    images = torch.randn(1, 2, 8, 8, 8)
    assert torch.equal(fixed(images), free(images))
    free(images).square().mean().backward()
    assert free.spatial.weight.grad is not None
    assert (free.spatial.weight.grad != 0).all()
    for scales in ((), (0, 1), (2, 3)):
        with pytest.raises(ValueError, match="scales"):
            MultiScaleFusion(scales)


def test_hot_lesions_stand_out_of_the_fused_image() -> None:
    one = study(box(10, 12, 14))
    made = prepare(one.suv, one.ct_hu)
    found = fuse(made.pet, made.ct).array
    lesion = one.lesion_map.array > 0
    assert found[lesion].mean() > np.percentile(found[~lesion], 99)


def _numbered(*boxes: tuple[slice, slice, slice]) -> Volume:
    labels = np.zeros(SHAPE, dtype=np.int32)
    for number, one in enumerate(boxes, start=1):
        labels[one] = number
    return grid(labels)


@pytest.mark.paper("dfr-icc-contours")
def test_contours_move_by_one_voxel() -> None:
    lesion = _numbered(box(10, 12, 14, (4, 5, 6)))
    assert perturbed(lesion, "eroded").array.sum() == 2 * 3 * 4
    smaller = perturbed(lesion, "eroded").array
    np.testing.assert_array_equal(np.argwhere(smaller)[0], (11, 13, 15))
    faces = 2 * (4 * 5 + 5 * 6 + 4 * 6)
    assert perturbed(lesion, "dilated").array.sum() == 4 * 5 * 6 + faces
    moved = perturbed(lesion, "shifted").array
    np.testing.assert_array_equal(np.argwhere(moved), np.argwhere(lesion.array) + 1)


def test_a_lesion_that_would_vanish_keeps_its_voxels() -> None:
    thin, large = box(10, 12, 14, (1, 5, 6)), box(20, 12, 14, (4, 5, 6))
    found = perturbed(_numbered(thin, large), "eroded").array
    assert found[thin].all()
    assert found[large].sum() == 2 * 3 * 4
    last = box(29, 12, 14, (1, 5, 6))  # one voxel on, and it has left the grid
    found = perturbed(_numbered(last, large), "shifted").array
    assert found[last].all()
    assert found.sum() == 30 + 120


def test_touching_lesions_are_eroded_apart_and_a_cropped_one_goes_on_beyond_the_grid() -> None:
    left, right = box(10, 12, 14, (4, 5, 6)), box(10, 12, 20, (4, 5, 6))
    found = perturbed(_numbered(left, right), "eroded").array
    assert found.sum() == 2 * (2 * 3 * 4)
    assert perturbed(_numbered(box(0, 12, 14, (4, 5, 6))), "eroded").array.sum() == 3 * 3 * 4


@pytest.mark.paper("dfr-crop")
def test_the_section_is_that_of_the_largest_area_and_of_equal_ones_the_highest() -> None:
    lesions = _numbered(box(5, 10, 10, (3, 4, 4)), box(12, 10, 10, (3, 5, 6)), box(20, 10, 10, (2, 3, 3)))
    assert lesion_sections(lesions) == (14,)
    # two lesions on one section count together
    both = _numbered(box(5, 10, 10, (3, 4, 4)), box(6, 10, 20, (1, 4, 5)), box(12, 10, 10, (3, 5, 6)))
    assert lesion_sections(both) == (6,)


def test_sections_of_the_mean_are_spread_over_all_that_show_a_lesion() -> None:
    lesions = _numbered(box(3, 10, 10, (20, 4, 4)))
    assert lesion_sections(lesions, CropSettings(slices="mean", most_slices=4)) == (5, 10, 15, 20)
    assert lesion_sections(lesions, CropSettings(slices="mean", most_slices=40)) == tuple(range(3, 23))
    with pytest.raises(ValueError, match="lesion"):
        lesion_sections(_numbered())


@pytest.mark.paper("dfr-crop")
def test_the_square_is_the_longer_side_of_the_bounding_box_and_its_margin() -> None:
    lesions = _numbered(box(10, 12, 14, (1, 5, 3)), box(10, 20, 20, (1, 2, 2)))  # rows 12..21, columns 14..21
    assert square_on(lesions, 10, CropSettings(margin_mm=7.0)) == Square(10, 16.5, 17.5, 10 * 5.0 + 14.0)
    with pytest.raises(ValueError, match="lesion"):
        square_on(lesions, 11)


@pytest.mark.paper("dfr-crop")
def test_a_crop_is_224_square_of_three_equal_channels_and_keeps_what_a_cubic_spline_keeps() -> None:
    rows, columns = np.meshgrid(np.arange(40) * 5.0, np.arange(48) * 4.0, indexing="ij")  # mm
    section = 0.01 * (rows - 90) ** 2 - 0.02 * (rows - 90) * (columns - 80) + 3 * columns
    crop = cropped(section, Square(0, 18.0, 20.0, 64.0), np.array(EDGES_MM))
    offset = ((np.arange(SIZE) + 0.5) / SIZE - 0.5) * 64.0
    r, c = np.meshgrid(offset, offset, indexing="ij")
    np.testing.assert_allclose(crop, 0.01 * r**2 - 0.02 * r * c + 3 * (80 + c), atol=1e-2)
    coloured = as_rgb(crop)
    assert coloured.shape == (224, 224, 3)
    assert (coloured[..., 0] == crop).all()
    assert np.ptp(coloured, axis=-1).max() == 0


def test_beyond_the_image_its_border_goes_on() -> None:
    crop = cropped(np.full((40, 48), 2.5), Square(0, 0.0, 0.0, 200.0), np.array(EDGES_MM))
    np.testing.assert_allclose(crop, 2.5, atol=1e-9)


def test_axes_are_turned_to_head_back_and_left() -> None:
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    straight = grid(values)
    assert to_lps(straight) is straight
    turned = np.zeros((4, 4))
    turned[2, 0], turned[0, 1], turned[1, 2], turned[3, 3] = -4.0, 5.0, 6.0, 1.0  # columns run to the feet
    found = to_lps(Volume(values, turned))
    assert found.array.shape == (4, 2, 3)
    np.testing.assert_array_equal(found.array, values.transpose(2, 0, 1)[::-1])
    assert found.spacing_mm.tolist() == [5.0, 6.0, 4.0]
    assert found.index_kji(Volume(values, turned).points_mm([1, 2, 3])) == pytest.approx([0.0, 1.0, 2.0])


SMALL = InputSettings(crop=CropSettings(margin_mm=12.0))


@pytest.mark.paper("dfr-crop", "dfr-icc-contours")
def test_inputs_are_crops_of_three_images_for_three_contours_under_a_megabyte() -> None:
    arrays = inputs_of(study(box(10, 12, 14)))
    assert tuple(arrays) == (DRAWN, "dilated", "shifted") == contours_of(InputSettings())
    for crops in arrays.values():
        assert crops.shape == (len(IMAGES), 1, 224, 224)
        assert crops.dtype == np.float16
        assert np.isfinite(crops).all()
    assert sum(crops.nbytes for crops in arrays.values()) < 1e6
    assert not np.array_equal(arrays[DRAWN], arrays["dilated"])
    assert not np.array_equal(arrays[DRAWN], arrays["shifted"])
    assert crops_of(arrays, "pet").shape == (1, 224, 224)
    with pytest.raises(NotComputable, match="FEATURES_UNREADABLE"):
        crops_of(arrays, "pet", "eroded")


def test_inputs_show_the_lesion_of_each_image_where_it_lies() -> None:
    one = study(box(10, 12, 14))
    arrays = inputs_of(one, SMALL)
    made = prepare(one.suv, one.ct_hu)
    fused = fuse(made.pet, made.ct)
    # section 13 is the highest of equal areas; 6 columns of 4 mm and 5 rows of 5 mm, and twice 12 mm
    square = Square(13, 14.0, 16.5, 25.0 + 24.0)
    for image, volume in zip(IMAGES, (fused, made.ct, made.pet), strict=True):
        expected = cropped(volume.array[13], square, volume.spacing_mm)
        np.testing.assert_allclose(crops_of(arrays, image)[0], expected, rtol=1e-3, atol=1e-3)  # float16
    middle, corner = crops_of(arrays, "pet")[0, 112, 112], crops_of(arrays, "pet")[0, 0, 0]
    assert middle > corner + 2


@pytest.mark.paper("dfr-grey")
def test_pixels_are_grey_levels_of_a_fixed_window_in_three_equal_channels() -> None:
    crops = np.zeros((3, 2, 224, 224), dtype=np.float16)
    crops[2, 0, 0, :5] = (-30.0, -1.0, 1.0, 15.0, 30.0)
    pixels = pixels_of({DRAWN: crops}, "pet", windows=GreyWindows(pet=(-1.0, 15.0)))
    assert pixels.shape == (2, 224, 224, 3)
    assert pixels.dtype == np.float32
    assert pixels[0, 0, :5, 1].tolist() == pytest.approx([0.0, 0.0, 255 / 8, 255.0, 255.0])
    assert np.ptp(pixels, axis=-1).max() == 0
    # a lesion twice as hot in the same patient is brighter: the window is not that of the crop
    assert pixels_of({DRAWN: crops * np.float16(0.5)}, "pet")[0, 0, 3, 0] < pixels[0, 0, 3, 0]


def test_lesions_that_do_not_count_and_the_order_of_axes_change_nothing() -> None:
    small, large = box(10, 12, 14), box(20, 12, 14, (4, 9, 9))
    one = study(small, large, accepted=(1,))
    shown = inputs_of(one, SMALL)
    masked = replace(one, lesion_map=grid(np.where(one.lesion_map.array == 1, 1, 0)), accepted=None)
    again = inputs_of(masked, SMALL)
    everything = inputs_of(replace(one, accepted=None), SMALL)
    flipped = inputs_of(
        replace(one, suv=_flipped(one.suv), ct_hu=_flipped(one.ct_hu), lesion_map=_flipped(one.lesion_map)), SMALL
    )
    for name in shown:
        np.testing.assert_array_equal(shown[name], again[name])
        np.testing.assert_allclose(flipped[name].astype(float), shown[name].astype(float), atol=1e-2)
        assert not np.array_equal(shown[name], everything[name])


def _flipped(volume: Volume) -> Volume:
    """The same image with sections from head to feet and columns from left to right."""
    affine = volume.affine.copy()
    last = volume.points_mm([volume.array.shape[0] - 1, 0, volume.array.shape[2] - 1])
    affine[:3, 3] = last
    affine[:3, 0] *= -1
    affine[:3, 2] *= -1
    return Volume(np.ascontiguousarray(volume.array[::-1, :, ::-1]), affine)


def test_without_a_lesion_there_is_nothing_to_crop() -> None:
    for one in (study(), study(box(10, 12, 14), accepted=())):
        with pytest.raises(NotComputable) as refused:
            inputs_of(one)
        assert refused.value.code == "NO_AVID_LESION"


def test_the_mean_has_several_sections_and_settings_have_other_ways() -> None:
    settings = InputSettings(crop=CropSettings(slices="mean", most_slices=3), perturbed=PERTURBATIONS)
    arrays = inputs_of(study(box(10, 12, 14)), settings)
    assert {name: crops.shape[1] for name, crops in arrays.items()} == {
        DRAWN: 3,
        "eroded": 2,
        "dilated": 3,
        "shifted": 3,
    }
    assert way_of(settings) != way_of(InputSettings())
    assert json.loads(way_of(settings).split("; ", 2)[2])["crop"]["slices"] == "mean"
