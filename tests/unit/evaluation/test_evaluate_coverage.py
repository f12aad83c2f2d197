"""Intervals of cross-validated figures cover a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.evaluation.figures import draw
from lymphoma.evaluation.fitting import Predictions
from lymphoma.evaluation.measures import Key, Setting, ranking_panel
from lymphoma.evaluation.protocols import Split
from lymphoma.survival.concordance import harrell
from lymphoma.survival.follow_up import Floats, FollowUp

pytestmark = pytest.mark.unit

COHORTS, PATIENTS, FOLDS, RESAMPLES = 120, 150, 5, 200


def cohort(n: int, seed: int) -> tuple[FollowUp, Floats]:
    """Risk known up to noise: a good score and a worse one, (2, n); two fifths censored."""
    rng = np.random.default_rng([seed, 77])
    eta = rng.normal(size=n)
    event, censoring = rng.exponential(30 * np.exp(-eta)), rng.uniform(24, 66, n)
    scores = np.stack([eta + 0.5 * rng.normal(size=n), eta + 1.5 * rng.normal(size=n)])
    return FollowUp(np.minimum(event, censoring) + 1e-6, event <= censoring), scores


def setting(seed: int) -> Setting:
    follow_up, scores = cohort(PATIENTS, seed)
    fold = np.random.default_rng([seed, 78]).permutation(PATIENTS) % FOLDS
    splits = tuple(Split(str(k), np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS))
    nothing = np.full((2, PATIENTS, 1), np.nan)
    predicted = Predictions(splits, np.array([24.0]), scores, scores, nothing, np.full((2, FOLDS), np.nan), fold)
    return Setting(("good", "worse"), np.array([False, False]), follow_up, predicted, (24.0,))


def test_intervals_of_c_and_of_its_difference_cover_the_truth() -> None:
    """Scores are given, so that the truth is that of a large cohort; 95 % of 120 intervals have an error of 2 %."""
    follow_up, scores = cohort(20_000, seed=1_000_000)
    truth = [harrell(follow_up, score) for score in scores]
    inside = np.zeros(2)
    for seed in range(COHORTS):
        here = setting(seed)
        figures = draw([[ranking_panel(here)]], here.predicted.fold, resamples=RESAMPLES, seed=seed)
        one = figures.estimate(Key("good", "harrell"))
        gap = figures.difference(Key("good", "harrell"), Key("worse", "harrell"))
        assert one.lower is not None
        assert one.upper is not None
        assert gap.lower is not None
        assert gap.upper is not None
        inside += [one.lower <= truth[0] <= one.upper, gap.lower <= truth[0] - truth[1] <= gap.upper]
    # 95 % less the little that percentile intervals of 150 patients and 200 resamples are known to lack; 3 errors wide
    assert (inside / COHORTS >= 0.89).all()
    assert (inside / COHORTS < 1).all()
