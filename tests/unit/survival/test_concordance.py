"""C-indices, their bootstrap and their paired tests; AUC and Brier against scikit-survival."""

from __future__ import annotations

import time

import numpy as np
import pytest
from lifelines.utils import concordance_index
from lymphoma.errors import NotComputable
from lymphoma.survival.bootstrap import bootstrap, difference, interval
from lymphoma.survival.brier import brier_contributions, brier_of_resamples, integrated_brier
from lymphoma.survival.concordance import harrell, harrell_of_resamples, kang, uno, uno_of_resamples
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.time_auc import auc_of_resamples, cumulative_auc, naive_auc, naive_labels
from sksurv.datasets import load_whas500
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)

from tests.unit.survival.cohorts import gbsg2, months

pytestmark = pytest.mark.unit

EXACT = 1e-12


def cohort(n: int, seed: int, *, tied: bool = True) -> tuple[FollowUp, Floats]:
    """Times, and two risks; with ties in both where asked for."""
    rng = np.random.default_rng([11, seed])
    risk = rng.normal(size=(n, 2))
    hidden = rng.exponential(20 * np.exp(-risk[:, 0]))
    censored = rng.uniform(5, 60, n)
    seen = np.minimum(hidden, censored)
    if tied:
        seen, risk = np.ceil(seen), np.round(risk, 1)
    return FollowUp(seen, hidden <= censored), risk


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tied", [True, False])
def test_equal_to_lifelines_and_scikit_survival(seed: int, tied: bool) -> None:
    follow, risks = cohort(150, seed, tied=tied)
    risk = risks.sum(axis=1).round(6)
    found = harrell(follow, risk)
    assert found == pytest.approx(concordance_index_censored(follow.event, follow.months, risk)[0], abs=EXACT)
    assert found == pytest.approx(concordance_index(follow.months, -risk, follow.event), abs=EXACT)
    both = (follow.structured(), follow.structured())
    assert uno(follow, follow, risk, 30) == pytest.approx(concordance_index_ipcw(*both, risk, tau=30)[0], abs=EXACT)
    auc = cumulative_auc(follow, follow, risk, [6, 12, 24])
    expected, _ = cumulative_dynamic_auc(*both, risk, [6, 12, 24])
    np.testing.assert_allclose(auc, expected, atol=EXACT)


def test_by_hand() -> None:
    # Patient 2 is censored at 3, when patient 3 fails: they can be compared, 1 and 4 with everybody later.
    follow = FollowUp(np.array([1.0, 3.0, 3.0, 5.0]), np.array([True, False, True, False]))
    # Pairs 1-2, 1-3, 1-4, 3-2, 3-4: concordant 1-2, 1-3; tied 1-4; concordant 3-2; discordant 3-4.
    assert harrell(follow, [4.0, 1.0, 2.0, 4.0]) == 3.5 / 5


def test_published_values_of_gbsg2() -> None:
    data = gbsg2(grade_as_number=True)
    # The published fit takes menostat=Post against Pre; the linear predictor is the same up to a constant.
    follow, matrix = data.follow_up, data.matrix
    fitter = CoxPHSurvivalAnalysis(tol=1e-12).fit(matrix, follow.structured())
    expected = [-0.00939, -0.33718, -0.26699, 0.04989, -0.00224, 0.28013, 0.00772, 0.00017]
    np.testing.assert_allclose(fitter.coef_, expected, atol=6e-6)
    risk = fitter.predict(matrix)
    assert harrell(follow, risk) == pytest.approx(0.687981, abs=5e-7)
    assert uno(follow, follow, risk, float(months(1825))) == pytest.approx(0.676594, abs=5e-7)
    auc = cumulative_auc(follow, follow, risk, months([365, 730, 1095, 1825]))
    np.testing.assert_allclose(auc, [0.7600, 0.7351, 0.7384, 0.7441], atol=5e-5)
    times = months(np.arange(365, 1826))
    survival = np.stack([curve(times) for curve in fitter.predict_survival_function(matrix)])
    found = integrated_brier(follow, follow, survival, times)
    assert found == pytest.approx(0.18159, abs=5e-6)
    both = (follow.structured(), follow.structured())
    assert found == pytest.approx(integrated_brier_score(*both, survival, times), abs=EXACT)


def test_published_value_of_whas500() -> None:
    table, y = load_whas500()
    follow = FollowUp(y["lenfol"], y["fstat"])
    matrix = table.astype(float).to_numpy()
    model = fit_cox(list(table.columns), matrix, follow, endpoint="os")
    # The published figure is of Breslow's ties, this model of Efron's; risks then change order in a few pairs.
    assert harrell(follow, model.linear_predictor(matrix)) == pytest.approx(0.78422, abs=2e-4)


def test_a_resample_is_its_copies() -> None:
    follow, risks = cohort(60, 3)
    counts = np.random.default_rng([12]).multinomial(60, np.full(60, 1 / 60), size=4).T.astype(float)
    found = harrell_of_resamples(follow, risks)(counts)
    weighted = uno_of_resamples(follow, follow, risks, 30.0)(counts)
    auc = auc_of_resamples(follow, follow, risks, 12.0)(counts)
    for one in range(4):
        copies = np.repeat(np.arange(60), counts[:, one].astype(int))
        again = follow.take(copies)
        assert found[one, 1] == pytest.approx(harrell(again, risks[copies, 1]), abs=EXACT)
        assert weighted[one, 1] == pytest.approx(uno(follow, again, risks[copies, 1], 30.0), abs=EXACT)
        assert auc[one, 1] == pytest.approx(cumulative_auc(follow, again, risks[copies, 1], [12.0])[0], abs=EXACT)


