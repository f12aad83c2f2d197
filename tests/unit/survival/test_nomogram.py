"""The numbers of a nomogram: round trip, directions, missing covariates, ends of axes."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.survival.cox import CoxModel, fit_cox
from lymphoma.survival.design import Categorical, Continuous, columns_of, encode
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.nomogram import Nomogram, axis_values, build_nomogram
from lymphoma.survival.ticks import pretty

pytestmark = pytest.mark.unit

TERMS = (Continuous("age", "years"), Categorical("stage", ("I", "II", "III", "IV")), Continuous("haemoglobin", "g/dL"))
MONTHS = (12.0, 36.0, 60.0)
ROUND_TRIP = 1e-9


@pytest.fixture(scope="module")
def values() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([21])
    return rng.normal(63, 13, 400).clip(19, 90), rng.choice(["I", "II", "III", "IV"], 400), rng.normal(12, 1.5, 400)


@pytest.fixture(scope="module")
def model(values: tuple[np.ndarray, np.ndarray, np.ndarray]) -> CoxModel:
    age, stage, haemoglobin = values
    rng = np.random.default_rng([22])
    late = np.isin(stage, ["III", "IV"])
    hidden = rng.exponential(80 * np.exp(-0.03 * (age - 63) - 0.7 * late + 0.3 * (haemoglobin - 12)))
    censored = rng.uniform(24, 90, 400)
    follow = FollowUp(np.minimum(hidden, censored), hidden <= censored)
    return fit_cox(columns_of(TERMS), encode(TERMS, values), follow, endpoint="pfs")


@pytest.fixture(scope="module")
def nomogram(model: CoxModel, values: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Nomogram:
    return build_nomogram(model, TERMS, axis_values(TERMS, values), MONTHS)


def test_round_trip(nomogram: Nomogram, model: CoxModel, values: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    columns = [column.tolist() for column in values]
    lp = model.linear_predictor(encode(TERMS, values))
    survival = model.survival(encode(TERMS, values), MONTHS)
    for row in range(0, 400, 7):
        reading = nomogram.read([column[row] for column in columns])
        assert sum(p for p in reading.points if p is not None) == pytest.approx(reading.least_total, abs=ROUND_TRIP)
        assert abs(nomogram.linear_predictor(reading.least_total) - lp[row]) < ROUND_TRIP
        for index, months in enumerate(MONTHS):
            read = nomogram.survival_at(reading.least_total, months)
            assert read == pytest.approx(survival[row, index], abs=ROUND_TRIP)
            assert reading.survival[index].least == pytest.approx(read, abs=ROUND_TRIP)


def test_the_widest_axis_has_100_points_and_each_begins_at_0(nomogram: Nomogram) -> None:
    ends = [max(tick.points for tick in axis.ticks) for axis in nomogram.axes]
    assert max(ends) == pytest.approx(100)
    assert all(min(tick.points for tick in axis.ticks) == 0 for axis in nomogram.axes)
    assert nomogram.total_ticks[0] == 0
    assert nomogram.total_ticks[-1] >= sum(ends)


def test_a_protective_covariate_runs_leftwards(nomogram: Nomogram) -> None:
    age, haemoglobin = nomogram.axes[0].ticks, nomogram.axes[2].ticks
    assert [t.points for t in age] == sorted(t.points for t in age)
    assert [t.points for t in haemoglobin] == sorted((t.points for t in haemoglobin), reverse=True)


def test_survival_axes_lie_within_the_total(nomogram: Nomogram) -> None:
    for axis in nomogram.survival:
        assert axis.ticks
        points = [tick.total_points for tick in axis.ticks]
        assert points == sorted(points)
        assert points[0] >= 0
        assert points[-1] <= nomogram.total_ticks[-1]
        for tick in axis.ticks:
            assert nomogram.survival_at(tick.total_points, axis.months) == pytest.approx(tick.survival, abs=ROUND_TRIP)


def test_a_missing_covariate_gives_the_range_over_its_values(nomogram: Nomogram) -> None:
    reading = nomogram.read([60.0, None, None])
    assert reading.missing == ("stage", "haemoglobin")
    assert reading.points[1:] == (None, None)
    stages = [tick.value for tick in nomogram.axes[1].ticks]
    ends = [tick.value for tick in nomogram.axes[2].ticks]
    every = [nomogram.read([60.0, stage, end]) for stage in stages for end in (ends[0], ends[-1])]
    assert reading.least_total == pytest.approx(min(r.least_total for r in every))
    assert reading.most_total == pytest.approx(max(r.least_total for r in every))
    for index in range(len(MONTHS)):
        found = reading.survival[index]
        assert found.least == pytest.approx(min(r.survival[index].least for r in every))
        assert found.most == pytest.approx(max(r.survival[index].most for r in every))
        assert found.lower < found.least < found.most < found.upper


def test_a_patient_beyond_the_axis_is_named(nomogram: Nomogram) -> None:
    assert nomogram.read([60.0, "I", 12.0]).outside == ()
    reading = nomogram.read([200.0, "I", 12.0])
    assert reading.outside == ("age",)
    assert reading.survival[0].least == reading.survival[0].most


def test_refusals(nomogram: Nomogram, model: CoxModel, values: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    with pytest.raises(NotComputable, match="COVARIATE_INVALID"):
        nomogram.read([60.0, "V", 12.0])
    ticks = axis_values(TERMS, values)
    with pytest.raises(NotComputable, match="HORIZON_BEYOND_FOLLOW_UP"):
        build_nomogram(model, TERMS, ticks, [120.0])
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        build_nomogram(model, TERMS, ticks, [1e-6])
    with pytest.raises(NotComputable, match="COVARIATE_INVALID"):
        axis_values(TERMS[:1], [np.full(5, 60.0)])


def test_few_values_are_shown_as_they_are() -> None:
    assert axis_values([Continuous("ecog")], [[0, 1, 4, 1, 0]]) == ((0.0, 1.0, 4.0),)
    assert pretty(0.0, 30.0) == (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)  # R: pretty(c(0, 30), 10)
    assert axis_values([Continuous("dose")], [np.linspace(0, 0.97, 50)])[0] == tuple(i / 10 for i in range(11))


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_no_ticks_without_a_range(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="range"):
        pretty(*bounds)
