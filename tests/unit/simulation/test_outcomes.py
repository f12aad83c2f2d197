"""Outcomes: the population's survival, the two endpoints, censoring, and what a patient's outcome depends on."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from lymphoma.simulation.outcomes import HORIZONS_MONTHS, Baseline, Censoring, draw_outcomes, outcome_model, true_risks

pytestmark = pytest.mark.unit

Family = Literal["weibull", "cure"]
PATIENTS = 4000
ETA = np.random.default_rng(11).normal(0.0, 1.0, PATIENTS)
SEEDS = range(700_000, 700_000 + PATIENTS)


@pytest.mark.parametrize("family", ["weibull", "cure"])
@pytest.mark.parametrize("sigma", [0.25, 1.0, 2.0])
def test_mean_survival_is_070_at_three_years(family: Family, sigma: float) -> None:
    baseline = outcome_model(sigma, family=family).baseline
    eta = np.random.default_rng(5).normal(0.0, sigma, 200_000)
    # 200,000 patients: the SD of survival is below 0.35, its standard error below 0.0008
    assert np.exp(-np.exp(eta) * baseline.cumulative(3.0)).mean() == pytest.approx(0.70, abs=0.0025)


def test_the_population_of_a_mechanism_can_be_given() -> None:
    scores = np.repeat([-0.5, 2.0], [800, 200])
    baseline = outcome_model(1.5, scores=scores).baseline
    assert np.exp(-np.exp(1.5 * scores) * baseline.cumulative(3.0)).mean() == pytest.approx(0.70, abs=1e-8)


@pytest.mark.parametrize("family", ["weibull", "cure"])
def test_times_invert_the_hazard(family: Family) -> None:
    baseline = Baseline(family, 0.4)
    years = np.array([0.01, 0.5, 3.0, 9.0])
    assert baseline.years_at(baseline.cumulative(years)) == pytest.approx(years, rel=1e-9)


def test_the_cured_have_no_event() -> None:
    model = outcome_model(1.0, family="cure")
    table = draw_outcomes(model, ETA, SEEDS, censored=False)
    cured = np.exp(-np.exp(ETA) * model.baseline.rate)
    # a sum of 4,000 Bernoulli draws: the standard error of the share is below 0.008
    assert 1 - table.pfs_event.mean() == pytest.approx(cured.mean(), abs=0.016)
    assert draw_outcomes(outcome_model(1.0), ETA, SEEDS, censored=False).pfs_event.all()


def test_death_never_comes_before_progression() -> None:
    table = draw_outcomes(outcome_model(1.0), ETA, SEEDS)
    assert (table.os_months >= table.pfs_months).all()
    assert not (table.os_event & ~table.pfs_event).any()
    assert (table.pfs_months > 0).all()
    both = draw_outcomes(outcome_model(1.0), ETA, SEEDS, censored=False)
    died_first = (both.os_months == both.pfs_months).mean()
    # 15 of 100 events are deaths; the standard error of a share of 4,000 is 0.006
    assert died_first == pytest.approx(0.15, abs=0.012)


@pytest.mark.parametrize("family", ["weibull", "cure"])
def test_true_survival_is_what_happens(family: Family) -> None:
    model = outcome_model(1.0, family=family)
    risks = true_risks(model, ETA, "mixed", 1.0)
    table = draw_outcomes(model, ETA, SEEDS, censored=False)
    for number, months in enumerate(HORIZONS_MONTHS):
        # shares of 4,000 patients: the standard error is at most 0.008
        assert (table.pfs_months > months).mean() == pytest.approx(np.mean([r.pfs[number] for r in risks]), abs=0.016)
        assert (table.os_months > months).mean() == pytest.approx(np.mean([r.os[number] for r in risks]), abs=0.016)
    assert all(a >= b for risk in risks for a, b in zip(risk.os, risk.pfs, strict=True))


def test_follow_up_ends_as_said() -> None:
    censoring = Censoring(least_years=2.0, most_years=6.0, administrative_years=5.0, lost_share=0.1)
    table = draw_outcomes(outcome_model(1.0, censoring=censoring), ETA, SEEDS)
    alive = table.os_months[~table.os_event]
    assert alive.max() <= 60.0
    assert (np.isclose(alive, 60.0)).mean() > 0.15
    early = draw_outcomes(outcome_model(0.0, censoring=censoring), np.full(PATIENTS, -9.0), SEEDS)
    # a tenth is lost, uniformly before an end between 2 and 5 years: half of it or more before 2 years
    assert 0.05 < (early.pfs_months < 24).mean() < 0.10


def test_an_outcome_belongs_to_the_patient_alone() -> None:
    model = outcome_model(1.0)
    whole, part = draw_outcomes(model, ETA, SEEDS), draw_outcomes(model, ETA[7:9], SEEDS[7:9])
    assert part.patient(0) == whole.patient(7)
    assert part.patient(1) == whole.patient(8)
    again = draw_outcomes(model, ETA, SEEDS, draw=1)
    assert np.corrcoef(np.log(again.pfs_months), np.log(whole.pfs_months))[0, 1] < 0.6
    assert draw_outcomes(model, ETA[:9], SEEDS[:9], draw=1).pfs_months.tolist() == again.pfs_months[:9].tolist()
