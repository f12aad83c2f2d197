"""Kaplan-Meier, log-rank, follow-up: published values and the rule of ten events."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.survival.curves import kaplan_meier, log_rank, median_follow_up_months
from lymphoma.survival.follow_up import FollowUp

from tests.unit.survival.cohorts import months, waltons

pytestmark = pytest.mark.unit


def whole_lung() -> tuple[FollowUp, np.ndarray]:
    from lifelines.datasets import load_lung

    table = load_lung()
    return FollowUp(months(table["time"]), table["status"].to_numpy() == 1), table["sex"].to_numpy()


def test_lung() -> None:
    follow, sex = whole_lung()
    curve = kaplan_meier(follow)
    assert curve.median_months == months(310)
    assert curve.rate(float(months(365))).survival == pytest.approx(0.4092, abs=5e-5)
    test = log_rank([follow.take(sex == 1), follow.take(sex == 2)])
    assert test.chi_squared == pytest.approx(10.3267, abs=5e-5)
    assert test.p == pytest.approx(0.001311, abs=5e-7)
    assert test.degrees_of_freedom == 1


def test_waltons() -> None:
    assert log_rank(waltons()).chi_squared == pytest.approx(122.249, abs=5e-4)


def test_by_hand() -> None:
    follow = FollowUp(np.array([1.0, 2.0, 2.0, 4.0]), np.array([True, True, False, True]))
    curve = kaplan_meier(follow)
    np.testing.assert_allclose(curve.at([0.5, 1, 1.9, 2, 3.9, 4, 9]), [1, 0.75, 0.75, 0.5, 0.5, 0, 0])
    assert curve.numbers_at_risk([0, 1, 1.5, 2, 3, 4, 5]).tolist() == [4, 4, 3, 3, 1, 1, 0]
    assert curve.median_months == 2
    # Greenwood at 2: 0.25 (1 / (4 x 3) + 1 / (3 x 2)).
    assert curve.variance(2) == pytest.approx(0.25 * (1 / 12 + 1 / 6))


@pytest.mark.parametrize(("events", "shown"), [(9, False), (10, True)])
def test_percentages_from_fewer_than_ten_events_are_withheld(events: int, shown: bool) -> None:
    times = np.arange(1.0, 41)
    curve = kaplan_meier(FollowUp(times, times <= events))
    rate = curve.rate(20.0)
    assert rate.events == events
    assert rate.at_risk == 21
    assert (rate.survival is not None, rate.lower is not None, rate.upper is not None) == (shown, shown, shown)


def test_nothing_is_said_beyond_the_last_patient() -> None:
    times = np.arange(1.0, 41)
    curve = kaplan_meier(FollowUp(times, times <= 20))
    assert curve.rate(41.0).survival is None
    with pytest.raises(NotComputable, match="HORIZON_BEYOND_FOLLOW_UP"):
        curve.at([41.0])


def test_median_follow_up_is_of_censoring() -> None:
    # Everybody is watched for 60 months and half of them fail early: the follow-up is 60, not less.
    follow = FollowUp(np.concatenate([np.linspace(1, 20, 50), np.full(50, 60.0)]), np.arange(100) < 50)
    assert median_follow_up_months(follow) == 60


def test_refusals() -> None:
    quiet = FollowUp(np.array([1.0, 2.0]), np.array([False, False]))
    with pytest.raises(NotComputable, match="TOO_FEW_GROUPS"):
        log_rank([quiet])
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        log_rank([quiet, quiet])
