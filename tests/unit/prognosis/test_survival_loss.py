"""The losses of survival against numbers worked out by hand, and against other libraries."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from lymphoma.errors import NotComputable
from lymphoma.prognosis.survival_loss import TimeBins, cox_loss, fit_bins, hazard_logits, nll, risk
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.follow_up import FollowUp
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

pytestmark = pytest.mark.unit

HAZARDS = torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
LOGITS = torch.logit(HAZARDS)


@pytest.mark.paper("lamp-head", "deepmts-discrete")
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
    rng = np.random.default_rng(1)
    follow_up = FollowUp(rng.exponential(20, 200) + 0.1, rng.random(200) < 0.5)
    bins = fit_bins(follow_up)
    logits = hazard_logits(bins, follow_up)
    at, event = torch.tensor(bins.of(follow_up.months)), torch.tensor(follow_up.event)
    least = nll(logits.expand(200, -1), at, event).item()
    for change in torch.randn((20, 4), generator=torch.Generator().manual_seed(0)):
        assert nll((logits + 0.3 * change).expand(200, -1), at, event).item() > least


def test_a_bin_without_events_and_one_of_events_alone_keep_a_hazard_between_0_and_1() -> None:
    follow_up = FollowUp(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, False, True]))
    hazards = torch.sigmoid(hazard_logits(TimeBins((1.5, 2.5, 3.5)), follow_up))
    assert hazards.tolist() == pytest.approx([0.25, 0.5 / 4, 0.5 / 3, 1.5 / 2])


def test_risk_is_minus_the_sum_of_survival() -> None:
    survival = np.cumprod(1 - HAZARDS.numpy()[0])
    assert risk(LOGITS).item() == pytest.approx(-survival.sum())
    assert risk(torch.tensor([[1.5]])).item() == 1.5


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


@pytest.mark.paper("deepmts-cox")
def test_equal_risks_of_four_events() -> None:
    loss = cox_loss(torch.zeros(4), torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(24) / 4)
    assert loss.item() == pytest.approx(0.7945, abs=5e-5)


@pytest.mark.paper("deepmts-cox")
def test_cox_loss_by_hand_with_censoring() -> None:
    r = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    loss = cox_loss(r, torch.tensor([2.0, 1.0, 3.0]), torch.tensor([True, False, False]))
    assert loss.item() == pytest.approx(math.log(math.exp(0.5) + math.exp(2.0)) - 0.5)


def test_ties_by_hand() -> None:
    r, months, event = torch.zeros(3), torch.tensor([1.0, 1.0, 2.0]), torch.tensor([True, True, False])
    assert cox_loss(r, months, event, ties="breslow").item() == pytest.approx(2 * math.log(3) / 2)
    assert cox_loss(r, months, event, ties="efron").item() == pytest.approx((math.log(3) + math.log(2)) / 2)


@pytest.mark.paper("deepmts-ties")
def test_cox_loss_is_the_likelihood_of_other_libraries() -> None:
    rng = np.random.default_rng(4)
    x, months = rng.normal(size=(60, 2)), rng.integers(1, 15, 60).astype(float)  # many ties
    event = rng.random(60) < 0.6
    told = (torch.tensor(months), torch.tensor(event))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "t": months, "e": event})
    efron = CoxPHFitter().fit(frame, "t", "e")  # Efron is all that lifelines has
    r = torch.tensor(x @ efron.params_.to_numpy())
    assert cox_loss(r, *told).item() * event.sum() == pytest.approx(-efron.log_likelihood_, abs=1e-6)
    fitted = {
        ties: torch.tensor(x @ CoxPHSurvivalAnalysis(ties=ties).fit(x, Surv.from_arrays(event, months)).coef_)
        for ties in ("breslow", "efron")
    }
    for ties, own in fitted.items():
        leaf = own.clone().requires_grad_()
        cox_loss(leaf, *told, ties=ties).backward()
        slope = torch.tensor(x).T @ leaf.grad
        assert slope.abs().max().item() < 1e-7, f"the other library's maximum for {ties} is not ours"


@pytest.mark.paper("deepmts-cox-stable")
def test_cox_loss_does_not_overflow() -> None:
    r = torch.tensor([900.0, -900.0, 0.0], requires_grad=True)
    loss = cox_loss(r, torch.tensor([3.0, 1.0, 2.0]), torch.tensor([True, True, True]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(r.grad).all()
    assert loss.item() == pytest.approx((1800.0 + 900.0) / 3)


def test_a_batch_without_events_costs_nothing_and_has_a_gradient() -> None:
    r = torch.ones(3, requires_grad=True)
    loss = cox_loss(r, torch.tensor([3.0, 1.0, 2.0]), torch.zeros(3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
    assert r.grad.tolist() == [0.0, 0.0, 0.0]
