"""Liver and blood."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.anatomy import Anatomy, ct_contrast, reference_liver
from lymphoma.errors import NotComputable

from tests.unit.imaging.grids import ORIENTATIONS, ball, centres_mm, middle_mm, zeros

pytestmark = pytest.mark.unit


def liver_of(grid, right_mm=45.0, left_mm=18.0):
    """Two balls: the right lobe (smaller x, LPS) and the left, joined."""
    middle = middle_mm(grid)
    right = ball(grid, middle + np.array([-20, 0, 0]), right_mm)
    left = ball(grid, middle + np.array([40, 0, 0]), left_mm)
    labels = (right | left).astype(np.uint8)
    return Anatomy("given", grid.with_array(labels), {1: "liver"}), middle + np.array([-20, 0, 0])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_sphere_lies_in_the_middle_of_the_right_lobe(orientation):
    """SUV rises linearly with x: the mean is the value at the sphere's centre, the SD that of a 15 mm sphere."""
    grid = zeros((32, 33, 34), rotation=ORIENTATIONS[orientation], origin=(5, 6, 7))
    anatomy, centre = liver_of(grid)
    slope = grid.with_array(2.0 + 0.01 * (centres_mm(grid)[..., 0] - centre[0]))
    mean, sd = reference_liver(slope, anatomy)
    # the deepest voxel centre lies within a voxel (4 mm) of the lobe's centre
    assert mean == pytest.approx(2.0, abs=0.04)
    # the coordinate in a ball of radius r has the standard deviation r / sqrt(5)
    assert sd == pytest.approx(0.01 * 15 / np.sqrt(5), rel=0.05)


def test_a_deeper_left_lobe_is_not_taken():
    """Where the left lobe is the thicker one, the sphere still lies to the right of the liver's centroid."""
    grid = zeros((32, 32, 40))
    middle = middle_mm(grid)
    labels = ball(grid, middle - [45, 0, 0], 28) | ball(grid, middle + np.array([40, 0, 0]), 34)
    suv = grid.with_array(np.where(centres_mm(grid)[..., 0] < middle[0], 2.0, 3.0))
    anatomy = Anatomy("given", grid.with_array(labels.astype(np.uint8)), {1: "liver"})
    assert reference_liver(suv, anatomy) == (2.0, 0.0)


def test_what_lies_outside_the_liver_does_not_count():
    """A lobe of 14 mm radius holds most of the sphere; the hot surroundings stay out."""
    grid = zeros((32, 32, 32))
    labels = ball(grid, middle_mm(grid), 14)
    suv = grid.with_array(np.where(labels, 2.0, 50.0))
    mean, sd = reference_liver(suv, Anatomy("given", grid.with_array(labels.astype(np.uint8)), {1: "liver"}))
    assert (mean, sd) == (2.0, 0.0)


@pytest.mark.parametrize("radius_mm", [0, 10])
def test_too_little_liver_is_none(radius_mm):
    grid = zeros((16, 16, 16))
    labels = ball(grid, middle_mm(grid), radius_mm).astype(np.uint8)
    with pytest.raises(NotComputable) as refusal:
        reference_liver(grid, Anatomy("given", grid.with_array(labels), {1: "liver"}))
    assert refusal.value.code == "NO_ANATOMY"


def test_no_map_no_liver():
    with pytest.raises(NotComputable) as refusal:
        reference_liver(zeros((4, 4, 4)), Anatomy("none"))
    assert refusal.value.code == "NO_ANATOMY"


@pytest.mark.parametrize(("blood_hu", "contrast"), [(40.0, False), (150.0, True), (90.0, False), (91.0, True)])
def test_contrast_by_the_aorta(blood_hu, contrast):
    """The rim of the aorta, mixed with fat, is left out."""
    hu = np.full((12, 12, 12), -80.0)
    labels = np.zeros(hu.shape, np.uint8)
    labels[:, 4:8, 4:8] = 9
    hu[:, 4:8, 4:8] = 0.0
    hu[:, 5:7, 5:7] = blood_hu
    grid = zeros(hu.shape)
    anatomy = Anatomy("given", grid.with_array(labels), {9: "aorta"})
    assert ct_contrast(grid.with_array(hu), anatomy) is contrast


def test_contrast_of_a_thin_aorta_uses_all_of_it():
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[:, 1, 1] = 9
    grid = zeros(labels.shape)
    hu = grid.with_array(np.where(labels, 200.0, -80.0))
    assert ct_contrast(hu, Anatomy("given", grid.with_array(labels), {9: "aorta"})) is True


def test_contrast_is_unknown_without_an_aorta():
    grid = zeros((4, 4, 4))
    assert ct_contrast(grid, Anatomy("none")) is None
    labels = np.zeros((4, 4, 4), np.uint8)
    assert ct_contrast(grid, Anatomy("given", grid.with_array(labels), {1: "liver"})) is None
    assert ct_contrast(grid, Anatomy("given", grid.with_array(labels), {9: "aorta"})) is None
