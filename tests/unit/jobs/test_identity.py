"""Numbers and Tracking UIDs from revision to revision: by best overlap, or by the name that an editor left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.imaging import Volume
from nodal.dicom.contour import Contour, ContourRegion
from nodal.findings import Lesion
from nodal.jobs.given import GivenLesions, same_lesions, with_names
from nodal.jobs.identity import Earlier, carry_on, numbered
from nodal.report.seg import segment_label

from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit

SHAPE = (1, 2, 12)
AFFINE = np.eye(4)


def volume(*rows: str) -> Volume:
    """A map of one slice; a row is a digit a voxel, "." for none."""
    digits = [[0 if sign == "." else int(sign) for sign in row] for row in rows]
    return Volume(np.array([digits], dtype=np.uint16), AFFINE)


def lesions(*names: tuple[int, int, str]) -> tuple[Lesion, ...]:
    """(label, number, Tracking UID) of each."""
    one = sample_inputs(1).findings.lesions[0]
    return tuple(replace(one, segment_number=label, number=number, tracking_uid=uid) for label, number, uid in names)


def carried(now: Volume, earlier: Earlier | None, tracked: dict[int, str] | None = None) -> list[tuple[int, int, str]]:
    labels = [int(label) for label in np.unique(now.array) if label]
    fresh = lesions(*((label, label, f"new-{label}") for label in labels))
    kept = carry_on(fresh, now, earlier, tracked or {}, digest="d", lesion_map_sha256="m")
    return [(one.segment_number, one.number, one.tracking_uid) for one in kept]


BEFORE = Earlier(
    volume("11111....222", "......33...."),
    lesions((1, 1, "A"), (2, 4, "B"), (3, 2, "C")),
    {"A": 1, "B": 4, "C": 2, "gone": 7},
)


def test_without_a_predecessor_they_stay_as_they_are() -> None:
    assert carried(volume("2211", "...."), None) == [(1, 1, "new-1"), (2, 2, "new-2")]


def test_the_same_lesions_in_another_order_keep_their_names() -> None:
    now = volume("22222....333", "......11....")
    assert carried(now, BEFORE) == [(2, 1, "A"), (1, 2, "C"), (3, 4, "B")]


def test_of_a_split_lesion_the_larger_part_keeps_the_name_and_no_number_is_given_twice() -> None:
    now = volume("22.11....333", "............")
    kept = carried(volume("2.111....333", "............"), BEFORE)
    assert [(label, number) for label, number, _ in kept] == [(1, 1), (3, 4), (2, 8)]  # 7 was a lesion's once
    assert kept[-1][2].startswith("2.25.")
    tie = [(label, number) for label, number, _ in carried(now, BEFORE)]
    assert tie == [(1, 1), (3, 4), (2, 8)]  # equal halves: the first label


def test_merged_lesions_go_by_the_one_of_which_more_is_left() -> None:
    now = volume("....111.....", ".....1111...")  # one voxel of A, two of C
    assert carried(now, BEFORE) == [(1, 2, "C")]


def test_the_name_that_an_editor_left_comes_before_overlap() -> None:
    now = volume("21111....333", "............")
    assert [(label, uid) for label, _, uid in carried(now, BEFORE, {2: "A"})][:2] == [(2, "A"), (3, "B")]
    assert carried(now, BEFORE, {2: "gone"})[-1] == (2, 7, "gone"), "a lesion that was removed comes back"
    assert carried(now, BEFORE, {2: "a stranger's"})[-1][1] == 8


def test_the_map_that_reports_see_has_the_numbers() -> None:
    shown = numbered(BEFORE.lesion_map, BEFORE.lesions)
    assert sorted(np.unique(shown.array)) == [0, 1, 2, 4]
    assert shown.array[0, 0, 9] == 4


def test_on_another_grid_the_map_before_is_brought_over() -> None:
    finer = np.diag([0.5, 1.0, 1.0, 1.0])
    finer[0, 3] = -0.25
    now = Volume(np.repeat(volume("22222....111", "............").array, 2, axis=2), finer)
    assert carried(now, BEFORE) == [(2, 1, "A"), (1, 4, "B")]


def drawn(
    labels: Volume, *regions: tuple[int, str | None], known: set[str]
) -> tuple[npt.NDArray[np.uint16], dict[int, str]]:
    contour = Contour(labels, tuple(ContourRegion(label, "", uid) for label, uid in regions))
    lesion_map, tracked = GivenLesions(contour, "test", frozenset(known)).lesions
    return np.asarray(lesion_map.array[0]), dict(tracked)


def test_a_region_with_a_known_name_is_one_lesion_even_beside_another_or_in_parts() -> None:
    labels = volume("112222..1...", "............")
    found, tracked = drawn(labels, (1, "A"), (2, "B"), known={"A", "B"})
    assert found.tolist()[0] == [2, 2, 1, 1, 1, 1, 0, 0, 2, 0, 0, 0]
    assert tracked == {1: "B", 2: "A"}


def test_other_regions_fall_into_components_together() -> None:
    labels = volume("112222..3...", "............")
    found, tracked = drawn(labels, (1, None), (2, "a stranger's"), (3, "C"), known={"C"})
    assert found.tolist()[0] == [1, 1, 1, 1, 1, 1, 0, 0, 2, 0, 0, 0]
    assert tracked == {2: "C"}


def test_regions_of_which_nothing_is_left_are_no_lesions() -> None:
    found, tracked = drawn(volume("............"), (1, "A"), known={"A"})
    assert (found.any(), tracked) == (np.False_, {})


@pytest.mark.parametrize(
    ("other", "same"), [("22.1.", True), ("11.1.", False), ("11.3.", True), ("112..", False), ("12.3.", False)]
)
def test_maps_are_the_same_whatever_their_numbers(other: str, same: bool) -> None:
    assert same_lesions(volume("11.2."), volume(other)) is same


def test_our_label_names_a_lesion_where_the_tracking_uid_was_lost() -> None:
    names = ["L04 mediastinal 34 mL", "L2 2.5 mL, to be confirmed", "Lesion 1", "L01", "L09 3.0 mL"]
    labels = volume("1.2.3.4.5", ".........")
    contour = Contour(labels, tuple(ContourRegion(at, name) for at, name in enumerate(names, start=1)))
    found = with_names(contour, BEFORE.known)
    assert [one.tracking_uid for one in found.regions] == ["B", "C", None, None, None]
    lesion = lesions((1, 4, "B"))[0]
    (region,) = with_names(Contour(labels, (ContourRegion(1, segment_label(lesion)),)), BEFORE.known).regions
    assert region.tracking_uid == "B"


def test_the_words_say_how_it_was_drawn() -> None:
    contour = Contour(volume("1"), (ContourRegion(1, "", "A"),))
    said: list[Any] = [GivenLesions(contour, "SEG", frozenset(known)).description for known in ({"A"}, set())]
    assert "known Tracking UID" in said[0]
    assert "known Tracking UID" not in said[1]
