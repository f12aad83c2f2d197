"""``suv4_reviewed`` as a segmenter: decisions, a person's words, and features without the lesions in the organs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES
from lymphoma.segmentation.regions import RegionFeatures
from lymphoma.segmentation.reviewed import ReviewedSegmenter, Word
from lymphoma.segmentation.reviewer import Judge, Reviewer, Tree
from lymphoma.segmentation.segmenter import Segmenter

pytestmark = pytest.mark.unit

SHAPE = (30, 30, 30)
EDGE_MM = 4.0
CHANNELS = 128
NAMES = {1: "urinary_bladder", 2: "liver"}
ROWS = tuple(shipped_classes().names.values())
LIVER_ROW, BLADDER_ROW = ROWS.index("liver"), ROWS.index("urinary_bladder")


def ball(centre: tuple[int, int, int], radius_mm: float) -> npt.NDArray[np.bool_]:
    squared = sum((axis - at) ** 2 for axis, at in zip(np.indices(SHAPE), centre, strict=True)) * EDGE_MM**2
    return np.asarray(squared <= radius_mm**2)


def volume(array: npt.NDArray[np.generic]) -> Volume:
    return Volume(array, np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0]))


BLADDER, SURE, UNSURE = ball((6, 15, 15), 18.0), ball((22, 8, 8), 14.0), ball((22, 22, 22), 11.0)
LIVER = ball((22, 15, 15), 42.0)
FEATURES = np.random.default_rng(0).normal(size=(CHANNELS, *SHAPE))


def stump(feature: int, threshold: float, low: float, high: float) -> Tree:
    return Tree((feature, -1, -1), (threshold, 0, 0), (1, -1, -1), (2, -1, -1), (0.0, low, high))


def judge(names: tuple[str, ...], *trees: Tree) -> Judge:
    wide = len(names)
    return Judge(names, 0.0, trees, 1.0, 0.0, (-99.0,) * wide, (99.0,) * wide, (1.0,) * wide, 1, 1)


REVIEWER = Reviewer(
    # p: the network says so or not
    seen=judge(
        (*PLAIN_FEATURES, *NETWORK_FEATURES),
        stump(len(PLAIN_FEATURES), 0.4, -3.0, 0.0),
        stump(len(PLAIN_FEATURES), 0.8, 0.0, 3.0),
    ),
    unseen=judge(PLAIN_FEATURES, stump(PLAIN_FEATURES.index("in_urine"), 0.5, 3.0, -3.0)),
)


@dataclass(frozen=True, eq=False)
class Run:
    probability: npt.NDArray[np.float32]
    regions: tuple[RegionFeatures, ...]
    notes: tuple[str, ...] = ("Half windows.",)


@dataclass
class Network:
    """Sees the map of features above, and counts its passes."""

    digest: str = "d"
    passes: list[int] = field(default_factory=list)

    def crop(self, suv: Volume, ct_hu: Volume) -> Volume:
        return suv

    def run(self, crop: Volume, regions: Sequence[Volume] = ()) -> Run:
        self.passes.append(len(regions))
        probability = np.zeros(SHAPE, dtype=np.float32)
        probability[SURE], probability[UNSURE] = 0.9, 0.6
        return Run(probability, tuple(self._pooled(one.array) for one in regions))

    @staticmethod
    def _pooled(labels: npt.NDArray[np.integer]) -> RegionFeatures:  # type: ignore[type-arg]
        rows = range(1, int(labels.max(initial=0)) + 1)
        means = [
            FEATURES[:, labels == row].mean(axis=1) if (labels == row).any() else np.zeros(CHANNELS) for row in rows
        ]
        voxels = np.array([(labels == row).sum() for row in rows], dtype=np.int64)
        return RegionFeatures(np.array(means).reshape(-1, CHANNELS), voxels, voxels > 0)


@pytest.fixture(scope="module")
def study() -> tuple[Volume, Volume, Anatomy]:
    suv = np.ones(SHAPE, dtype=np.float32)
    suv[BLADDER], suv[SURE], suv[UNSURE] = 20.0, 9.0, 6.0
    organs = np.zeros(SHAPE, dtype=np.uint8)
    organs[LIVER], organs[BLADDER] = 2, 1
    return volume(suv), volume(np.zeros(SHAPE, dtype=np.float32)), Anatomy("given", volume(organs), NAMES)


def test_accepted_unconfirmed_and_rejected(study: tuple[Volume, Volume, Anatomy]) -> None:
    segmenter: Segmenter = ReviewedSegmenter(REVIEWER, Network())
    drawn = segmenter.segment(*study)
    assert [(one.status, one.lesion, one.organ) for one in drawn.judged] == [
        ("rejected", None, "urinary_bladder"),
        ("accepted", 1, "liver"),
        ("to_confirm", 2, "liver"),
    ]
    assert drawn.judged[1].p_lesion == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert drawn.lesion_map.array.dtype == np.uint16
    assert np.array_equal(drawn.lesion_map.array, SURE * 1 + UNSURE * 2)
    assert drawn.candidates is not None
    assert np.array_equal(drawn.candidates.array > 0, SURE | UNSURE | BLADDER)
    assert [one.label for one in drawn.rejected] == [1]
    assert drawn.notes == ("Half windows.",)


def test_organ_features_hold_what_was_rejected_and_no_lesion(study: tuple[Volume, Volume, Anatomy]) -> None:
    network = Network()
    drawn = ReviewedSegmenter(REVIEWER, network).segment(*study)
    assert network.passes == [3]  # one pass over the body
    assert drawn.pooled is not None
    assert drawn.pooled.organ_names == ROWS
    assert np.flatnonzero(drawn.pooled.present).tolist() == [LIVER_ROW, BLADDER_ROW]
    liver = LIVER & ~BLADDER & ~SURE & ~UNSURE
    expected = [FEATURES[:, one].mean(axis=1) for one in (liver, BLADDER)]
    np.testing.assert_allclose(drawn.pooled.organs[[LIVER_ROW, BLADDER_ROW]], expected, atol=1e-6)
    assert not drawn.pooled.organs[~drawn.pooled.present].any()
    lesions = [FEATURES[:, one].mean(axis=1) for one in (SURE, UNSURE)]
    np.testing.assert_allclose(drawn.pooled.lesions, lesions, atol=1e-6)


def test_without_a_network_organs_and_shape_decide(study: tuple[Volume, Volume, Anatomy]) -> None:
    segmenter = ReviewedSegmenter[Volume](REVIEWER)
    drawn = segmenter.segment(*study)
    assert [one.status for one in drawn.judged] == ["rejected", "accepted", "accepted"]
    assert drawn.probability is None
    assert drawn.pooled is None
    assert "lesion network" not in segmenter.description
    assert "lesion network" in ReviewedSegmenter(REVIEWER, Network()).description


def test_a_persons_word_goes_before_the_probability(study: tuple[Volume, Volume, Anatomy]) -> None:
    at = [(15 * EDGE_MM, 15 * EDGE_MM, 6 * EDGE_MM), (8 * EDGE_MM, 8 * EDGE_MM, 22 * EDGE_MM)]
    words = (Word(at[0], False), Word(at[1], False), Word(at[0], True))
    drawn = ReviewedSegmenter(REVIEWER, Network(), words=words).segment(*study)
    assert [(one.status, one.lesion) for one in drawn.judged] == [
        ("accepted", 1),
        ("rejected", None),
        ("to_confirm", 2),
    ]
    assert drawn.judged[0].p_lesion < 0.1  # what the reviewer thought stays on record
    assert np.array_equal(drawn.lesion_map.array, BLADDER * 1 + UNSURE * 2)
    assert drawn.pooled is not None
    assert not drawn.pooled.present[BLADDER_ROW]  # all of the bladder is a lesion now


def test_word_beside_a_candidate_is_of_the_nearest_and_one_far_away_is_told(
    study: tuple[Volume, Volume, Anatomy],
) -> None:
    near, far, outside = (15 * EDGE_MM, 15 * EDGE_MM, 12 * EDGE_MM), (60.0, 60.0, 60.0), (-500.0, 0.0, 9000.0)
    words = (Word(near, True), Word(far, True), Word(outside, False))
    drawn = ReviewedSegmenter(REVIEWER, Network(), words=words).segment(*study)
    assert [one.status for one in drawn.judged] == ["accepted", "accepted", "to_confirm"]
    assert [note for note in drawn.notes if "person" in note] == [
        "No candidate lies at (60, 60, 60) mm, of which a person has spoken.",
        "No candidate lies at (-500, 0, 9000) mm, of which a person has spoken.",
    ]


def test_nothing_avid_draws_nothing(study: tuple[Volume, Volume, Anatomy]) -> None:
    cold = volume(np.ones(SHAPE, dtype=np.float32))
    drawn = ReviewedSegmenter(REVIEWER, Network()).segment(cold, study[1], study[2])
    assert drawn.judged == ()
    assert not drawn.lesion_map.array.any()
    assert drawn.pooled is not None
    assert drawn.pooled.lesions.shape == (0, CHANNELS)
    assert np.flatnonzero(drawn.pooled.present).tolist() == [LIVER_ROW, BLADDER_ROW]


def test_without_organs_it_does_not_draw(study: tuple[Volume, Volume, Anatomy]) -> None:
    with pytest.raises(NotComputable, match="NO_ANATOMY"):
        ReviewedSegmenter(REVIEWER, Network()).segment(study[0], study[1], Anatomy("none"))
