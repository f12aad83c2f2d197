"""Each threshold rule on arrays whose answer is counted by hand. Voxels of 4 mm: 0.064 mL."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.anatomy import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.segmentation import Segmenter, threshold_segmenter

from tests.unit.imaging.grids import ORIENTATIONS, ball, middle_mm, zeros

pytestmark = pytest.mark.unit

NONE = Anatomy("none")
METHODS = ("suv4", "suv2.5", "percent41", "a50p", "mv2", "mv3")


def drawn(method: str, values: np.ndarray, *, min_volume_ml: float = 0.0, anatomy: Anatomy = NONE) -> np.ndarray:
    suv = zeros(values.shape).with_array(values.astype(np.float32))
    lesions = threshold_segmenter(method, min_volume_ml).segment(suv, suv, anatomy).lesion_map
    assert lesions.array.dtype == np.uint16
    assert lesions.same_grid(suv)
    return lesions.array


def block(background: float = 1.0, inside: float = 20.0) -> np.ndarray:
    """A cube of 7 voxels (28 mm) in the middle of 40 mm of background on each side: its SUVpeak is its value."""
    values = np.full((27, 27, 27), background)
    values[10:17, 10:17, 10:17] = inside
    return values


@pytest.mark.parametrize(("method", "threshold"), [("suv4", 4.0), ("suv2.5", 2.5)])
def test_a_fixed_threshold_is_met_by_its_own_value(method, threshold):
    values = np.zeros((3, 3, 9))
    values[1, 1, :] = [0, threshold, 9, threshold - 1e-4, 0, threshold + 1e-4, 0, 0, threshold]
    assert drawn(method, values)[1, 1].tolist() == [0, 1, 1, 0, 0, 2, 0, 0, 3]


@pytest.mark.parametrize("method", METHODS)
def test_the_volume_rule_is_met_by_exactly_three_ml(method):
    """1.5 mL voxels: a pair is 3 mL, a single one is dropped."""
    values = np.full((25, 25, 25), 0.1)
    values[5, 5, 5] = values[15, 15, 15] = values[15, 15, 16] = 50
    suv = zeros(values.shape, spacing=(10, 10, 15)).with_array(values)
    lesions = threshold_segmenter(method).segment(suv, suv, NONE).lesion_map.array
    assert np.argwhere(lesions).tolist() == [[15, 15, 15], [15, 15, 16]]


@pytest.mark.parametrize("method", METHODS)
def test_no_uptake_no_lesion(method):
    assert not drawn(method, np.full((5, 5, 5), 1.0)).any()
    assert not drawn(method, np.zeros((5, 5, 5))).any()


def test_lesions_are_numbered_by_volume():
    values = np.zeros((5, 5, 20))
    values[2, 2, 2:4], values[2, 2, 6:11], values[2, 2, 13:16] = 30, 5, 9
    lesions = drawn("suv4", values)
    assert [lesions[2, 2, i] for i in (2, 6, 13)] == [3, 1, 2]


def test_41_percent_of_each_lesions_own_maximum():
    """Lesion A has 20: from 8.2 on. Lesion B has 6: from 2.46 on, also below the seed's 4.0."""
    values = np.zeros((9, 9, 60))
    values[4, 4, 10:17] = [8.1, 8.3, 20, 10, 8.2, 8.19, 3]
    values[4, 4, 40:46] = [2.4, 2.5, 6, 4, 2.47, 2.45]
    lesions = drawn("percent41", values)
    assert np.flatnonzero(lesions[4, 4]).tolist() == [11, 12, 13, 14, 41, 42, 43, 44]
    assert np.count_nonzero(lesions) == 8


def test_41_percent_without_a_seed_draws_nothing():
    values = np.zeros((9, 9, 9))
    values[4, 4, 2:7] = [2, 3, 3.99, 3, 2]
    assert not drawn("percent41", values).any()


def test_a_noisy_voxel_in_a_warm_organ_is_no_seed():
    """One voxel of 4.2 (0.064 mL) in 22 mL of SUV 2.8; at 41 % of it, 1.72, the whole organ would be a lesion."""
    values = block(background=0.3, inside=2.8)
    values[13, 13, 13] = 4.2
    assert not drawn("percent41", values, min_volume_ml=3.0).any()
    values[12:15, 12:16, 12:16] = 4.2
    assert np.count_nonzero(drawn("percent41", values, min_volume_ml=3.0)) == 7**3


def test_41_percent_does_not_flood_what_lies_far():
    """A strand of SUV 2.2 runs away from a lesion of 5 (threshold 2.05): only the 10 mm next to the seed count."""
    values = np.zeros((9, 9, 40))
    values[4, 4, 5], values[4, 4, 6:] = 5, 2.2
    # 4 and 8 mm from the seed lie within 10 mm, 12 mm does not
    assert np.flatnonzero(drawn("percent41", values)[4, 4]).tolist() == [5, 6, 7]
    # a strand of 2.6 belongs to the lesion's uptake however long
    values[4, 4, 6:] = 2.6
    assert np.flatnonzero(drawn("percent41", values)[4, 4]).tolist() == list(range(5, 40))


