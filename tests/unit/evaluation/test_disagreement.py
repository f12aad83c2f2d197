"""When a sentence is worth its place on page 1, and what it says."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.evaluation.disagreement import FAR_APART_POINTS, Placement, disagreements

pytestmark = pytest.mark.unit


def test_systems_that_agree_give_no_sentence() -> None:
    placements = [Placement("LAMP", 80.0, "high"), Placement("DeepMTS", 60.0, "high")]
    assert disagreements(placements, "high") == ()
    assert disagreements([], "high") == ()
    assert disagreements([Placement("LAMP", None)], None) == ()


def test_far_apart_percentiles_are_said_in_plain_words() -> None:
    placements = [Placement("DeepMTS", 27.0), Placement("LAMP", 93.0), Placement("DFR", 60.0)]
    assert disagreements(placements) == (
        "LAMP places this patient among the highest 10 % of its training patients, "
        "DeepMTS among the lowest 30 % of its training patients.",
    )


def test_exactly_forty_points_are_not_far_apart() -> None:
    assert disagreements([Placement("LAMP", 70.0), Placement("DeepMTS", 30.0)]) == ()
    assert len(disagreements([Placement("LAMP", 70.1), Placement("DeepMTS", 30.0)])) == 1


def test_opposite_groups_are_named() -> None:
    placements = [Placement("LAMP", 55.0, "high"), Placement("DFR", 50.0, "low"), Placement("DeepMTS", 56.0, "high")]
    assert disagreements(placements) == ("LAMP and DeepMTS find high risk, DFR low risk.",)


def test_against_the_nccn_ipi() -> None:
    low = disagreements([Placement("LAMP", 88.0, "high"), Placement("DFR", 75.0)], "low")
    assert low == (
        "The NCCN-IPI is low or low-intermediate, yet LAMP finds high risk; "
        "DFR places this patient among the highest 30 % of its training patients.",
    )
    assert disagreements([Placement("LAMP", 69.0)], "low") == ()
    assert len(disagreements([Placement("LAMP", 30.0)], "high")) == 1
    assert disagreements([Placement("LAMP", 88.0, "high")], None) == ()


def test_a_withheld_group_is_never_said() -> None:
    placements = [Placement("LAMP", 88.0, "high", withheld=True), Placement("DFR", 60.0, "low")]
    sentences = disagreements(placements, "low")
    assert sentences == (
        "The NCCN-IPI is low or low-intermediate, yet LAMP places this patient among the highest 20 % "
        "of its training patients.",
    )
    hidden = [Placement("LAMP", 50.0, "high", withheld=True), Placement("DFR", 50.0, "low", withheld=True)]
    assert disagreements(hidden, "low") == disagreements(hidden, "high") == ()


def test_the_share_of_patients_with_a_sentence_is_as_documented() -> None:
    rng = np.random.default_rng(3)
    first, noise = rng.standard_normal((2, 20_000))
    for correlation, share in ((0.6, 1 / 7), (0.0, 1 / 3)):
        second = correlation * first + np.sqrt(1 - correlation**2) * noise
        ranks = [100 * one.argsort().argsort() / one.size for one in (first, second)]
        apart = float((np.abs(ranks[0] - ranks[1]) > FAR_APART_POINTS).mean())
        # 1/7 and 1/3 are round words for .139 and .36; a share of 20,000 is known to .003.
        assert apart == pytest.approx(share, abs=0.035)
