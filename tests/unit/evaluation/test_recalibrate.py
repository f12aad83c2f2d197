"""Intercept and slope of a site, found again where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.recalibrate import calibration_figures, fit_recalibration, recalibrate
from lymphoma.survival.cox import CoxModel, fit_cox
from lymphoma.survival.follow_up import Floats, FollowUp
from scipy.optimize import minimize

from tests.unit.evaluation.cohorts import follow_up_of

pytestmark = pytest.mark.unit


def trained(n: int = 4000, seed: int = 1) -> CoxModel:
    lp = 0.8 * np.random.default_rng(seed).standard_normal(n)
    return fit_cox(["score"], lp[:, None], follow_up_of(lp, seed), endpoint="pfs")


def site(n: int, seed: int, intercept: float = 0.0, slope: float = 1.0) -> tuple[Floats, FollowUp]:
    """A site whose true log hazard is intercept + slope times the model's."""
    lp = 0.8 * np.random.default_rng([seed, 2]).standard_normal(n)
    return lp, follow_up_of(intercept + slope * lp, seed)


def test_a_known_intercept_and_slope_are_found() -> None:
    model = trained()
    lp, seen = site(4000, 5, intercept=0.4, slope=0.6)
    found = fit_recalibration(seen, model.linear_predictor(lp[:, None]), model.baseline, "site")
    # About 2,500 events: standard errors of .02 and .025, beside those of the 2,500 of the training; three of them.
    assert found.intercept == pytest.approx(0.4, abs=0.09)
    assert found.slope == pytest.approx(0.6, abs=0.09)
    assert (found.cohort, found.n, found.events) == ("site", 4000, seen.closed_at(model.baseline.last_months).events)


def test_the_intercept_is_that_of_a_poisson_model_with_the_expected_hazard_as_offset() -> None:
    model = trained()
    lp, seen = site(700, 6, intercept=-0.3)
    found = fit_recalibration(seen, model.linear_predictor(lp[:, None]), model.baseline, "site")
    closed = seen.closed_at(model.baseline.last_months)
    offset = np.log(model.baseline.at(closed.months)[0]) + found.slope * model.linear_predictor(lp[:, None])
    result = minimize(lambda a: (np.exp(a + offset) - closed.event * (a + offset)).sum(), [0.0], method="Nelder-Mead")
    assert found.intercept == pytest.approx(float(result.x[0]), abs=1e-4)


def test_a_model_on_another_scale_is_corrected_exactly() -> None:
    model = trained()
    lp = model.linear_predictor(0.8 * np.random.default_rng(1).standard_normal(4000)[:, None])
    seen = follow_up_of(0.8 * np.random.default_rng(1).standard_normal(4000), 1)
    found = fit_recalibration(seen, 2 * lp + 0.5, model.baseline, "training")
    # 2 lp + .5 is undone by a slope of 1/2 and an intercept of -.25; Efron's hazard has no ties here to differ by.
    assert found.slope == pytest.approx(0.5, abs=1e-9)
    assert found.intercept == pytest.approx(-0.25, abs=1e-6)


def test_fewer_than_100_events_give_none() -> None:
    model = trained()
    lp, seen = site(4000, 7)
    events = np.flatnonzero(seen.event)
    keep = np.concatenate([events[:99], np.flatnonzero(~seen.event)[:200]])
    with pytest.raises(NotComputable) as refused:
        fit_recalibration(seen.take(keep), lp[keep], model.baseline, "site")
    assert refused.value.code == "TOO_FEW_EVENTS"
    keep = np.concatenate([events[:100], np.flatnonzero(~seen.event)[:200]])
    assert fit_recalibration(seen.take(keep), lp[keep], model.baseline, "site").events == 100


def test_events_after_the_models_follow_up_do_not_count() -> None:
    model = trained()
    last = model.baseline.last_months
    lp = np.zeros(300) + np.linspace(-1, 1, 300)
    late = FollowUp(np.full(300, last + 5.0), np.ones(300, dtype=bool))
    with pytest.raises(NotComputable) as refused:
        fit_recalibration(late, lp, model.baseline, "site")
    assert refused.value.code == "TOO_FEW_EVENTS"


def test_a_score_that_orders_patients_the_wrong_way_round_is_not_turned() -> None:
    model = trained()
    lp, seen = site(600, 8)
    with pytest.raises(NotComputable) as refused:
        recalibrate(seen, -lp, model.baseline, "site")
    assert refused.value.code == "NO_EFFECT"


def test_the_correction_helps_patients_that_it_was_not_fitted_on() -> None:
    model = trained()
    lp, seen = site(800, 9, intercept=0.6, slope=0.5)
    result = recalibrate(seen, model.linear_predictor(lp[:, None]), model.baseline, "site")
    before, after = result.before, result.after
    assert before.slope == pytest.approx(result.recalibration.slope)
    # exp(-.6) of the hazard was foreseen; the slope moves it a little.
    assert before.expected_over_observed < 0.75
    # 5 parts of about 100 events: the ratio of each is known to 1 / sqrt(500) = .045, the slope to .07; three of them.
    assert after.expected_over_observed == pytest.approx(1, abs=0.135)
    assert after.slope == pytest.approx(1, abs=0.25)
    for early, late in zip(before.horizons, after.horizons, strict=True):
        assert early.months == late.months
        assert late.ici is not None
        assert early.ici is not None
        assert late.ici < early.ici
    # Fitted on the same patients the slope would be 1 to the last digit: it is not, as it is judged on others.
    assert after.slope != pytest.approx(1, abs=1e-6)


def test_a_right_model_is_left_nearly_alone() -> None:
    model = trained()
    lp, seen = site(3000, 10)
    found = calibration_figures(seen, model.linear_predictor(lp[:, None]), model.baseline)
    # 1,900 events: standard errors .023 and .03, with those of the training; three of them.
    assert found.expected_over_observed == pytest.approx(1, abs=0.1)
    assert found.slope_low < 1 < found.slope_high
    assert [one.months for one in found.horizons] == [12.0, 36.0, 60.0]
    assert all(one.ici is not None and one.ici < 0.03 for one in found.horizons)


def test_a_horizon_with_fewer_than_ten_events_has_no_ratio() -> None:
    model = trained()
    lp, seen = site(24, 11)
    first = calibration_figures(seen, lp, model.baseline).horizons[0]
    assert first.events < 10
    assert (first.observed, first.expected_over_observed, first.ici) == (None, None, None)
    assert 0 < first.expected < 1
