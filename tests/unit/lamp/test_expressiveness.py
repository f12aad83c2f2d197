"""What an attention-weighted mean can say of a patient and what it cannot, with weights set by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from lymphoma.lamp.bags import LesionBags
from lymphoma.lamp.network import HeadShape, LampHead
from scipy.stats import spearmanr

from tests.unit.lamp.made_up import patients

pytestmark = pytest.mark.unit

FEATURES = 8
TEMPERATURE = 8.0
SMALL = 1e-3
"""Keeps the hyperbolic tangent on its straight part."""


def plain(aggregate: str = "attention") -> LampHead:
    shape = HeadShape(features=FEATURES, context="none", aggregate=aggregate, head="cox", gate_width=1)  # type: ignore[arg-type]
    return LampHead(shape).eval()


@torch.no_grad()
def worst_lesion_head(score: torch.Tensor) -> LampHead:
    """Attention exp(8 s) and a slope that reads s, both linear in the lesion's features."""
    net = plain()
    assert net.attention is not None
    for weight in net.parameters():
        weight.zero_()
    net.attention.content.weight.copy_(SMALL * score[None])
    net.attention.weight.weight.fill_(2 * TEMPERATURE / SMALL)  # the gate stands at one half
    net.slope.weight.copy_(score[None])
    return net


def largest(score: torch.Tensor, bags: LesionBags) -> np.ndarray:
    values = (bags.lesions @ score).masked_fill(~bags.is_lesion, -torch.inf)
    return values.amax(dim=1).numpy()


def test_the_largest_linear_lesion_score_can_be_said() -> None:
    bags = patients(0, 400, FEATURES)
    score = torch.nn.functional.normalize(torch.randn(FEATURES, generator=torch.Generator().manual_seed(1)), dim=0)
    with torch.no_grad():
        said = worst_lesion_head(score)(bags).logits[:, 0].numpy()
    assert spearmanr(said, largest(score, bags)).statistic > 0.98
    mean = plain("mean")
    with torch.no_grad():
        mean.slope.weight.copy_(score[None])
        averaged = mean(bags).logits[:, 0].numpy()
    assert spearmanr(averaged, largest(score, bags)).statistic < 0.9


def test_number_and_sum_cannot_be_said() -> None:
    """Patients of 1 to 8 copies of the same lesion: whatever the weights, all have the same risk."""
    one = patients(3, 1, FEATURES)
    lesion = one.lesions[:, :1].expand(8, 8, FEATURES).contiguous()
    counted = torch.arange(8)[None] <= torch.arange(8)[:, None]
    bags = LesionBags(lesion, counted, one.organs.expand(8, -1, -1), one.present.expand(8, -1), torch.zeros(8, 3))
    for aggregate in ("attention", "mean", "max"):
        torch.manual_seed(0)
        with torch.no_grad():
            risks = plain(aggregate)(bags).logits[:, 0]
        assert risks.numpy() == pytest.approx(float(risks[0]), abs=1e-6)
    with_burden = LampHead(HeadShape(features=FEATURES, context="none", burden=True)).eval()
    counts = replace(bags, burden=torch.arange(24.0).reshape(8, 3))
    with torch.no_grad():
        assert len(with_burden(counts).logits[:, 0].unique()) == 8


def test_a_score_that_is_not_linear_needs_a_layer_before_the_pooling() -> None:
    """A lesion counts by the size of its first feature, whichever its sign: a linear slope averages signs away, two
    rectified units do not."""
    bags = patients(5, 400, FEATURES)
    wanted = np.where(bags.is_lesion.numpy(), np.abs(bags.lesions[..., 0].numpy()), 0).max(axis=1)
    shape = HeadShape(features=FEATURES, context="none", lesion_width=2, gate_width=1, head="cox")
    net = LampHead(shape).eval()
    assert net.attention is not None
    with torch.no_grad():
        for weight in net.parameters():
            weight.zero_()
        layer = net.lesion_layer.get_submodule("0")
        assert isinstance(layer, torch.nn.Linear)
        layer.weight[0, 0], layer.weight[1, 0] = 1.0, -1.0
        net.attention.content.weight.fill_(SMALL)
        net.attention.weight.weight.fill_(2 * TEMPERATURE / SMALL)
        net.slope.weight.fill_(1.0)
        said = net(bags).logits[:, 0].numpy()
        linear = plain()
        linear.load_state_dict(worst_lesion_head(torch.eye(FEATURES)[0]).state_dict())
        cannot = linear(bags).logits[:, 0].numpy()
    assert spearmanr(said, wanted).statistic > 0.98
    assert spearmanr(cannot, wanted).statistic < 0.6
