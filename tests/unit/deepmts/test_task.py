"""Batches, augmentation and judgement of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.deepmts.augment import Augment, augmented
from lymphoma.deepmts.config import PUBLISHED, SHIPPED, read_deepmts_config
from lymphoma.deepmts.field import CUBE_128
from lymphoma.deepmts.judging import images_of, judge
from lymphoma.deepmts.network import Images
from lymphoma.deepmts.task import DeepMtsTask, LearningSet
from lymphoma.errors import ConfigInvalid, NotComputable
from lymphoma.prognosis.survival_loss import cox_loss
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.schedule import rate_factor
from lymphoma.training.task import Draw

from tests.unit.deepmts.made_up import arrays, config

pytestmark = pytest.mark.unit

FOLLOW_UP = FollowUp(np.arange(1.0, 13.0), np.arange(12) % 3 == 0)
PATIENTS = LearningSet(lambda at: arrays(at)[0], FOLLOW_UP)


def draw(step: int) -> Draw:
    return Draw(3, step, 0, step)


@pytest.mark.paper("deepmts-batches")
def test_half_of_a_batch_has_the_event_and_the_same_draw_gives_the_same_batch() -> None:
    task = DeepMtsTask(config(), PATIENTS, PATIENTS)
    first, again, other = task.batch(draw(0)), task.batch(draw(0)), task.batch(draw(1))
    assert first.event.sum().item() == 2
    assert len(first.event) == 4
    assert torch.equal(first.images.image, again.images.image)
    assert not torch.equal(first.images.image, other.images.image)
    shipped = read_deepmts_config(PUBLISHED)
    assert shipped.training.batch_size == 8


def test_a_batch_carries_the_outcomes_of_its_own_patients() -> None:
    still = config(augment=Augment(0.0, 0.0, 0.0))
    batch = DeepMtsTask(still, PATIENTS, PATIENTS).batch(draw(5))
    for image, months, event in zip(batch.images.image, batch.months.tolist(), batch.event.tolist(), strict=True):
        at = int(months) - 1
        assert event == bool(FOLLOW_UP.event[at])
        torch.testing.assert_close(
            image[0], torch.from_numpy(arrays(at)[0]["pet"].astype(np.float32)), atol=2e-3, rtol=0
        )


@pytest.mark.paper("deepmts-augmentation")
def test_image_and_mask_move_together_and_air_comes_in_from_outside() -> None:
    given = images_of([arrays(at)[0] for at in range(6)], 0)
    moved = augmented(given, Augment(), list(range(6)))
    assert type(moved.image) is torch.Tensor, "tensors with metadata would slow the network down"
    assert set(moved.mask.unique().tolist()) == {0.0, 1.0}
    for before, after, image, mask in zip(given.image, moved.image, moved.image, moved.mask, strict=True):
        assert not torch.equal(before, after)
        assert image[0][mask[0] > 0].mean() > 1.5, "the ball is bright, and the mask lies on it"
        assert image[1].min() >= before[1].min() - 1e-4, "air comes in, and nothing thinner"
    volume = moved.mask.sum(dim=(1, 2, 3, 4)) / given.mask.sum(dim=(1, 2, 3, 4))
    assert volume.min() > 0.9, "a threshold of .2 never makes a ball that stays in view smaller"
    tissue = Images(torch.full((1, 2, 32, 32, 32), 0.5), torch.zeros(1, 1, 32, 32, 32), given.clinic[:1])
    far = augmented(tissue, Augment(0.0, 0.4, 0.0), [1])
    assert far.image[0, 0].min().item() == 0.0
    assert far.image[0, 1].min().item() == pytest.approx(-1.0, abs=1e-6)


def test_mirroring_alone_is_exact() -> None:
    given = images_of([arrays(0)[0]], 0)
    turned = augmented(given, Augment(1.0, 0.0, 0.0), [4])
    torch.testing.assert_close(turned.image, given.image.flip(-1), atol=1e-5, rtol=0)
    assert torch.equal(turned.mask, given.mask.flip(-1))


def test_the_null_is_what_equal_risks_reach() -> None:
    for head in ("cox", "discrete"):
        task = DeepMtsTask(config(head=head, bins=2), PATIENTS, PATIENTS)
        network = task.network().eval()
        values = task.validate(network, torch.device("cpu"))
        assert set(values) == {"harrell", "nll", "dice"}
        if head == "discrete":
            assert values["nll"] == pytest.approx(task.null_loss.value, abs=1e-5), "it starts at constant hazards"
    zero = cox_loss(torch.zeros(12), torch.tensor(FOLLOW_UP.months), torch.tensor(FOLLOW_UP.event))
    assert DeepMtsTask(config(), PATIENTS, PATIENTS).null_loss.value == pytest.approx(zero.item())


@pytest.mark.paper("deepmts-loss")
def test_terms_add_up_to_the_loss() -> None:
    task = DeepMtsTask(config(), PATIENTS, PATIENTS)
    network, batch = task.network().eval(), task.batch(draw(0))
    loss = task.loss(network, batch)
    assert set(loss.terms) == {"survival", "dice", "l2"}
    assert loss.total.item() == pytest.approx(sum(one.item() for one in loss.terms.values()), rel=1e-6)
    assert -1.0 <= loss.terms["dice"].item() <= 0.0
    squares = sum(one.square().sum().item() for one in network.head.kernels)
    assert loss.terms["l2"].item() == pytest.approx(0.1 * squares, rel=1e-5)
    alone = DeepMtsTask(config(arm="mask_only"), PATIENTS, PATIENTS)
    assert set(alone.loss(alone.network(), batch).terms) == {"survival", "l2"}


def test_patients_of_one_kind_cannot_be_balanced() -> None:
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        DeepMtsTask(config(), LearningSet(PATIENTS.read, FollowUp(np.ones(3), np.ones(3, dtype=bool))), PATIENTS)


def test_a_stage_that_is_read_must_be_known() -> None:
    unknown = {**arrays(0)[0], "clinic": np.array([np.nan], dtype=np.float32)}
    with pytest.raises(NotComputable, match="NO_CLINICAL_RECORD"):
        images_of([unknown], 1)
    assert images_of([unknown], 0).clinic.shape == (1, 0)


def test_parts_of_patients_read_the_right_ones() -> None:
    part = PATIENTS.take(np.array([7, 3])).take(np.array([1]))
    assert np.array_equal(part.read(0)["pet"], arrays(3)[0]["pet"])
    network = DeepMtsTask(config(), PATIENTS, PATIENTS).network().eval()
    whole = judge(network, PATIENTS.read, range(6))
    assert whole.risk[3] == pytest.approx(judge(network, part.read, (0,)).risk[0], abs=1e-5)


@pytest.mark.paper("deepmts-schedule")
def test_the_published_schedule() -> None:
    published = read_deepmts_config(PUBLISHED)
    assert published.field == CUBE_128
    schedule, rate = published.training.schedule, published.training.optimiser.learning_rate
    at = {epoch: rate * rate_factor(schedule, 50 * epoch, published.training.steps) for epoch in (49, 50, 99, 100, 199)}
    expected = {49: 1e-4, 50: 5e-5, 99: 5e-5, 100: 1e-5, 199: 1e-5}
    assert at == pytest.approx(expected)
    assert published.training.steps == 200 * 50
    assert published.training.validation.patience == 50
    assert published.training.validation.every_steps == 50


def test_the_shipped_configuration(tmp_path: Path) -> None:
    shipped = read_deepmts_config(SHIPPED)
    assert (shipped.training.steps, shipped.training.batch_size) == (1500, 8)
    wrong = tmp_path / "train.yaml"
    wrong.write_text("arm: multi_task\ntraining: {steps: 10, batch_size: 1}\n")
    with pytest.raises(ConfigInvalid, match="batch_size"):
        read_deepmts_config(wrong)
