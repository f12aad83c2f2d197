"""Measures of resamples against lifelines and scikit-survival, on public data and on virtual patients."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index
from lymphoma.evaluation.figures import Figures, draw, holm, verdict
from lymphoma.evaluation.fitting import Predictions
from lymphoma.evaluation.measures import (
    Key,
    Panel,
    Setting,
    accuracy_panel,
    benefit_panel,
    distance_panel,
    ranking_panel,
    slope_panel,
    threshold_panel,
)
from lymphoma.evaluation.protocols import Split
from lymphoma.evaluation.ranking import ComparablePairs, auc_of_counts
from lymphoma.evaluation.result import Estimate
from lymphoma.evaluation.weighted import FailedBy, StratifiedCox
from lymphoma.survival.calibration import calibration_curve
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.cutoffs import threshold_metrics
from lymphoma.survival.decision import decision_curve
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.ipcw import event_weights, horizon_weights
from sksurv.datasets import load_whas500
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import brier_score, concordance_index_ipcw, cumulative_dynamic_auc, integrated_brier_score
from sksurv.nonparametric import kaplan_meier_estimator

from tests.unit.survival.cohorts import PublicCohort, gbsg2, months, rossi

pytestmark = pytest.mark.unit

TAU = 48.0


@cache
def whas500() -> tuple[FollowUp, Floats]:
    table, y = load_whas500()
    return FollowUp(months(y["lenfol"]), y["fstat"]), table[["age", "bmi"]].to_numpy(float)


def resamples(n: int, count: int, seed: int = 4) -> Floats:
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=count).T.astype(np.float64)


def copies(counts: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.repeat(np.arange(counts.size), counts.astype(int))


@pytest.mark.parametrize("cohort", [rossi, gbsg2], ids=["rossi", "gbsg2"])
def test_c_and_auc_of_resamples_are_those_of_the_copies(cohort: PublicCohort) -> None:
    """Two risks: one with all values different, one with many ties. Rossi has many ties in time."""
    data = cohort()  # type: ignore[operator]
    follow_up, at = data.follow_up, 0.7 * float(data.follow_up.months.max())
    # scikit-survival takes risks within 1e-8 as tied: irrational weights make none
    risks = np.stack([data.matrix @ np.sqrt(np.arange(2, 2 + data.matrix.shape[1])), np.round(data.matrix[:, 0] / 5)])
    counts = resamples(follow_up.n, 3)
    harrell, uno = ComparablePairs(follow_up, event_weights(follow_up, follow_up, at)).concordance(risks, counts)
    weights = horizon_weights(follow_up, follow_up, at)
    auc = auc_of_counts(risks, weights.case, weights.control, counts)
    for draw_, model in np.ndindex(3, 2):
        index = copies(counts[:, draw_])
        part = follow_up.take(index)
        assert harrell[draw_, model] == pytest.approx(
            concordance_index(part.months, -risks[model][index], part.event), abs=1e-12
        )
        # scikit-survival weighs events that it then does not use, also where no patient can be seen uncensored
        y = (follow_up.structured(), part.closed_at(at + 0.1).structured())
        assert uno[draw_, model] == pytest.approx(concordance_index_ipcw(*y, risks[model][index], tau=at)[0], abs=1e-9)
        assert auc[draw_, model] == pytest.approx(cumulative_dynamic_auc(*y, risks[model][index], [at])[0][0], abs=1e-9)


def test_single_precision_holds_the_counts_of_many_patients() -> None:
    """4,000 patients of one risk order: pairs beyond 2^24 in sum, exact per row."""
    n = 4000
    follow_up = FollowUp(np.arange(1.0, n + 1), np.ones(n, dtype=bool))
    harrell, _ = ComparablePairs(follow_up, np.ones(n)).concordance(
        np.arange(n)[None, ::-1] * 1.0, np.full((n, 1), 3.0)
    )
    assert harrell[0, 0] == 1.0


def test_cox_of_resamples_is_that_of_the_copies() -> None:
    follow_up, x = whas500()
    counts = resamples(follow_up.n, 4)
    cox = StratifiedCox(follow_up, x, np.zeros(follow_up.n, dtype=np.int64))
    found = cox.coefficients(counts)
    for draw_ in range(4):
        index = copies(counts[:, draw_])
        model = CoxPHSurvivalAnalysis(ties="breslow", tol=1e-12).fit(x[index], follow_up.take(index).structured())
        # Newton ends at a step of 1e-3 of a standard deviation, with an error of about its square
        assert found[draw_] == pytest.approx(model.coef_, abs=1e-6)
        at_means = model.cum_baseline_hazard_(24.0) * np.exp(cox.centre @ model.coef_)
        assert cox.hazard_at(counts, found, 24.0)[draw_] == pytest.approx(at_means, rel=1e-5)


def test_strata_have_baselines_of_their_own() -> None:
    follow_up, x = whas500()
    strata = (np.arange(follow_up.n) % 3).astype(np.int64)
    strata[:20] = -1
    found = StratifiedCox(follow_up, x, strata).coefficients(np.ones((follow_up.n, 1)))[0]
    used = strata >= 0
    table = pd.DataFrame(x[used], columns=["age", "bmi"])
    table["stratum"], table["months"], table["event"] = strata[used], follow_up.months[used], follow_up.event[used]
    wanted = CoxPHFitter().fit(table, "months", "event", strata=["stratum"]).params_.to_numpy()
    # lifelines has Efron's ties: a few patients of a stratum failed on one day
    assert found == pytest.approx(wanted, abs=5e-4)


def test_separation_has_no_coefficient() -> None:
    follow_up = FollowUp(np.arange(1.0, 9.0), np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool))
    x = np.arange(8.0)[:, None]
    assert np.isnan(StratifiedCox(follow_up, x, np.zeros(8, dtype=np.int64)).coefficients(np.ones((8, 1)))).all()


def test_share_failed_is_that_of_kaplan_meier_of_the_copies() -> None:
    follow_up, x = whas500()
    counts = resamples(follow_up.n, 3)
    chosen = np.flatnonzero(x[:, 0] > 70)
    found = FailedBy(follow_up, chosen, 24.0).share(counts)
    for draw_ in range(3):
        index = np.repeat(chosen, counts[chosen, draw_].astype(int))
        part = follow_up.take(index)
        curve = KaplanMeierFitter().fit(part.months, part.event)
        assert found[draw_] == pytest.approx(1 - float(curve.predict(24.0)), abs=1e-12)


@pytest.fixture(scope="module")
def setting() -> Setting:
    """A Cox model of age and body mass in two folds of the WHAS500 patients, and a model that says nothing."""
    follow_up, x = whas500()
    times = np.arange(1.0, TAU + 1)
    parts = [np.flatnonzero(np.arange(follow_up.n) % 2 == side) for side in (0, 1)]
    splits = (Split("1", parts[1], parts[0]), Split("2", parts[0], parts[1]))
    scores, survival, fold = np.zeros((2, follow_up.n)), np.zeros((2, follow_up.n, times.size)), np.zeros(follow_up.n)
    for number, split in enumerate(splits):
        train = follow_up.take(split.train)
        model = fit_cox(["age", "bmi"], x[split.train], train, endpoint="death")
        scores[0, split.test] = model.linear_predictor(x[split.test])
        survival[0, split.test] = model.survival(x[split.test], times)
        survival[1, split.test] = model.survival(x[split.train].mean(axis=0)[None], times)
        fold[split.test] = number
    cutoffs = np.array([[0.2, -0.1], [np.nan, np.nan]])
    predicted = Predictions(splits, times, scores, scores, survival, cutoffs, fold.astype(np.int64))
    return Setting(("cox", "same"), np.array([False, True]), follow_up, predicted, (12.0, 24.0, TAU))


def values(panel: Panel, n: int) -> dict[Key, float]:
    return dict(zip(panel.keys, panel.statistic(np.ones((n, 1)))[0], strict=True))


def seen_by_train(setting: Setting, split: Split) -> tuple[Any, Any]:
    """Train and test for scikit-survival, which refuses times beyond the training fold even where none is used."""
    test = setting.follow_up.take(split.test).closed_at(TAU + 1)
    return setting.follow_up.take(split.train).structured(), test.structured()


def test_rankings_are_means_over_folds(setting: Setting) -> None:
    found = values(ranking_panel(setting), setting.follow_up.n)
    harrell, uno, auc = [], [], []
    for split in setting.predicted.splits:
        test = setting.follow_up.take(split.test)
        risk, y = setting.predicted.scores[0, split.test], seen_by_train(setting, split)
        harrell.append(concordance_index(test.months, -risk, test.event))
        uno.append(concordance_index_ipcw(*y, risk, tau=TAU)[0])
        auc.append(cumulative_dynamic_auc(*y, risk, [24.0])[0][0])
    assert found[Key("cox", "harrell")] == pytest.approx(np.mean(harrell), abs=1e-12)
    assert found[Key("cox", "uno")] == pytest.approx(np.mean(uno), abs=1e-9)
    assert found[Key("cox", "auc", 24.0)] == pytest.approx(np.mean(auc), abs=1e-9)
    assert found[Key("same", "harrell")] == 0.5


def test_brier_scores_are_those_of_scikit_survival(setting: Setting) -> None:
    found = values(accuracy_panel(setting), setting.follow_up.n)
    at, over = [], []
    for split in setting.predicted.splits:
        y = seen_by_train(setting, split)
        survival = setting.predicted.survival[0, split.test]
        at.append(brier_score(*y, survival[:, 23], 24.0)[1][0])
        over.append(integrated_brier_score(*y, survival, setting.predicted.times))
    assert found[Key("cox", "brier", 24.0)] == pytest.approx(np.mean(at), abs=1e-9)
    assert found[Key("cox", "integrated_brier")] == pytest.approx(np.mean(over), abs=1e-9)


def test_slope_is_stratified_by_fold_and_nothing_for_a_flat_model(setting: Setting) -> None:
    found = values(slope_panel(setting), setting.follow_up.n)
    assert set(found) == {Key("cox", "slope")}
    table = pd.DataFrame({"lp": setting.predicted.linear_predictors[0], "fold": setting.predicted.fold})
    table["months"], table["event"] = setting.follow_up.months, setting.follow_up.event
    wanted = float(CoxPHFitter().fit(table, "months", "event", strata=["fold"]).params_["lp"])
    # Breslow here, Efron there
    assert found[Key("cox", "slope")] == pytest.approx(wanted, abs=5e-3)


def test_distances_are_those_of_the_calibration_curve(setting: Setting) -> None:
    # Ties are Efron's there and Breslow's here: these times have none.
    apart = np.random.default_rng(1).uniform(0, 0.03, setting.follow_up.n)
    follow_up = FollowUp(setting.follow_up.months + apart, setting.follow_up.event)
    found = values(distance_panel(replace(setting, follow_up=follow_up), [24.0]), follow_up.n)
    curve = calibration_curve(follow_up, setting.predicted.at(24.0)[0], 24.0)
    # a quantile of 500 values is one of them here, between two of them there
    assert found[Key("cox", "ici", 24.0)] == pytest.approx(curve.ici, abs=1e-5)
    assert found[Key("cox", "e50", 24.0)] == pytest.approx(curve.e50, abs=2e-4)
    assert found[Key("cox", "e90", 24.0)] == pytest.approx(curve.e90, abs=2e-4)


def test_net_benefit_is_that_of_the_decision_curve(setting: Setting) -> None:
    found = values(benefit_panel(setting), setting.follow_up.n)
    curve = decision_curve(setting.follow_up, 1 - setting.predicted.at(24.0)[0], 24.0, [0.1, 0.2, 0.3, 0.4])
    assert [found[Key("cox", "net_benefit", cut)] for cut in (0.1, 0.2, 0.3, 0.4)] == pytest.approx(curve.model)


def test_threshold_figures_with_one_fold_are_those_of_the_cutoff(setting: Setting) -> None:
    everybody = np.arange(setting.follow_up.n)
    whole = Predictions(
        (Split("all", everybody, everybody),),
        setting.predicted.times,
        setting.predicted.scores,
        setting.predicted.scores,
        setting.predicted.survival,
        np.array([[0.1], [np.nan]]),
        np.zeros(everybody.size, dtype=np.int64),
    )
    alone = Setting(setting.models, setting.flat, setting.follow_up, whole, (24.0,))
    found = values(threshold_panel(alone), setting.follow_up.n)
    wanted = threshold_metrics(setting.follow_up, whole.scores[0], 0.1, 24.0)
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        assert found[Key("cox", name, 24.0)] == pytest.approx(getattr(wanted, name), abs=1e-12)
    assert not [key for key in found if key.model == "same"]


def test_a_draw_is_the_figure_of_the_drawn_patients(setting: Setting) -> None:
    """Counts of a resample within folds, put into the public libraries as copies."""
    strata = setting.predicted.fold
    seen: list[Floats] = []

    def watch(counts: Floats) -> Floats:
        seen.append(counts)
        return np.zeros((counts.shape[1], 1))

    figures = draw([[ranking_panel(setting), Panel((Key("x", "slope"),), watch)]], strata, resamples=5, seed=3)
    counts = seen[-1]
    sizes = np.bincount(strata)
    for fold, size in enumerate(sizes):
        assert (counts[strata == fold].sum(axis=0) == size).all()
    by_fold = []
    for split in setting.predicted.splits:
        index = split.test[copies(counts[split.test, 2])]
        part = setting.follow_up.take(index)
        by_fold.append(concordance_index(part.months, -setting.predicted.scores[0, index], part.event))
    assert figures.draws[2, figures.column[Key("cox", "harrell")]] == pytest.approx(np.mean(by_fold), abs=1e-12)


def test_kaplan_meier_of_nobody_and_of_the_unfollowed() -> None:
    follow_up = FollowUp(np.array([5.0, 6.0, 30.0]), np.array([True, False, False]))
    one = np.ones((3, 1))
    assert FailedBy(follow_up, np.array([], dtype=np.int64), 24.0).share(one).tolist() == [0.0]
    assert np.isnan(FailedBy(follow_up, np.array([0, 1]), 24.0).share(one)).all()
    step = kaplan_meier_estimator(follow_up.event, follow_up.months)[1]
    assert FailedBy(follow_up, np.arange(3), 24.0).share(one)[0] == pytest.approx(1 - step[1])


def figures_of(values: Floats, draws: Floats) -> Figures:
    return Figures({Key("a", "harrell"): 0, Key("b", "harrell"): 1}, values, draws)


def test_difference_is_paired_and_says_when_it_cannot_be_had() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(0.7, 0.05, size=400)
    draws = np.stack([common + 0.02, common], axis=1)
    gap = figures_of(np.array([0.72, 0.70]), draws).difference(Key("a", "harrell"), Key("b", "harrell"))
    # the scatter is shared, so that the difference has none
    assert (gap.lower, gap.upper) == (pytest.approx(0.02), pytest.approx(0.02))
    assert gap.p == pytest.approx(2 / 401)
    missing = figures_of(np.array([0.72, np.nan]), draws).difference(Key("a", "harrell"), Key("b", "harrell"))
    assert missing.value is None
    assert missing.problem
    draws[80:, 0] = np.nan
    few = figures_of(np.array([0.72, 0.70]), draws).estimate(Key("a", "harrell"))
    assert (few.value, few.lower) == (0.72, None)


@pytest.mark.parametrize(
    ("gap", "higher", "shown", "sentence"),
    [
        (Estimate(0.03, 0.01, 0.05), True, True, "A beats B by Harrell C (n = 90)."),
        (Estimate(-0.03, -0.05, -0.01), True, True, "B beats A by Harrell C (n = 90)."),
        (Estimate(-0.03, -0.05, -0.01), False, True, "A beats B by Harrell C (n = 90)."),
        (Estimate(0.03, -0.01, 0.05), True, False, "A better than B by Harrell C: not shown, n = 90."),
        (Estimate(0.03, 0.0, 0.05), True, False, "A better than B by Harrell C: not shown, n = 90."),
        (Estimate(None, problem="x"), True, False, "A against B: not shown, n = 90 (Harrell C without an interval)."),
    ],
)
def test_wording_of_a_difference(gap: Estimate, higher: bool, shown: bool, sentence: str) -> None:
    said = verdict("A", "B", gap, 90, measure="Harrell C", higher_is_better=higher)
    assert (said.shown, said.sentence) == (shown, sentence)


def test_holm_leaves_gaps_and_never_falls() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx((0.03, None, 0.06, 0.06))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
