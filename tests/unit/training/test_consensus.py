"""The majority of readers, against masks counted by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.training.consensus import dice, majority_vote

pytestmark = pytest.mark.unit


def row(*drawn: int) -> npt.NDArray[np.bool_]:
    return np.array(drawn, dtype=bool).reshape(1, 1, -1)


def test_three_readers_need_two_votes() -> None:
    readers = [row(1, 1, 1, 0, 0), row(1, 1, 0, 1, 0), row(1, 0, 0, 0, 0)]
    consensus = majority_vote(readers)
    assert consensus.mask.ravel().tolist() == [True, True, False, False, False]
    assert consensus.dice == pytest.approx((4 / 6, 2 / 4, 2 / 4))  # 3 + 3 voxels share 2; 3 + 1 share 1; 3 + 1 share 1
    assert consensus.mean_dice == pytest.approx(5 / 9)


def test_two_readers_need_both_and_four_need_three() -> None:
    assert majority_vote([row(1, 1, 0), row(1, 0, 0)]).mask.ravel().tolist() == [True, False, False]
    four = [row(1, 1), row(1, 1), row(1, 0), row(0, 0)]
    assert majority_vote(four).mask.ravel().tolist() == [True, False]


def test_one_reader_stands_alone() -> None:
    consensus = majority_vote([row(0, 1)])
    assert consensus.mask.ravel().tolist() == [False, True]
    assert consensus.dice == ()
    assert consensus.mean_dice is None


def test_two_who_drew_nothing_agree() -> None:
    assert dice(row(0, 0), row(0, 0)) == 1.0
    assert dice(row(1, 0), row(0, 0)) == 0.0


def test_more_readers_than_a_byte_counts() -> None:
    assert majority_vote([row(1)] * 300).mask.all()


def test_masks_of_two_grids_are_no_vote() -> None:
    with pytest.raises(ValueError, match="one shape"):
        majority_vote([row(1), row(1, 0)])
    with pytest.raises(ValueError, match="at least one"):
        majority_vote([])
