"""Lasso-Cox: the optimum is one, signal is kept, noise is left, nothing leaks between folds."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.lasso import LassoCox, fit_lasso, partial_log_likelihood

from tests.unit.survival.cohorts import lung

pytestmark = pytest.mark.unit

NAMES = [f"f{index}" for index in range(20)]


def simulated(signal: float) -> tuple[Floats, FollowUp]:
    rng = np.random.default_rng([51])
    x = rng.normal(size=(200, 20)) * np.linspace(0.1, 50, 20) + 7
    z = (x - 7) / np.linspace(0.1, 50, 20)
    hidden = rng.exponential(20 * np.exp(-signal * (z[:, 0] - z[:, 19])))
    censored = rng.uniform(5, 60, 200)
    return x, FollowUp(np.minimum(hidden, censored), hidden <= censored)


@pytest.fixture(scope="module")
def found() -> LassoCox:
    return fit_lasso(NAMES, *simulated(0.8), folds=5, seed=1)


def test_signal_is_found_whatever_its_scale(found: LassoCox) -> None:
    assert {"f0", "f19"} <= set(found.selected)
    assert found.coefficients[0] > 0.4
    assert found.coefficients[19] < -0.4
    assert np.abs(found.coefficients[1:19]).max() < 0.15
    x, _ = simulated(0.8)
    expected = ((x - x.mean(axis=0)) / x.std(axis=0)) @ found.coefficients
    np.testing.assert_allclose(found.linear_predictor(x), expected, atol=1e-12)
    assert found.penalty == found.penalties[np.argmin(found.deviance)]
    assert found.deviance.shape == found.deviance_error.shape == found.penalties.shape
    assert (np.diff(found.penalties) < 0).all()


def test_the_optimum_fulfils_its_conditions(found: LassoCox) -> None:
    # Karush, Kuhn, Tucker: the slope of the likelihood per patient is the penalty where a coefficient is not 0, and
    # smaller where it is. 1e-3 of the penalty is what Coxnet's tolerance and the numerical slope leave.
    x, follow = simulated(0.8)
    z = (x - found.means) / found.scales
    steps = found.coefficients[:, None] + 1e-5 * np.hstack([np.eye(20), -np.eye(20)])
    both = partial_log_likelihood(follow, z @ steps)
    slope = (both[:20] - both[20:]) / 2e-5 / 200 / found.penalty
    kept = found.coefficients != 0
    np.testing.assert_allclose(slope[kept], np.sign(found.coefficients[kept]), atol=1e-3)
    assert (np.abs(slope[~kept]) <= 1 + 1e-3).all()


def test_noise_gives_little() -> None:
    x, follow = simulated(0.0)
    assert np.abs(fit_lasso(NAMES, x, follow, folds=5, seed=1).coefficients).max() < 0.2


def test_reproducible(found: LassoCox) -> None:
    again = fit_lasso(NAMES, *simulated(0.8), folds=5, seed=1)
    np.testing.assert_array_equal(again.coefficients, found.coefficients)
    np.testing.assert_array_equal(again.deviance, found.deviance)
    assert (fit_lasso(NAMES, *simulated(0.8), folds=5, seed=2).deviance != found.deviance).any()


def test_a_constant_column_is_left_out() -> None:
    x, follow = simulated(0.8)
    x[:, 5] = 3.0
    assert fit_lasso(NAMES, x, follow, folds=3).coefficients[5] == 0


def test_partial_likelihood() -> None:
    # No covariates, four events: log 4!; R's null log-likelihood of lung has Efron's ties, Breslow's is a little less.
    follow = FollowUp(np.array([4.0, 1.0, 3.0, 2.0]), np.ones(4, dtype=bool))
    assert partial_log_likelihood(follow, np.zeros((4, 1)))[0] == pytest.approx(-np.log(24))
    tied = FollowUp(np.array([1.0, 1.0, 2.0]), np.array([True, True, False]))
    assert partial_log_likelihood(tied, np.zeros((3, 1)))[0] == pytest.approx(-2 * np.log(3))
    assert partial_log_likelihood(tied, np.full((3, 1), 800.0))[0] == pytest.approx(-2 * np.log(3))


def test_refusals() -> None:
    cohort = lung()
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        fit_lasso(cohort.names, cohort.matrix[:9], cohort.follow_up.take(np.arange(9)))
    gap = cohort.matrix.copy()
    gap[0, 0] = np.nan
    with pytest.raises(NotComputable, match="COX_NOT_FITTED"):
        fit_lasso(cohort.names, gap, cohort.follow_up)
