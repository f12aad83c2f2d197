"""What a network learns from, how it is moved about, and the schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.errors import ConfigInvalid, NotComputable
from lymphoma.multitask_unet.augment import drawn_motions, moved
from lymphoma.multitask_unet.config import PUBLISHED, SHIPPED, read_multitask_config, train_config
from lymphoma.multitask_unet.examples import examples_of
from lymphoma.multitask_unet.field import FIELD_MM
from lymphoma.multitask_unet.learning import known_events
from lymphoma.multitask_unet.shape import SMALL_SIZE, SMALL_WIDTHS
from lymphoma.multitask_unet.task import MultitaskTask, fields_of
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.ipcw import uncensored_probability
from lymphoma.training.schedule import rate_factor
from lymphoma.training.task import Draw

from tests.unit.multitask_unet.cohorts import SIZE, TINY, cohort

pytestmark = pytest.mark.unit

DRAW = Draw(0, 3, 0, 3)
FOLLOW_UP = FollowUp(
    np.array([3.0, 24.0, 24.0, 30.0, 10.0, 40.0, 26.0]), np.array([True, True, False, True, False, False, True])
)


@pytest.mark.paper("liu-exclusion")
def test_who_has_an_event_within_24_months_and_who_cannot_tell(tmp_path: Path) -> None:
    found = examples_of(cohort(tmp_path, 7), np.arange(7), FOLLOW_UP)
    assert found.at.tolist() == [0, 1, 2, 3, 5, 6]
    assert found.event.tolist() == [True, True, False, False, False, False]  # an event at 30 months is late
    assert found.excluded == 1
    assert found.weight.tolist() == [1.0] * 6


def test_weights_stand_for_those_who_were_censored(tmp_path: Path) -> None:
    found = examples_of(cohort(tmp_path, 7), np.arange(7), FOLLOW_UP, "ipcw")
    kept = [0, 1, 3, 5, 6]  # who was censored at 24 months to the day has no weight
    assert found.at.tolist() == kept
    at = np.minimum(FOLLOW_UP.months[kept], 24.0)
    bare = 1 / uncensored_probability(FOLLOW_UP, at)
    assert found.weight == pytest.approx(bare / bare.mean())
    assert found.weight[0] < found.weight[2]


@pytest.mark.paper("liu-eq3")
def test_class_weights_are_of_the_training_patients_alone(tmp_path: Path) -> None:
    patients = cohort(tmp_path, 60)
    first, second = known_events(patients, np.arange(30), TINY), known_events(patients, np.arange(30, 60), TINY)
    task = MultitaskTask(TINY, first, second)
    assert task.classes is not None
    assert task.classes.event == pytest.approx((~first.event).mean())
    assert task.classes.event != pytest.approx((~second.event).mean())
    # with these weights both kinds count alike, so that no constant is better than one half
    weights = np.where(first.event, task.classes.event, task.classes.free)
    assert weights[first.event].sum() == pytest.approx(weights[~first.event].sum())


def test_a_batch_is_a_function_of_its_draw(tmp_path: Path) -> None:
    patients = cohort(tmp_path, 30)
    some = known_events(patients, np.arange(30), TINY)
    task = MultitaskTask(TINY, some, some)
    first, again, other = task.batch(DRAW), task.batch(DRAW), task.batch(Draw(0, 4, 0, 4))
    assert first.image.shape == (8, 1, *SIZE)
    assert first.mask.shape == (8, *SIZE)
    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.image, other.image)
    assert set(first.mask.unique().tolist()) == {0.0, 1.0}
    assert 0.0 <= float(first.image.min()) <= float(first.image.max()) <= 1.0


def test_validation_tells_both_tasks_and_the_null_of_the_event(tmp_path: Path) -> None:
    some = known_events(cohort(tmp_path, 12), np.arange(12), TINY)
    cpu = torch.device("cpu")
    task = MultitaskTask(TINY, some, some)
    found = task.validate(task.network().eval(), cpu)
    assert set(found) == {"nll", "auc", "lesion_loss", "dice"}
    assert 0 <= found["dice"] <= 1
    assert task.null_loss is not None
    assert task.null_loss.value == pytest.approx(
        np.log(2) * np.where(some.event, (~some.event).mean(), some.event.mean()).mean(), rel=1e-5
    )
    for model, tasks in (("A", {"lesion_loss", "dice"}), ("B", {"nll", "auc"})):
        single = MultitaskTask(replace(TINY, model=model), some, some)
        network = single.network().eval()
        assert set(single.validate(network, cpu)) == tasks
        terms = single.loss(network, fields_of(some, [0, 1], single.classes)).terms
        assert set(terms) == ({"lesion_loss"} if model == "A" else {"event_loss"})
    assert MultitaskTask(replace(TINY, model="A"), some, some).null_loss is None


@pytest.mark.paper("liu-augmentation")
def test_turns_and_stretches_stay_in_their_bounds() -> None:
    found = drawn_motions(np.random.default_rng(0), 300, 8.0, 0.2)
    scales = 1 / np.linalg.norm(found, axis=1)
    assert scales.min() >= 0.8 - 1e-9
    assert scales.max() <= 1.2 + 1e-9
    assert scales.min() < 0.82
    turns = found * scales[:, None, :]
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3))
    angle = np.degrees(np.arccos((np.trace(turns, axis1=1, axis2=2) - 1) / 2))
    assert angle.max() <= 8 * np.sqrt(3)
    assert angle.max() > 8


@pytest.mark.paper("liu-augmentation")
def test_a_stretch_moves_by_millimetres_on_a_grid_of_uneven_voxels() -> None:
    size = (64, 32, 16)
    k = np.arange(64) + 0.5
    image = torch.from_numpy(np.broadcast_to((np.abs(k - 32) < 16)[:, None, None], size).astype(np.float32).copy())
    image = image[None, None]
    half = np.diag([1.0, 1.0, 2.0])[None]  # z of the given image is twice that of the made one: half as long
    made, mask = moved(image, image, half)
    assert float(made[0, 0, :, 16, 8].sum()) == pytest.approx(16, abs=1)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    same, _ = moved(image, image, np.eye(3)[None])
    assert torch.allclose(same, image, atol=1e-5)
    # a quarter turn about z brings the front to the side whatever the voxels' edges
    front = torch.zeros((1, 1, *size))
    front[0, 0, :, :8, :] = 1.0  # the front quarter, 88 mm of depth from 88 mm off the middle on
    quarter = np.array([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    turned, _ = moved(front, front, quarter)
    row = turned[0, 0, 32, 16]
    offset_mm = (np.arange(16) + 0.5 - 8) * FIELD_MM[2] / 16
    inside = (np.abs(offset_mm) > 88 + 20) & (np.abs(offset_mm) < 176 - 20)
    one_side = offset_mm < 0
    assert float(row[torch.from_numpy(inside & one_side)].min()) == pytest.approx(1.0, abs=1e-4)
    assert float(row[torch.from_numpy(~one_side)].max()) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.paper("liu-schedule")
def test_the_rate_of_the_paper() -> None:
    patients = 215  # four of the five folds
    config = train_config(PUBLISHED, patients)
    an_epoch = 18
    assert (config.batch_size, config.steps, config.optimiser.name) == (12, 200 * an_epoch, "Adam")

    def rate(epoch: int, within: int = 0) -> float:
        step = epoch * an_epoch + within
        return config.optimiser.learning_rate * rate_factor(config.schedule, step, config.steps)

    assert rate(0) == rate(99, an_epoch - 1) == pytest.approx(1e-4)
    assert rate(100) == rate(199, an_epoch - 1) == pytest.approx(1e-5)
    assert config.validation.metric is None  # the last weights are kept


@pytest.mark.paper("liu-small")
def test_the_shipped_configuration() -> None:
    shipped = read_multitask_config(SHIPPED)
    assert (shipped.size, shipped.widths) == (SMALL_SIZE, SMALL_WIDTHS)
    config = train_config(shipped, 255)
    assert config.steps * config.batch_size == 12_000
    assert config.validation.metric == "nll"
    assert config.schedule.drops[0].from_step == config.steps // 2


def test_a_configuration_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    for text in ("model: F", "size: [100, 32, 32]", "endpoints: []", "lesion_share: 1.5", "unknown: 1", "- 1", "a: ["):
        (tmp_path / "train.yaml").write_text(text)
        with pytest.raises(ConfigInvalid) as caught:
            read_multitask_config(tmp_path / "train.yaml")
        assert caught.value.code == "CONFIG_INVALID"


def test_one_kind_alone_teaches_nothing(tmp_path: Path) -> None:
    early = FollowUp(np.full(7, 3.0), np.ones(7, dtype=bool))
    with pytest.raises(NotComputable) as caught:
        examples_of(cohort(tmp_path, 7), np.arange(7), early).classes()
    assert caught.value.code == "ONE_CLASS"
