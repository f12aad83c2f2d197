"""Grades of the field of view."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.anatomy import Anatomy, coverage
from lymphoma.imaging import Volume

from tests.unit.imaging.phantom import STEP_MM, crop, pet_ct, solids, upside_down

pytestmark = pytest.mark.unit

NONE = Anatomy("none")


@pytest.fixture(scope="module")
def patient() -> tuple[Volume, Volume]:
    return pet_ct(couch=True)


def organs_of(suv: Volume, first: int = 0, last: int = 175) -> Anatomy:
    parts = solids()
    labels = np.zeros(parts["body"].shape, np.uint8)
    labels[parts["head"]] = 1
    labels[parts["legs"]] = 2
    return Anatomy("given", crop(suv.with_array(labels), first, last), {1: "brain", 2: "femur_left"})


def test_vertex_to_thighs(patient):
    seen = coverage(*patient, NONE)
    assert (seen.field_of_view, seen.brain_covered, seen.thighs_covered) == ("whole", True, True)
    # 0..1000 mm in slices of 6 mm; the opening takes the vertex' last slice or two
    assert seen.extent_mm == pytest.approx(1000, abs=3 * STEP_MM)
    assert seen.reasons == ()


def test_stored_from_head_to_foot(patient):
    assert coverage(*map(upside_down, patient), NONE) == coverage(*patient, NONE)


def test_rows_along_the_patient(patient):
    """Coronal storage: the array's second axis runs along z."""

    def coronal(volume: Volume) -> Volume:
        affine = volume.affine.copy()
        affine[:, [1, 2]] = affine[:, [2, 1]]
        return Volume(np.swapaxes(volume.array, 0, 1), affine)

    assert coverage(*map(coronal, patient), NONE) == coverage(*patient, NONE)


def test_from_the_eyes_down(patient):
    """Cut through the head: the usual skull base to thigh scan, whole but without the whole brain."""
    seen = coverage(*(crop(volume, 0, 148) for volume in patient), NONE)
    assert (seen.field_of_view, seen.brain_covered, seen.thighs_covered) == ("whole", False, True)
    assert seen.reasons == ("the top of the head is not seen",)


def test_legs_that_end_at_the_pelvis_are_not_known(patient):
    seen = coverage(*(crop(volume, 50, 175) for volume in patient), NONE)
    assert (seen.field_of_view, seen.thighs_covered) == ("whole", None)
    assert any("thighs" in reason for reason in seen.reasons)


@pytest.mark.parametrize(("first", "last"), [(0, 90), (60, 130)])
def test_under_600_mm_is_partial(patient, first, last):
    seen = coverage(*(crop(volume, first, last) for volume in patient), NONE)
    assert (seen.field_of_view, seen.brain_covered, seen.thighs_covered) == ("partial", False, None)
    assert seen.extent_mm == pytest.approx((last - first) * STEP_MM)
    assert f"{seen.extent_mm:.0f} mm" in seen.reasons[0]


@pytest.mark.parametrize(("slices", "grade"), [(100, "whole"), (99, "partial")])
def test_600_mm_is_enough(patient, slices, grade):
    assert coverage(*(crop(volume, 0, slices) for volume in patient), NONE).field_of_view == grade


def test_air_is_partial(patient):
    suv, hu = patient
    seen = coverage(suv.with_array(suv.array * 0), hu.with_array(np.full_like(hu.array, -1000)), NONE)
    assert (seen.field_of_view, seen.extent_mm) == ("partial", 0)
    assert seen.brain_covered is seen.thighs_covered is None


def test_with_organs(patient):
    seen = coverage(*patient, organs_of(patient[0]))
    assert (seen.field_of_view, seen.brain_covered, seen.thighs_covered) == ("whole", True, True)


def test_a_brain_that_ends_at_the_edge(patient):
    cropped = [crop(volume, 0, 148) for volume in patient]
    seen = coverage(*cropped, organs_of(patient[0], 0, 148))
    assert (seen.field_of_view, seen.brain_covered) == ("whole", False)


def test_no_brain_at_all_is_partial(patient):
    cropped = [crop(volume, 0, 130) for volume in patient]
    seen = coverage(*cropped, organs_of(patient[0], 0, 130))
    assert (seen.field_of_view, seen.brain_covered) == ("partial", False)
    assert "no part of the brain lies in the field of view" in seen.reasons


