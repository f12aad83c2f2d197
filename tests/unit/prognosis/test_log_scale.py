"""A covariate that enters as its logarithm: the fit, the axis in its own unit, and values at or under its least."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.survival.cox import CoxModel, fit_cox
from lymphoma.survival.design import Continuous, columns_of, encode
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.nomogram import Nomogram, axis_values, build_nomogram
from lymphoma.survival.ticks import pretty_log

pytestmark = pytest.mark.unit

TERMS = (Continuous("tmtv_ml", "mL", "log", 1.0), Continuous("age_years", "years"))


@pytest.fixture(scope="module")
def columns() -> list[np.ndarray]:
    rng = np.random.default_rng([31])
    return [np.exp(rng.normal(5, 1.5, 500)).clip(2), rng.normal(62, 12, 500)]


@pytest.fixture(scope="module")
def follow_up(columns: list[np.ndarray]) -> FollowUp:
    rng = np.random.default_rng([32])
    hidden = rng.exponential(60 * np.exp(-0.4 * (np.log(columns[0]) - 5) - 0.02 * (columns[1] - 62)))
    censored = rng.uniform(20, 80, 500)
    return FollowUp(np.minimum(hidden, censored), hidden <= censored)


@pytest.fixture(scope="module")
def model(columns: list[np.ndarray], follow_up: FollowUp) -> CoxModel:
    return fit_cox(columns_of(TERMS), encode(TERMS, columns), follow_up, endpoint="pfs")


@pytest.fixture(scope="module")
def nomogram(model: CoxModel, columns: list[np.ndarray]) -> Nomogram:
    return build_nomogram(model, TERMS, axis_values(TERMS, columns), (12.0, 36.0))


def test_the_fit_is_that_of_the_logarithm(model: CoxModel, columns: list[np.ndarray], follow_up: FollowUp) -> None:
    by_hand = fit_cox(["a", "b"], np.stack([np.log(columns[0]), columns[1]], axis=1), follow_up, endpoint="pfs")
    assert model.names == ("log(tmtv_ml)", "age_years")
    assert np.array_equal(model.coefficients, by_hand.coefficients)
    assert 0.25 < model.coefficients[0] < 0.55  # simulated with 0.4


def test_equal_ratios_have_equal_points(nomogram: Nomogram) -> None:
    points = [nomogram.read([volume, 62.0]).points[0] for volume in (5.0, 50.0, 500.0)]
    assert points[1] - points[0] == pytest.approx(points[2] - points[1])
    assert points[1] > points[0]


def test_the_axis_is_in_the_clinical_unit(nomogram: Nomogram, columns: list[np.ndarray]) -> None:
    ticks = [tick.value for tick in nomogram.axes[0].ticks]
    assert ticks[0] <= columns[0].min()
    assert ticks[-1] >= columns[0].max()
    assert {5.0, 20.0, 100.0, 500.0} <= set(ticks)
    for tick in nomogram.axes[0].ticks:
        assert nomogram.read([tick.value, 62.0]).points[0] == pytest.approx(tick.points)


def test_round_trip_of_the_linear_predictor(nomogram: Nomogram, model: CoxModel) -> None:
    for volume, age in ((3.0, 40.0), (250.0, 61.0), (4000.0, 88.0)):
        total = nomogram.read([volume, age]).least_total
        assert nomogram.linear_predictor(total) == pytest.approx(
            model.linear_predictor(encode(TERMS, [[volume], [age]]))[0], abs=1e-9
        )


def test_nothing_counts_as_the_least(model: CoxModel, columns: list[np.ndarray]) -> None:
    none = [np.append(columns[0], 0.0), np.append(columns[1], 62.0)]
    ticks = axis_values(TERMS, none)
    assert ticks[0][0] == 1.0
    nomogram = build_nomogram(model, TERMS, ticks, (12.0,))
    zero, least = nomogram.read([0.0, 62.0]), nomogram.read([1.0, 62.0])
    assert zero.points == least.points
    assert zero.outside == ()
    assert np.isfinite(encode(TERMS, [[0.0], [62.0]])).all()


def test_few_values_are_shown_as_they_are() -> None:
    assert axis_values(TERMS[:1], [[0.0, 0.5, 10.0]]) == ((1.0, 10.0),)


@pytest.mark.parametrize(
    ("least", "most", "ticks"),
    [
        (1.0, 2000.0, (1, 5, 20, 100, 500, 2000)),
        (3.0, 70.0, (2, 5, 10, 20, 50, 100)),
        (0.4, 9.0, (0.2, 0.5, 1, 2, 5, 10)),
        (1.0, 4500.0, (1, 5, 20, 100, 500, 2000, 5000)),
        (0.03, 30000.0, (0.02, 0.1, 1, 10, 100, 1000, 10000, 50000)),
    ],
)
def test_round_numbers_by_decade(least: float, most: float, ticks: tuple[float, ...]) -> None:
    assert pretty_log(least, most) == pytest.approx(ticks)


@pytest.mark.parametrize("bounds", [(0.0, 5.0), (2.0, 2.0), (-1.0, 3.0), (1.0, float("inf"))])
def test_no_ticks_without_a_range(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="range"):
        pretty_log(*bounds)


@pytest.mark.parametrize(("scale", "least"), [("log", None), ("log", 0.0), ("linear", 1.0)])
def test_a_least_value_belongs_to_a_log_scale(scale: str, least: float | None) -> None:
    with pytest.raises(ValueError, match="log scale"):
        Continuous("x", "", scale, least)  # type: ignore[arg-type]