def test_bootstrap_is_reproducible_and_reports() -> None:
    follow, risks = cohort(80, 4)
    statistic, said = harrell_of_resamples(follow, risks), []
    draws = bootstrap(80, statistic, resamples=300, seed=5, progress=lambda done, of: said.append((done, of)))
    assert said == [(250, 300), (300, 300)]
    assert draws.shape == (300, 2)
    np.testing.assert_array_equal(bootstrap(80, statistic, resamples=260, seed=5), draws[:260])
    assert (draws[250:] != draws[:50]).any()  # a block is not the one before
    assert (bootstrap(80, statistic, resamples=300, seed=6) != draws).any()
    first = interval(harrell(follow, risks[:, 0]), draws[:, 0])
    assert first.lower < first.estimate < first.upper


def test_a_better_risk_is_found_better_and_an_equal_one_not() -> None:
    follow, risks = cohort(400, 6)
    draws = bootstrap(400, harrell_of_resamples(follow, risks), resamples=500, seed=1)
    gap = difference(harrell(follow, risks[:, 0]), harrell(follow, risks[:, 1]), draws)
    test = kang(follow, risks[:, 0], risks[:, 1])
    assert gap.lower > 0
    assert gap.p is not None
    assert gap.p < 0.01
    assert test.p < 1e-6
    # Two ways to the same standard error; 500 resamples know it within some 7 % (two standard errors).
    assert (draws[:, 0] - draws[:, 1]).std(ddof=1) == pytest.approx(test.standard_error, rel=0.1)
    same = kang(follow, risks[:, 0], 3 * risks[:, 0] + 1)
    assert (same.difference, same.p) == (0.0, 1.0)


def test_kang_keeps_its_level() -> None:
    # Two equally informative risks: p is uniform, and 400 tests at 5 % reject 20 +- 4.4 times.
    rejected = 0
    for seed in range(400):
        rng = np.random.default_rng([13, seed])
        truth = rng.normal(size=80)
        follow = FollowUp(rng.exponential(20 * np.exp(-truth)), rng.random(80) < 0.6)
        rejected += kang(follow, truth + rng.normal(size=80), truth + rng.normal(size=80)).p < 0.05
    assert 7 <= rejected <= 37  # four standard deviations, and what a small sample adds


def test_integrated_brier_of_resamples() -> None:
    follow, risks = cohort(100, 8, tied=False)
    times = np.linspace(3, 24, 8)
    survival = np.exp(-np.exp(risks[:, :1]) * times / 20)
    parts = brier_contributions(follow, follow, survival, times)
    whole = brier_of_resamples(parts[None], times)(np.ones((100, 1)))[0, 0]
    assert whole == pytest.approx(integrated_brier(follow, follow, survival, times), abs=EXACT)
    counts = np.random.default_rng([14]).multinomial(100, np.full(100, 0.01)).astype(float)
    copies = np.repeat(np.arange(100), counts.astype(int))
    found = brier_of_resamples(parts[None], times)(counts[:, None])[0, 0]
    assert found == pytest.approx(integrated_brier(follow, follow.take(copies), survival[copies], times), abs=EXACT)


def test_the_naive_auc_leaves_out_the_censored() -> None:
    follow = FollowUp(np.array([2.0, 4.0, 6.0, 12.0, 20.0]), np.array([True, False, True, False, False]))
    labels = naive_labels(follow, 12.0)
    assert labels.known.tolist() == [True, False, True, True, True]
    assert labels.event[labels.known].tolist() == [True, True, False, False]
    assert naive_auc(follow, [5, 9, 1, 2, 0], 12.0) == 0.75


def test_what_cannot_be_computed() -> None:
    follow = FollowUp(np.array([5.0, 6.0, 7.0, 8.0]), np.zeros(4, dtype=bool))
    for compute in (
        lambda: harrell(follow, np.arange(4)),
        lambda: kang(follow, np.arange(4), np.arange(4)),
        lambda: cumulative_auc(follow, follow, np.arange(4), [6.0]),
        lambda: naive_auc(follow, np.arange(4), 6.0),
    ):
        with pytest.raises(NotComputable):
            compute()
    some = FollowUp(np.array([5.0, 6.0]), np.array([True, False]))
    with pytest.raises(NotComputable, match="HORIZON_BEYOND_FOLLOW_UP"):
        uno(some, FollowUp(np.array([9.0, 10.0]), np.array([True, False])), [1.0, 0.0])


def test_ten_thousand_patients_cost_little() -> None:
    # 10,000 patients x 1,000 resamples take 4 blocks of 250 at about ten times this; 1 s is several times the measured.
    follow, risks = cohort(10_000, 9, tied=False)
    start = time.process_time()
    bootstrap(10_000, harrell_of_resamples(follow, risks[:, :1]), resamples=20, seed=1)
    assert time.process_time() - start < 10
