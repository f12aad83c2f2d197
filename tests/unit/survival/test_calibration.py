"""Calibration: right where predictions are right, wrong where they are wrong, by each measure."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.survival.calibration import (
    calibration_curve,
    calibration_groups,
    calibration_slope,
    greenwood_nam_dagostino,
    hosmer_lemeshow_as_published,
)
from lymphoma.survival.decision import decision_curve
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.splines import quantile_knots, restricted_cubic

pytestmark = pytest.mark.unit

HORIZON = 24.0


def simulated(n: int, seed: int, censored: bool = True) -> tuple[FollowUp, Floats, Floats]:
    """Follow-up, true linear predictor, true survival at the horizon."""
    rng = np.random.default_rng([31, seed])
    lp = rng.normal(size=n)
    hidden = rng.exponential(40 * np.exp(-lp))
    seen = rng.uniform(6, 80, n) if censored else np.full(n, 80.0)
    follow = FollowUp(np.minimum(hidden, seen), hidden <= seen)
    return follow, lp, np.exp(-HORIZON / 40 * np.exp(lp))


def test_the_truth_is_calibrated() -> None:
    follow, lp, survival = simulated(1500, 1)
    groups = calibration_groups(follow, survival, HORIZON)
    assert len(groups) == 5
    assert sum(group.n for group in groups) == 1500
    assert [g.predicted for g in groups] == sorted(g.predicted for g in groups)
    # Four standard errors of each group.
    assert all(abs(g.predicted - g.observed) < 4 * np.sqrt(g.variance) for g in groups)
    assert all(g.lower < g.observed < g.upper for g in groups)
    slope = calibration_slope(follow, lp)
    assert abs(slope.coefficient - 1) < 4 * slope.standard_error
    assert calibration_curve(follow, survival, HORIZON).ici < 0.03  # known to about .013 at this size
    assert greenwood_nam_dagostino(follow, survival, HORIZON).p > 1e-3


def test_too_sure_a_model_is_found_out() -> None:
    follow, lp, _ = simulated(1500, 2)
    survival = np.exp(-HORIZON / 40 * np.exp(2 * lp))
    slope = calibration_slope(follow, 2 * lp)
    assert slope.coefficient == pytest.approx(0.5, abs=4 * slope.standard_error)
    curve = calibration_curve(follow, survival, HORIZON)
    # The truth is known here: the mean gap of the two risks.
    truth = np.abs(np.exp(-HORIZON / 40 * np.exp(lp)) - survival).mean()
    assert curve.ici == pytest.approx(truth, abs=0.03)
    assert curve.e50 < curve.e90
    assert greenwood_nam_dagostino(follow, survival, HORIZON).p < 1e-6


def test_greenwood_nam_dagostino_keeps_its_level_where_hosmer_lemeshow_does_not() -> None:
    # 20 right models, not fitted here: at 5 %, 1 +- 1 rejections; up to 4 is three standard deviations.
    gnd, published = 0, 0
    for seed in range(20):
        follow, _, survival = simulated(600, 100 + seed)
        gnd += greenwood_nam_dagostino(follow, survival, HORIZON, groups=5, fitted_here=False).p < 0.05
        published += hosmer_lemeshow_as_published(follow, survival, HORIZON, groups=5).p < 0.05
    assert gnd <= 4
    # Leaving out those censored before the horizon leaves too many events: it rejects right models.
    assert published > 5


def test_hosmer_lemeshow_by_hand() -> None:
    follow = FollowUp(np.full(12, 30.0), np.array([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0], dtype=bool))
    risk = np.repeat([0.2, 0.5, 0.8], 4)
    found = hosmer_lemeshow_as_published(follow, 1 - risk, 30.0, groups=3)
    # Observed 1, 2, 3 of 4 against expected 0.8, 2, 3.2.
    assert found.chi_squared == pytest.approx(0.04 / (0.8 * 0.8) + 0 + 0.04 / (3.2 * 0.2))
    assert (found.degrees_of_freedom, found.groups, found.left_out) == (1, 3, 0)


def test_groups_of_few_events_are_merged() -> None:
    follow, _, survival = simulated(60, 5)
    found = greenwood_nam_dagostino(follow, survival, HORIZON, groups=20)
    assert 2 <= found.groups < 20
    assert found.degrees_of_freedom == found.groups - 1
    elsewhere = greenwood_nam_dagostino(follow, survival, HORIZON, groups=20, fitted_here=False)
    assert elsewhere.degrees_of_freedom == found.groups
    assert elsewhere.p > found.p
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        greenwood_nam_dagostino(follow.take(np.arange(8)), survival[:8], HORIZON)


def test_restricted_cubic_is_straight_outside() -> None:
    knots = quantile_knots(np.linspace(0, 100, 201), 4)
    assert knots == pytest.approx((5, 35, 65, 95))
    outside = restricted_cubic(np.array([-30.0, -20, -10, 100, 110, 120]), knots)
    assert outside.shape == (6, 3)
    for side in (outside[:3], outside[3:]):
        np.testing.assert_allclose(np.diff(side, n=2, axis=0), 0, atol=1e-9)
    inside = restricted_cubic(np.array([40.0, 50, 60]), knots)
    assert np.abs(np.diff(inside, n=2, axis=0)[0, 1:]).min() > 0.1
    with pytest.raises(NotComputable, match="TOO_FEW_VALUES"):
        quantile_knots(np.zeros(20), 3)


def test_net_benefit_without_censoring_is_the_textbook_one() -> None:
    follow, _, survival = simulated(500, 6, censored=False)
    event, risk = follow.event & (follow.months <= HORIZON), 1 - survival
    curve = decision_curve(follow, risk, HORIZON, [0.2, 0.5])
    for index, cut in enumerate((0.2, 0.5)):
        high = risk >= cut
        expected = (event & high).mean() - (~event & high).mean() * cut / (1 - cut)
        assert curve.model[index] == pytest.approx(expected, abs=1e-12)
        assert curve.everybody[index] == pytest.approx(event.mean() - (~event).mean() * cut / (1 - cut), abs=1e-12)


def test_net_benefit_with_censoring() -> None:
    free, _, of_free = simulated(20_000, 7, censored=False)
    seen, _, of_seen = simulated(20_000, 7)
    cuts = [0.3, 0.6]
    one = decision_curve(free, 1 - of_free, HORIZON, cuts)
    two = decision_curve(seen, 1 - of_seen, HORIZON, cuts)
    # Both estimate the same benefit; some .004 each at this size.
    np.testing.assert_allclose(two.model, one.model, atol=0.02)
    assert (two.model > np.maximum(two.everybody, 0)).all()
    assert decision_curve(seen, np.zeros(20_000), HORIZON, [0.1]).model[0] == 0


def test_thresholds_are_probabilities() -> None:
    follow, _, survival = simulated(50, 8)
    with pytest.raises(ValueError, match="between 0 and 1"):
        decision_curve(follow, 1 - survival, HORIZON, [0.0])
