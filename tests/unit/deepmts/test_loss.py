"""The losses beside survival, against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from lymphoma.deepmts.loss import dice_loss, l2

pytestmark = pytest.mark.unit


@pytest.mark.paper("deepmts-dice")
def test_dice_reaches_from_minus_one_to_zero() -> None:
    truth = torch.zeros(2, 4, 4, 4)
    truth[:, 1:3] = 1.0
    assert dice_loss(truth, truth).item() == pytest.approx(-1.0)
    assert dice_loss(1 - truth, truth).item() == 0.0
    assert dice_loss(torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 4, 4)).item() == 0.0
    half = torch.full((1, 1, 1, 2), 0.5)
    assert dice_loss(half, torch.tensor([[[[1.0, 0.0]]]])).item() == pytest.approx(-2 * 0.5 / (1.0 + 1.0))


@pytest.mark.paper("deepmts-l2")
def test_l2_is_the_sum_of_squares() -> None:
    assert l2([torch.tensor([[3.0, 4.0]]), torch.tensor([2.0])]).item() == 29.0
