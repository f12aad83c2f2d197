"""Declared numbers, gaps, and what neither tells."""

from __future__ import annotations

import random

import pytest
from nodal.errors import Code
from nodal.intake.completeness import completeness
from nodal.intake.extent import axial_extent
from pydicom import Dataset

from tests.unit.intake.headers import ct, pet

pytestmark = pytest.mark.unit


def test_a_pet_with_all_its_slices_in_any_order() -> None:
    headers = list(pet(slices=30).headers)
    random.Random(1).shuffle(headers)
    assert completeness(headers).state == "complete"
    assert completeness([*headers, *headers]).state == "complete"


@pytest.mark.parametrize(
    ("keep", "code"), [(slice(0, 29), Code.SERIES_INCOMPLETE), (slice(0, 1), Code.SERIES_INCOMPLETE)]
)
def test_too_few(keep: slice, code: Code) -> None:
    judged = completeness(pet(slices=30).headers[keep])
    assert (judged.state, judged.code) == ("incomplete", code)


def test_a_gap_outweighs_the_number() -> None:
    headers = pet(slices=30, edit={"NumberOfSlices": 29}).headers
    judged = completeness(headers[:10] + headers[11:])
    assert (judged.state, judged.code) == ("incomplete", Code.MISSING_SLICE)


def test_a_ct_declares_nothing_or_its_acquisition() -> None:
    assert completeness(ct(slices=30).headers).state == "unknown"
    one = {"ImagesInAcquisition": 30, "AcquisitionNumber": 1}
    assert completeness(ct(slices=30, edit=one).headers).state == "complete"
    # Fewer than the acquisition made is no sure lack: it may have been reconstructed twice.
    assert completeness(ct(slices=15, edit=one).headers).state == "unknown"
    two = lambda k, h: (setattr(h, "ImagesInAcquisition", 30), setattr(h, "AcquisitionNumber", k // 15))  # noqa: E731
    assert completeness(ct(slices=30, edit=two).headers).state == "unknown"


def test_a_concatenation_is_whole_with_its_last_part() -> None:
    part = Dataset()
    part.PerFrameFunctionalGroupsSequence, part.InConcatenationTotalNumber = [Dataset()], 2
    assert completeness([part]).state == "incomplete"
    assert completeness([part, part]).state == "complete"


def test_extent_counts_edges_steps_and_the_odd_one_out() -> None:
    headers = list(ct(slices=11, step_mm=3.0, start_mm=100.0).headers)
    headers[0].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    extent = axial_extent(headers)
    assert extent is not None
    assert (extent.low_mm, extent.high_mm, extent.step_mm) == (101.5, 131.5, 3.0)
    assert (extent.images, extent.tilted, extent.gaps, extent.axial) == (10, 1, 0, True)
    assert axial_extent([Dataset()]) is None


def test_extent_does_not_depend_on_which_way_the_rows_run() -> None:
    upright = axial_extent(ct(slices=5).headers)
    turned = axial_extent(ct(slices=5, edit={"ImageOrientationPatient": [1, 0, 0, 0, -1, 0]}).headers)
    assert upright is not None
    assert turned is not None
    assert (upright.low_mm, upright.high_mm) == (turned.low_mm, turned.high_mm)
    assert turned.positions_mm.tolist() == upright.positions_mm.tolist()
