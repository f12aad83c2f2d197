"""Eq. 1 to 6 by numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from lymphoma.errors import NotComputable
from lymphoma.multitask_unet.loss import (
    EVENT_WEIGHTS,
    STAGE_WEIGHTS,
    class_weights,
    event_loss,
    event_probability,
    fuse,
    lesion_loss,
    multitask_loss,
    shrunk,
    stage_loss,
    weighted_sum,
)
from lymphoma.multitask_unet.network import Answers

pytestmark = pytest.mark.unit


@pytest.mark.paper("liu-eq3")
def test_class_weights_of_the_paper_s_cohort() -> None:
    found = class_weights(89, 180)
    assert (round(found.event, 4), round(found.free, 4)) == (0.6691, 0.3309)
    with pytest.raises(NotComputable) as caught:
        class_weights(0, 180)
    assert caught.value.code == "ONE_CLASS"


@pytest.mark.paper("liu-eq2")
def test_fused_probability() -> None:
    probabilities = [torch.tensor([p]) for p in (0.2, 0.4, 0.6)]
    assert float(fuse(probabilities)) == pytest.approx(0.02 + 0.08 + 0.42)
    assert sum(EVENT_WEIGHTS) == pytest.approx(1.0)
    assert float(fuse(probabilities[:1])) == pytest.approx(0.2)  # a single branch is not weighted down


@pytest.mark.paper("liu-eq2")
def test_the_finest_branch_counts_most() -> None:
    def answers(coarse: float, middle: float, fine: float) -> Answers:
        def logits(p: float) -> torch.Tensor:
            return torch.tensor([[0.0, math.log(p / (1 - p))]])

        return Answers((), (logits(coarse), logits(middle), logits(fine)))

    assert float(event_probability(answers(0.2, 0.4, 0.6))) == pytest.approx(0.52)
    assert float(event_probability(answers(0.6, 0.4, 0.2))) == pytest.approx(0.28)


@pytest.mark.paper("liu-eq1")
def test_weighted_cross_entropy() -> None:
    weights = class_weights(89, 180)
    loss = event_loss(torch.tensor([0.5, 0.2]), torch.tensor([1.0, 0.0]), torch.tensor([weights.event, weights.free]))
    assert float(loss) == pytest.approx((0.6691 * -math.log(0.5) + 0.3309 * -math.log(0.8)) / 2, abs=1e-4)
    sure = event_loss(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([1.0]))
    assert float(sure) == pytest.approx(-math.log(1e-7), rel=1e-3)  # clamped, not infinite


@pytest.mark.paper("liu-eq4")
def test_dice_of_a_stage() -> None:
    nothing = torch.zeros((1, 2, 2, 2))
    everything = torch.ones((1, 2, 2, 2))
    assert float(stage_loss(nothing, nothing)) == 0.0
    assert float(stage_loss(everything, everything)) == 0.0
    assert float(stage_loss(everything, nothing)) == pytest.approx(1 - 1 / 9)
    half = torch.full((1, 2, 2, 2), 0.5)
    assert float(stage_loss(half, everything)) == pytest.approx(1 - 9 / 13)
    # a mean over patients, not one Dice of all voxels
    both = stage_loss(torch.cat((everything, nothing)), torch.cat((everything, everything)))
    assert float(both) == pytest.approx((0 + 8 / 9) / 2)


@pytest.mark.paper("liu-eq5")
def test_stages_of_loss_one_add_up_to_one() -> None:
    assert float(weighted_sum([torch.tensor(1.0)] * 4)) == pytest.approx(1.0)
    assert STAGE_WEIGHTS == (0.53, 0.27, 0.13, 0.07)
    fifteenths = [8 / 15, 4 / 15, 2 / 15, 1 / 15]
    assert [round(one, 2) for one in fifteenths] == list(STAGE_WEIGHTS)
    assert float(weighted_sum([torch.tensor(0.3)])) == pytest.approx(0.3)


@pytest.mark.paper("liu-eq5")
def test_each_stage_meets_the_mask_of_its_own_size() -> None:
    mask = torch.zeros((1, 16, 8, 8))
    mask[0, 3, 5, 7] = 1.0
    for stage, cell in enumerate([(3, 5, 7), (1, 2, 3), (0, 1, 1), (0, 0, 0)]):
        small = shrunk(mask, stage)
        assert small.shape == (1, 16 >> stage, 8 >> stage, 8 >> stage)
        assert torch.nonzero(small[0]).tolist() == [list(cell)]

    def logits(stage: int) -> torch.Tensor:
        lesion = shrunk(mask, stage)[:, None] * 100 - 50
        return torch.cat((-lesion, lesion), dim=1)

    right = Answers(tuple(logits(stage) for stage in range(4)), ())
    assert float(lesion_loss(right, mask)) == pytest.approx(0.0, abs=1e-6)
    wrong = Answers((-right.lesions[0], *right.lesions[1:]), ())
    voxels = 16 * 8 * 8
    assert float(lesion_loss(wrong, mask)) == pytest.approx(0.53 * (1 - 1 / (voxels - 1 + 1 + 1)), abs=1e-6)


@pytest.mark.paper("liu-eq6")
def test_both_tasks() -> None:
    lesions, event = torch.tensor(0.5), torch.tensor(0.2)
    assert float(multitask_loss(lesions, event)) == pytest.approx(0.05 + 0.18)
    assert float(multitask_loss(lesions, None)) == 0.5
    assert float(multitask_loss(None, event)) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="one task"):
        multitask_loss(None, None)
