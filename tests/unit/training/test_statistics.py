"""Whether a study looks like the training patients."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import BundleRefused
from lymphoma.training.statistics import RangeStatistics, fit_statistics, in_range

pytestmark = pytest.mark.unit

NAMES = ["liver_suv", "spleen_suv", "aorta_suv", "brain_suv", "liver_ml", "spleen_ml", "noise", "height"]


def draw(count: int, seed: int) -> np.ndarray:
    """Organ values: strictly positive, of very different size, three of them moving together."""
    rng = np.random.default_rng(seed)
    scale = rng.normal(0, 0.2, size=(count, 1))
    suv = np.exp(np.log([2.2, 2.0, 1.6, 10.0]) + scale + rng.normal(0, 0.1, size=(count, 4)))
    size = rng.normal([1500, 220, 0.1, 1000], [250, 50, 0.02, 60], size=(count, 4))
    return np.hstack([suv, size])


@pytest.fixture(scope="module")
def statistics() -> RangeStatistics:
    return fit_statistics(NAMES, draw(300, seed=1))


def test_new_patients_of_the_same_kind_are_in_range(statistics: RangeStatistics) -> None:
    verdicts = [in_range(row, statistics).range for row in draw(2000, seed=2)]
    # a limit of 99 % lets one in a hundred out, more where the tails are heavy as here; 5 % are allowed
    assert 0.001 < verdicts.count("outside") / 2000 < 0.05
    assert verdicts.count("unusual") / 2000 < 0.05


def test_few_patients_do_not_tighten_the_limit() -> None:
    """With 30 patients, distances of the fitted themselves as limit would refuse 12 % of new ones."""
    new = draw(200, seed=4)
    outside = [
        in_range(row, few).range == "outside"
        for few in (fit_statistics(NAMES, draw(30, seed)) for seed in range(100, 108))
        for row in new
    ]
    # 2.5 % here; the 99 % quantile of 30 distances lies anywhere near their 97 %
    assert np.mean(outside) < 0.06


def test_suv_times_ten_is_outside_with_its_features(statistics: RangeStatistics) -> None:
    study = draw(1, seed=5)[0]
    study[:4] *= 10
    verdict = in_range(study, statistics)
    assert verdict.range == "outside"
    assert set(verdict.features) == set(NAMES[:4])


def test_usual_values_in_an_unusual_combination_are_outside(statistics: RangeStatistics) -> None:
    """Liver against spleen and blood: each within its range, never together."""
    study = np.array([2.2 * np.exp(0.4), 2.0 * np.exp(-0.35), 1.6, 10.0, 1500, 220, 0.1, 1000])
    assert np.all((np.array(statistics.low) < study) & (study < np.array(statistics.high)))
    verdict = in_range(study, statistics)
    assert verdict.range == "outside"
    assert verdict.distance > verdict.limit
    assert set(verdict.features) <= {"liver_suv", "spleen_suv"}


def test_a_feature_that_is_not_known_is_unusual(statistics: RangeStatistics) -> None:
    study = draw(200, seed=6)
    study[:, 4] = np.nan
    verdicts = [in_range(row, statistics) for row in study]
    assert verdicts[0].features == ("liver_ml",)
    assert {verdict.range for verdict in verdicts} <= {"unusual", "outside"}
    assert np.mean([verdict.range == "outside" for verdict in verdicts]) < 0.05
    assert verdicts[0].limit < statistics.limit


def test_infinite_is_outside(statistics: RangeStatistics) -> None:
    study = draw(1, seed=7)[0]
    study[6] = np.inf
    assert in_range(study, statistics).range == "outside"
    assert in_range(study, statistics).features == ("noise",)


def test_distance_is_mahalanobis_of_the_shrunk_covariance(statistics: RangeStatistics) -> None:
    study = draw(1, seed=8)[0]
    scale = np.diag(statistics.scale)
    covariance = scale @ np.array(statistics.covariance) @ scale
    gap = study - np.array(statistics.mean)
    assert in_range(study, statistics).distance == pytest.approx(np.sqrt(gap @ np.linalg.inv(covariance) @ gap))


@pytest.mark.parametrize(
    "values",
    [draw(19, 0), np.where(np.arange(8) == 3, np.nan, draw(50, 0)), np.where(np.arange(8) == 3, 1, draw(50, 0))],
)
def test_statistics_that_cannot_be_fitted(values: np.ndarray) -> None:
    with pytest.raises(BundleRefused, match="STATISTICS_UNFIT"):
        fit_statistics(NAMES, values)
