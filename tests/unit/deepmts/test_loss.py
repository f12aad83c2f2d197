"""The losses against numbers worked out by hand, and against other libraries."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from lymphoma.deepmts.loss import cox_loss, dice_loss, discrete_loss, fit_bins, fit_hazards, l2, risk
from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import FollowUp
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

pytestmark = pytest.mark.unit


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


@pytest.mark.paper("deepmts-dice")
def test_dice_reaches_from_minus_one_to_zero() -> None:
    truth = torch.zeros(2, 4, 4, 4)
    truth[:, 1:3] = 1.0
    assert dice_loss(truth, truth).item() == pytest.approx(-1.0)
    assert dice_loss(1 - truth, truth).item() == 0.0
    assert dice_loss(torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 4, 4)).item() == 0.0
    half = torch.full((1, 1, 1, 2), 0.5)
    assert dice_loss(half, torch.tensor([[[[1.0, 0.0]]]])).item() == pytest.approx(-2 * 0.5 / (1.0 + 1.0))


@pytest.mark.paper("deepmts-discrete")
def test_discrete_loss_by_hand() -> None:
    logits = torch.logit(torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64))
    at = torch.tensor([2])
    assert discrete_loss(logits, at, torch.tensor([True])).item() == pytest.approx(1.5325, abs=5e-5)
    assert discrete_loss(logits, at, torch.tensor([False])).item() == pytest.approx(0.6852, abs=5e-5)
    assert risk(logits).item() == pytest.approx(-(0.9 + 0.72 + 0.504 + 0.3024))
    assert math.isfinite(discrete_loss(200 * logits, at, torch.tensor([True])).item())


def test_no_constant_hazards_do_better_than_those_fitted() -> None:
    rng = np.random.default_rng(1)
    follow_up = FollowUp(rng.exponential(20, 200) + 0.1, rng.random(200) < 0.5)
    bins = fit_bins(follow_up, 4)
    logits = fit_hazards(bins, follow_up)
    at, event = torch.tensor(bins.of(follow_up.months)), torch.tensor(follow_up.event)
    least = discrete_loss(logits.expand(200, -1), at, event).item()
    for change in torch.randn((20, 4), generator=torch.Generator().manual_seed(0)):
        assert discrete_loss((logits + 0.3 * change).expand(200, -1), at, event).item() > least
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        fit_bins(FollowUp(np.arange(1.0, 9.0), np.array([True] * 3 + [False] * 5)), 4)


@pytest.mark.paper("deepmts-l2")
def test_l2_is_the_sum_of_squares() -> None:
    assert l2([torch.tensor([[3.0, 4.0]]), torch.tensor([2.0])]).item() == 29.0
