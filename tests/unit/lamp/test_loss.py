"""The losses against numbers worked out by hand, against lifelines, and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lymphoma.errors import NotComputable
from lymphoma.lamp.loss import TimeBins, bin_hazards, constant_nll, cox_loss, fit_bins, intercepts, nll, risk
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.follow_up import FollowUp

pytestmark = pytest.mark.unit

HAZARDS = torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
LOGITS = torch.logit(HAZARDS)


@pytest.mark.paper("lamp-head")
def test_loss_of_an_event_and_of_a_censored_patient() -> None:
    at = torch.tensor([2])
    assert nll(LOGITS, at, torch.tensor([True])).item() == pytest.approx(-np.log(0.9 * 0.8 * 0.3))
    assert nll(LOGITS, at, torch.tensor([True])).item() == pytest.approx(1.5325, abs=5e-5)
    assert nll(LOGITS, at, torch.tensor([False])).item() == pytest.approx(-np.log(0.9 * 0.8 * 0.7))
    assert nll(LOGITS, at, torch.tensor([False])).item() == pytest.approx(0.6852, abs=5e-5)


def test_an_event_in_the_first_bin_needs_no_survival_before() -> None:
    assert nll(LOGITS, torch.tensor([0]), torch.tensor([True])).item() == pytest.approx(-np.log(0.1))


def test_alpha_weighs_censored_patients_down() -> None:
    at = torch.tensor([2])
    assert nll(LOGITS, at, torch.tensor([False]), alpha=0.4).item() == pytest.approx(0.6 * 0.68518, abs=1e-4)
    assert nll(LOGITS, at, torch.tensor([True]), alpha=0.4).item() == pytest.approx(1.5325, abs=5e-5)


def test_impossible_hazards_cost_a_finite_amount() -> None:
    logits = torch.tensor([[200.0, 0, 0, 0]], requires_grad=True)
    loss = nll(logits, torch.tensor([2]), torch.tensor([True]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.paper("lamp-head")
def test_bins_are_quartiles_of_uncensored_times_and_have_open_ends() -> None:
    months = np.concatenate([np.arange(1.0, 9.0), [100.0, 0.1]])
    bins = fit_bins(FollowUp(months, np.array([True] * 8 + [False] * 2)))
    assert bins.edges_months == pytest.approx(np.quantile(np.arange(1.0, 9.0), [0.25, 0.5, 0.75]))
    assert bins.of([0.01, 1.0, 1000.0]).tolist() == [0, 0, 3]
    assert TimeBins((2.0, 4.0, 6.0)).of([2.0]).tolist() == [1], "an edge belongs to the later bin"


def test_bins_need_events() -> None:
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        fit_bins(FollowUp(np.arange(1.0, 9.0), np.array([True] * 3 + [False] * 5)))


def test_no_constant_hazards_do_better_than_those_fitted() -> None:
    rng = np.random.default_rng(0)
    bins, event = rng.integers(4, size=400), rng.random(400) < 0.4
    fitted = bin_hazards(bins, event, 4)
    best = constant_nll(fitted, bins, event)
    for _ in range(50):
        other = np.clip(fitted * np.exp(rng.normal(0, 0.1, 4)), 0.01, 0.99)
        assert constant_nll(other, bins, event) >= best
    assert torch.sigmoid(intercepts(fitted)).numpy() == pytest.approx(fitted, abs=1e-6)


def test_a_bin_without_events_keeps_a_hazard_above_zero() -> None:
    hazards = bin_hazards(np.array([0, 1, 2, 3]), np.array([True, False, False, True]), 4)
    assert ((hazards > 0) & (hazards < 1)).all()


def test_risk_is_minus_the_sum_of_survival() -> None:
    survival = np.cumprod(1 - HAZARDS.numpy()[0])
    assert risk(LOGITS).item() == pytest.approx(-survival.sum())
    assert risk(torch.tensor([[1.5]])).item() == 1.5


def test_cox_loss_of_equal_risks() -> None:
    """Four events one after another: ln(4!) / 4."""
    loss = cox_loss(torch.zeros(4), torch.arange(1.0, 5.0), torch.ones(4, dtype=torch.bool))
    assert loss.item() == pytest.approx(np.log(24) / 4)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_loss_against_its_definition_with_ties(ties: str) -> None:
    rng = np.random.default_rng(3)
    months, event = rng.integers(1, 6, 40).astype(float), rng.random(40) < 0.6
    r = rng.normal(0, 1.5, 40)
    total = 0.0
    for moment in np.unique(months[event]):
        failed = (months == moment) & event
        at_risk = np.exp(r[months >= moment]).sum()
        for number in range(failed.sum()):
            share = number / failed.sum() if ties == "efron" else 0.0
            total += np.log(at_risk - share * np.exp(r[failed]).sum())
        total -= r[failed].sum()
    found = cox_loss(torch.tensor(r), torch.tensor(months), torch.tensor(event), ties=ties)
    assert found.item() == pytest.approx(total / event.sum(), rel=1e-9)


def test_cox_loss_is_least_at_the_fitted_coefficient() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=150)
    months = np.ceil(10 * rng.exponential(size=150) * np.exp(-x))
    follow_up = FollowUp(months, rng.random(150) < 0.7)
    fitted = fit_cox(("x",), x[:, None], follow_up, endpoint="pfs")
    beta = torch.tensor(float(fitted.coefficients[0]), dtype=torch.float64, requires_grad=True)
    cox_loss(beta * torch.tensor(x), torch.tensor(follow_up.months), torch.tensor(follow_up.event)).backward()
    # lifelines stops when its own gradient over all events is below about 1e-6
    assert abs(beta.grad.item()) < 1e-5


def test_cox_loss_stands_large_risks_and_no_events() -> None:
    r = torch.tensor([800.0, -800.0, 0.0], requires_grad=True)
    months = torch.tensor([1.0, 1.0, 2.0])
    loss = cox_loss(r, months, torch.tensor([True, True, False]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(r.grad).all()
    assert cox_loss(r, months, torch.zeros(3, dtype=torch.bool)).item() == 0