def test_touching_lesions_do_not_lend_each_other_their_threshold():
    """5 (from 2.05) and 30 (from 12.3) joined by a valley of 3: each voxel follows the lesion it descends from."""
    values = np.zeros((9, 9, 20))
    values[4, 4, 3:16] = [2.5, 4, 5, 4, 3.5, 3, 3.5, 5, 12, 30, 13, 6, 5]
    lesions = drawn("percent41", values)
    taken = np.flatnonzero(lesions[4, 4]).tolist()
    assert {3, 4, 5, 6, 7} <= set(taken)
    assert {12, 13} <= set(taken)
    assert not {9, 10, 11, 14, 15} & set(taken)


def test_a50p_is_half_way_between_background_and_peak():
    """Peak 10, background 2: from 6.0 on."""
    values = block(background=2.0, inside=10.0)
    values[13, 13, 17], values[13, 17, 13], values[17, 13, 13] = 5.9, 6.1, 6.0
    lesions = drawn("a50p", values)
    assert not lesions[13, 13, 17]
    assert lesions[13, 17, 13]
    assert lesions[17, 13, 13]
    assert np.count_nonzero(lesions) == 7**3 + 2


def test_a50p_takes_no_other_lesion_for_background():
    """A second lesion of 60 lies 16 mm from the first: its voxels and its spill-out are not background."""
    values = np.full((27, 27, 50), 2.0)
    values[10:17, 10:17, 10:17] = 10
    values[10:17, 10:17, 20:27] = 60
    values[13, 17, 13] = 6.1
    lesions = drawn("a50p", values)
    assert lesions[13, 17, 13] == lesions[13, 13, 13] > 0


def test_a50p_without_any_background_is_half_the_peak():
    """The lesion fills the image."""
    values = np.full((7, 7, 7), 10.0)
    values[0, 0, 0], values[6, 6, 6] = 4.9, 5.1
    lesions = drawn("a50p", values)
    assert lesions[0, 0, 0] == 0
    assert lesions[6, 6, 6] == 1


@pytest.mark.parametrize(("method", "taken"), [("mv2", (12, 9, 5)), ("mv3", (12, 9))])
def test_majority_votes(method, taken):
    """Peak and maximum 20, background 1: 41 % from 8.2, A50P from 10.5. 12: 4 votes, 9: 3, 5: 2, 3: 1, 2: 0."""
    values = block(background=1.0, inside=20.0)
    values[13, 13, 17:22] = [12, 9, 5, 3, 2]
    lesions = drawn(method, values)
    assert values[13, 13, 17:22][lesions[13, 13, 17:22] > 0].tolist() == list(taken)
    assert np.count_nonzero(lesions) == 7**3 + len(taken)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("method", ["percent41", "a50p"])
def test_the_volume_does_not_depend_on_the_orientation(method, orientation):
    grid = zeros((20, 21, 22), spacing=(3, 4, 5), rotation=ORIENTATIONS[orientation])
    suv = grid.with_array(np.where(ball(grid, middle_mm(grid), 18), 9.0, 1.0))
    lesions = threshold_segmenter(method).segment(suv, suv, NONE).lesion_map.array
    assert np.array_equal(lesions > 0, suv.array > 1)


def liver_and_lesion() -> tuple[np.ndarray, Anatomy]:
    """A liver of alternating 1.9 and 2.1 (mean 2.0, SD 0.1) and three voxels around the PERCIST threshold of 3.2."""
    values = np.zeros((30, 30, 30))
    organs = np.zeros(values.shape, np.uint8)
    organs[5:20, 5:20, 5:20] = 1
    checker = np.indices(values.shape).sum(axis=0) % 2
    values[organs == 1] = np.where(checker, 2.1, 1.9)[organs == 1]
    values[25, 25, [10, 14, 18]] = [3.15, 3.25, 9.0]
    return values, Anatomy("given", zeros(values.shape).with_array(organs), {1: "liver"})


def test_percist():
    values, anatomy = liver_and_lesion()
    assert np.argwhere(drawn("percist", values, anatomy=anatomy)).tolist() == [[25, 25, 14], [25, 25, 18]]


def test_percist_draws_the_same_in_any_unit_of_suv():
    """SUL is SUV times one factor of the patient; so is the threshold."""
    values, anatomy = liver_and_lesion()
    assert np.array_equal(drawn("percist", values * 0.75, anatomy=anatomy), drawn("percist", values, anatomy=anatomy))


def test_percist_needs_a_liver():
    with pytest.raises(NotComputable) as refusal:
        drawn("percist", np.ones((5, 5, 5)))
    assert refusal.value.code == "NO_ANATOMY"


@pytest.mark.parametrize("method", ["suv4_reviewed", "network", "nnunet"])
def test_what_is_not_installed_says_so(method):
    with pytest.raises(NotComputable) as refusal:
        threshold_segmenter(method)
    assert refusal.value.code == "NOT_INSTALLED"
    assert method in refusal.value.reason


def test_what_is_not_a_method():
    with pytest.raises(ValueError, match="suv3"):
        threshold_segmenter("suv3")
    with pytest.raises(ValueError, match="-1"):
        threshold_segmenter("suv4", -1)


def test_what_a_segmenter_says_of_itself():
    segmenter: Segmenter = threshold_segmenter("suv4")
    assert segmenter.name == "suv4"
    assert segmenter.description == "SUV >= 4.0, components of at least 3 mL, 26-connected"
    assert (segmenter.min_volume_ml, segmenter.connectivity) == (3.0, 26)
    assert "at least 2.5 mL" in threshold_segmenter("suv2.5", 2.5).description
    assert "seeded by SUV >= 4.0" in threshold_segmenter("mv3").description
