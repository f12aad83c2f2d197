"""Cut-offs, what they achieve, the groups they make, Table 1."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.survival.cutoffs import fit_cutoff, stability, threshold_metrics
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.groups import FourWay, four_way, groups_by_cutoffs
from lymphoma.survival.tables import categorical_row, continuous_row

pytestmark = pytest.mark.unit

HAND = FollowUp(np.array([3.0, 5.0, 9.0, 30.0, 30.0, 30.0]), np.array([True, True, False, False, False, True]))
SCORE = np.array([0.9, 0.6, 0.95, 0.6, 0.3, 0.1])


def test_youden_by_hand() -> None:
    # At 12 months: cases .9 and .6, controls .6, .3 and .1, the third patient unknown.
    found = fit_cutoff(HAND, SCORE, 12.0, "naive")
    assert (found.value, found.youden) == (0.6, pytest.approx(1 - 1 / 3))
    metrics = threshold_metrics(HAND, SCORE, found.value, 12.0, "naive")
    assert metrics.sensitivity == 1.0
    assert metrics.specificity == pytest.approx(2 / 3)
    assert metrics.ppv == pytest.approx(2 / 3)
    assert metrics.npv == 1.0
    assert (metrics.high, metrics.low, metrics.left_out) == (4, 2, 1)


def test_weights_stand_for_the_censored() -> None:
    # The patient censored at 9 leaves three controls, of four seen there: each weighs 4 / 3, the cases 1.
    metrics = threshold_metrics(HAND, SCORE, 0.6, 12.0, "ipcw")
    assert metrics.sensitivity == 1.0
    assert metrics.specificity == pytest.approx(2 / 3)
    assert metrics.ppv == pytest.approx(2 / (2 + 4 / 3))


def test_predictive_values_with_censoring_are_those_of_the_truth() -> None:
    rng = np.random.default_rng([41])
    score = rng.normal(size=30_000)
    hidden, censored = rng.exponential(40 * np.exp(-score)), rng.uniform(2, 50, 30_000)
    follow = FollowUp(np.minimum(hidden, censored), hidden <= censored)
    event, high = hidden <= 24, score >= 0.4
    found = threshold_metrics(follow, score, 0.4, 24.0, "ipcw")
    naive = threshold_metrics(follow, score, 0.4, 24.0, "naive")
    assert found.ppv == pytest.approx(event[high].mean(), abs=0.015)  # three standard errors
    assert found.npv == pytest.approx((~event)[~high].mean(), abs=0.015)
    assert found.sensitivity == pytest.approx(high[event].mean(), abs=0.015)
    assert naive.ppv is not None
    assert naive.ppv - event[high].mean() > 0.03


def test_a_score_at_the_cutoff_is_high() -> None:
    assert threshold_metrics(HAND, SCORE, 0.6, 12.0).high == 4
    assert groups_by_cutoffs([0.0, 0.1911, 0.2, 0.2839, 0.9], [0.1911, 0.2839]).tolist() == [0, 1, 1, 2, 2]
    assert groups_by_cutoffs([np.nextafter(0.2839, 0)], [0.2839]).tolist() == [0]
    with pytest.raises(ValueError, match="ascend"):
        groups_by_cutoffs([0.1], [0.3, 0.3])
    with pytest.raises(ValueError, match="not a number"):
        groups_by_cutoffs([np.nan], [0.3])


@pytest.mark.parametrize(
    ("signature", "least", "most", "expected"),
    [
        (0.2838, 3, 3, FourWay.LOW_SIGNATURE_LOW_NCCN),
        (0.2839, 3, 3, FourWay.HIGH_SIGNATURE_LOW_NCCN),
        (0.2838, 4, 4, FourWay.LOW_SIGNATURE_HIGH_NCCN),
        (0.2839, 4, 4, FourWay.HIGH_SIGNATURE_HIGH_NCCN),
        (0.2839, 0, 3, FourWay.HIGH_SIGNATURE_LOW_NCCN),
        (0.2839, 4, 8, FourWay.HIGH_SIGNATURE_HIGH_NCCN),
        (0.2839, 3, 4, None),
    ],
)
def test_four_way(signature: float, least: int, most: int, expected: FourWay | None) -> None:
    assert four_way(signature, 0.2839, least, most) is expected


def test_no_cutoff_without_separation() -> None:
    with pytest.raises(NotComputable, match="NO_SEPARATION"):
        fit_cutoff(HAND, np.ones(6), 12.0)
    with pytest.raises(NotComputable, match="ONE_CLASS"):
        fit_cutoff(HAND, SCORE, 1.0)


def test_stability_over_folds() -> None:
    rng = np.random.default_rng([42])
    score = rng.random(200)
    follow = FollowUp(np.full(200, 30.0) - 20 * (score > 0.5), score > 0.5)
    folds = np.array_split(rng.permutation(200), 5)
    sharp = stability(follow, score, folds, 12.0)
    # A clean step at one half: all folds find nearly the same place.
    assert sharp.cv < 0.02
    assert sharp.moved < 0.02
    noise = stability(FollowUp(follow.months, rng.permutation(follow.event)), score, folds, 29.0)
    assert noise.cv > sharp.cv
    assert noise.values.shape == (5,)


def test_table_one_chooses_its_tests() -> None:
    rng = np.random.default_rng([43])
    normal, skewed = rng.normal(size=60), rng.exponential(size=60)
    assert continuous_row(normal[:30], normal[30:]).test == "t"
    row = continuous_row(np.append(skewed[:30], np.nan), skewed[30:])
    assert row.test == "mann_whitney"
    assert (row.groups[0].n, row.groups[0].missing) == (30, 1)
    assert row.groups[1].median == pytest.approx(np.median(skewed[30:]))
    large = categorical_row(("M", "F", "never"), [["M"] * 20 + ["F"] * 20 + [None], ["M"] * 10 + ["F"] * 30])
    assert large.test == "chi_squared"
    assert not large.small_expected
    assert large.counts == ((20, 20, 0), (10, 30, 0))
    assert large.missing == (1, 0)
    # 20 of 40 against 10 of 40: 40 x (.25)^2 / (2 x .375 x .625) = 5.333 on one degree of freedom.
    assert large.p == pytest.approx(0.0209, abs=5e-5)
    three = categorical_row(("a", "b", "c"), [["a", "b", "c", "c"], ["a", "b", "c", "b"]])
    assert (three.test, three.small_expected) == ("chi_squared", True)


def test_table_one_refuses() -> None:
    with pytest.raises(NotComputable, match="TOO_FEW_PATIENTS"):
        continuous_row([1.0, 2.0, np.nan], [1.0, 2.0, 3.0])
    with pytest.raises(NotComputable, match="ONE_CLASS"):
        categorical_row(("M", "F"), [["M", "M"], ["M"]])
    with pytest.raises(NotComputable, match="COVARIATE_INVALID"):
        categorical_row(("M", "F"), [["M", "x"], ["M"]])
