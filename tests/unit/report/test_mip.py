"""Projections: known phantoms in every orientation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from lymphoma.imaging import Volume
from nodal.report.mip import PIXEL_MM, Projection, coronal_mip, sagittal_mip

pytestmark = pytest.mark.unit

SPACING = np.array([3.0, 4.0, 5.0])
SHAPE = (40, 30, 50)


def phantom() -> tuple[Volume, Volume]:
    """A body with one hot block: at the patient's right (low x), in front (low y), near the head (high z)."""
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = (-75.0, -60.0, -100.0)
    suv, labels = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.uint16)
    suv[:, 3:27, 5:45] = 1.0
    hot = (slice(30, 36), slice(4, 8), slice(8, 14))
    suv[hot], labels[hot] = 20.0, 7
    return Volume(suv, affine), Volume(labels, affine)


def turned(volume: Volume, axes: tuple[int, int, int], flips: tuple[int, int, int]) -> Volume:
    """The same values at the same places, stored along other array axes and in other directions."""
    array, columns, origin = volume.array, volume.affine[:3, :3][:, ::-1], volume.affine[:3, 3].copy()
    for axis, flip in enumerate(flips):
        if flip:
            origin = origin + columns[:, axis] * (array.shape[axis] - 1)
            columns = columns * np.where(np.arange(3) == axis, -1.0, 1.0)
            array = np.flip(array, axis)
    affine = np.eye(4)
    affine[:3, :3] = columns[:, list(axes)][:, ::-1]
    affine[:3, 3] = origin
    return Volume(np.ascontiguousarray(array.transpose(axes)), affine)


def dark_centre_mm(picture: Projection) -> tuple[float, float]:
    rows, columns = np.nonzero(picture.grey < 64)
    return float((columns.mean() + 0.5) * PIXEL_MM), float((rows.mean() + 0.5) * PIXEL_MM)


def test_head_is_up_and_right_is_left() -> None:
    suv, labels = phantom()
    coronal, sagittal = coronal_mip(suv, labels), sagittal_mip(suv, labels)
    # Columns 8..14 of 5..45, rows counted from the head: slices 30..36 of 40.
    margin = round(12.0 / 3.0) * 3.0
    assert dark_centre_mm(coronal) == pytest.approx((margin + (11 - 5) * 3.0, (40 - 33) * 5.0), abs=PIXEL_MM)
    # Here the front is on the left: rows 4..8 of 3..27, with a margin of 12 mm that the grid cuts nowhere.
    assert dark_centre_mm(sagittal) == pytest.approx((12.0 + (6 - 3) * 4.0, (40 - 33) * 5.0), abs=PIXEL_MM)
    assert coronal.plane == "coronal"
    assert sagittal.plane == "sagittal"


def test_size_is_true_in_mm() -> None:
    suv, labels = phantom()
    picture = coronal_mip(suv, labels)
    assert picture.height_mm == pytest.approx(40 * 5.0)
    assert picture.width_mm == pytest.approx((40 + 2 * 4) * 3.0)  # 40 columns of body, 4 of margin on each side
    assert picture.grey.shape == (round(200 / PIXEL_MM), round(144 / PIXEL_MM))


@pytest.mark.parametrize("axes", list(itertools.permutations((0, 1, 2))))
@pytest.mark.parametrize("flips", [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1)])
def test_storage_does_not_matter(axes: tuple[int, int, int], flips: tuple[int, int, int]) -> None:
    suv, labels = phantom()
    other_suv, other_labels = turned(suv, axes, flips), turned(labels, axes, flips)
    for project in (coronal_mip, sagittal_mip):
        expected, got = project(suv, labels), project(other_suv, other_labels)
        np.testing.assert_array_equal(got.grey, expected.grey)
        np.testing.assert_allclose(got.outlines[0].rings[0].min(axis=0), expected.outlines[0].rings[0].min(axis=0))


def test_oblique_grid_is_resampled() -> None:
    suv, labels = phantom()
    angle = np.deg2rad(12.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = suv.affine.copy()
    affine[:3] = turn @ affine[:3]
    picture = coronal_mip(Volume(suv.array, affine), Volume(labels.array, affine))
    place = affine @ np.array([10.5, 5.5, 32.5, 1.0])
    corners = Volume(suv.array, affine).points_mm(
        np.array(list(itertools.product(*[(-0.5, n - 0.5) for n in suv.array.shape])))
    )
    from_head = corners[:, 2].max() - place[2]
    # Half of a 5 mm slice: nearest neighbour decides which one a lesion's edge belongs to.
    assert picture.outlines[0].centre_mm[1] == pytest.approx(from_head, abs=2.5)
    assert picture.grey.min() == 0


def test_greys_are_inverted_and_clipped() -> None:
    suv, labels = phantom()
    suv.array[suv.array == 1.0] = 3.5
    grey = coronal_mip(suv, labels).grey
    assert grey.min() == 0
    assert grey.max() == 255
    # SUV 3.5 is the middle of 0..7.
    assert int(np.median(grey[np.abs(grey.astype(int) - 127) < 40])) == pytest.approx(127, abs=1)


def test_outline_encloses_the_lesion() -> None:
    suv, labels = phantom()
    (outline,) = coronal_mip(suv, labels).outlines
    assert outline.number == 7
    (ring,) = outline.rings
    left = (8 - 5 + 4) * 3.0
    np.testing.assert_allclose(ring.min(axis=0), (left, (40 - 36) * 5.0))
    np.testing.assert_allclose(ring.max(axis=0), (left + 6 * 3.0, (40 - 30) * 5.0))
    assert (outline.left_mm, outline.right_mm) == (left, left + 18.0)


def test_straight_edges_have_no_points_between() -> None:
    suv, labels = phantom()
    (ring,) = coronal_mip(suv, labels).outlines[0].rings
    assert len(ring) == 8  # a rectangle with its corners cut by half a voxel


def test_no_lesion_no_outline() -> None:
    suv, labels = phantom()
    assert coronal_mip(suv, Volume(np.zeros_like(labels.array), labels.affine)).outlines == ()


def test_empty_scan_still_makes_a_picture() -> None:
    suv, labels = phantom()
    picture = coronal_mip(Volume(np.zeros(SHAPE, np.float32), suv.affine), labels)
    assert picture.grey.size > 0


def test_other_grid_is_refused() -> None:
    suv, labels = phantom()
    with pytest.raises(ValueError, match="grid"):
        coronal_mip(suv, Volume(labels.array[1:], labels.affine))