@pytest.mark.parametrize(("first", "covered"), [(26, True), (27, False)])
def test_120_mm_of_femur(patient, first, covered):
    """The phantom's legs end at 280 mm, slice 46: from slice 27 on 20 slices of 6 mm are seen, from 28 on 19."""
    first += 1
    cropped = [crop(volume, first, 175) for volume in patient]
    seen = coverage(*cropped, organs_of(patient[0], first))
    assert seen.thighs_covered is covered
    assert (seen.field_of_view == "whole") is covered


def test_a_map_without_brain_and_femur_leaves_it_to_the_profile(patient):
    suv, _ = patient
    anatomy = Anatomy("given", suv.with_array(np.zeros(suv.array.shape, np.uint8)), {1: "liver"})
    assert coverage(*patient, anatomy) == coverage(*patient, NONE)


def with_labels(suv: Volume, boxes: dict[int, list[tuple[slice, slice, slice]]], names: dict[int, str]) -> Anatomy:
    labels = np.zeros(suv.array.shape, np.uint8)
    for label, parts in boxes.items():
        for part in parts:
            labels[part] = label
    return Anatomy("network", suv.with_array(labels), names)


NETWORK = {1: "brain", 2: "femur", 3: "hip"}
MIDDLE = (slice(20, 30), slice(20, 30))


def test_specks_of_brain_are_no_brain(patient):
    """A bladder's rim taken for brain, 2.2 mL."""
    suv, _ = patient
    speck = with_labels(suv, {1: [(slice(60, 61), slice(20, 22), slice(20, 25))]}, {1: "brain"})
    seen = coverage(*patient, speck)
    assert (seen.field_of_view, seen.brain_covered) == ("partial", False)


def test_a_brain_below_the_hips_is_none(patient):
    suv, _ = patient
    brain, hip = [(slice(20, 30), *MIDDLE)], [(slice(46, 60), *MIDDLE)]
    seen = coverage(*patient, with_labels(suv, {1: brain, 3: hip}, {1: "brain", 3: "hip"}))
    assert (seen.field_of_view, seen.brain_covered) == ("partial", False)


def test_a_rim_of_brain_in_the_last_slice_is_no_cut(patient):
    suv, _ = patient
    brain = [(slice(150, 174), slice(20, 30), slice(20, 30)), (slice(174, 175), slice(20, 22), slice(20, 22))]
    assert coverage(*patient, with_labels(suv, {1: brain}, {1: "brain"})).brain_covered is True


@pytest.mark.parametrize(("lost", "covered"), [(4, True), (5, False)])
def test_a_femur_with_a_hole_in_the_map(patient, lost, covered):
    """13 slices of 6 mm below the hole and 13 above it: with the hole 180 mm, each part alone 78 mm."""
    suv, _ = patient
    femur = [(slice(10, 23), *MIDDLE), (slice(23 + lost, 36 + lost), *MIDDLE)]
    assert coverage(*patient, with_labels(suv, {2: femur}, {2: "femur"})).thighs_covered is covered


def test_a_humerus_taken_for_a_femur(patient):
    suv, _ = patient
    hip, upper, lower = [(slice(46, 60), *MIDDLE)], [(slice(100, 140), *MIDDLE)], [(slice(10, 46), *MIDDLE)]
    for femur, covered in ((upper, False), (lower, True), (upper + lower, True)):
        assert coverage(*patient, with_labels(suv, {2: femur, 3: hip}, NETWORK)).thighs_covered is covered
    # where no hip is seen, no thigh is
    assert coverage(*patient, with_labels(suv, {2: upper}, NETWORK)).thighs_covered is False


def test_a_network_on_a_scan_stored_from_head_to_foot(patient):
    suv, _ = patient
    hip, femur = [(slice(46, 60), *MIDDLE)], [(slice(10, 46), *MIDDLE)]
    anatomy = with_labels(suv, {2: femur, 3: hip}, NETWORK)
    assert anatomy.organs is not None
    turned = Anatomy("network", upside_down(anatomy.organs), NETWORK)
    assert coverage(*map(upside_down, patient), turned) == coverage(*patient, anatomy)
