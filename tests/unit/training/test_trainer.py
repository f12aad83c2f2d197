"""The trainer: it learns, it counts, it stops, it hands over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.errors import TrainingFailed
from lymphoma.training.batches import balanced_batch, passing_batch, stream_batches
from lymphoma.training.config import OptimiserConfig, RunConfig, ScheduleConfig, TrainConfig, ValidationConfig
from lymphoma.training.legs import read_handover
from lymphoma.training.metrics_log import read_rows
from lymphoma.training.result import kept_weights, last_weights
from lymphoma.training.task import Draw, Loss, NullLoss
from lymphoma.training.trainer import Trainer

from tests.unit.training.image_tasks import SegmentationTask, peak_rss_mb, segmentation_config, subject
from tests.unit.training.tasks import Patients, SurvivalTask, child_context, constant_hazard_nll, quick_config

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class LineTask:
    """y = w x with the square of the error: everything can be computed by hand. ``spoilt`` steps give no number."""

    def __init__(self, *, spoilt: Mapping[int, str] | None = None, scores: list[float] | None = None) -> None:
        self.spoilt = spoilt or {}
        self.scores = scores or []
        self.step = -1

    def network(self) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.BatchNorm1d(3, affine=False), torch.nn.Linear(3, 1))

    def batch(self, draw: Draw) -> torch.Tensor:
        self.step = draw.step
        batch = torch.from_numpy(draw.rng().normal(size=(8, 3)).astype(np.float32))
        return batch * math.nan if self.spoilt.get(draw.step) == "input" else batch

    def loss(self, network: torch.nn.Module, batch: torch.Tensor) -> Loss:
        loss = ((network(batch) - batch[:, :1]) ** 2).mean()
        if self.spoilt.get(self.step) == "gradient":
            loss = loss + torch.sqrt(0 * network[1].weight[0, 0])
        return Loss(loss, {"half": 0.5 * loss})

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        assert not network.training
        assert not torch.is_grad_enabled()
        return {"score": self.scores.pop(0) if self.scores else 0.0}

    @property
    def null_loss(self) -> NullLoss | None:
        return None


def line_config(steps: int, **changes) -> TrainConfig:
    given = {
        "optimiser": OptimiserConfig(name="SGD", learning_rate=0.1),
        "run": RunConfig(device="cpu", tensorboard=False, log_every_steps=1),
        **changes,
    }
    return TrainConfig(steps=steps, seed=1, **given)


def losses(folder: Path) -> list[float]:
    return [row.values["loss"] for row in read_rows(folder / "metrics.jsonl") if row.kind == "training"]


@pytest.mark.train
def test_a_segmentation_is_learnt(tmp_path: Path) -> None:
    task = SegmentationTask([subject(number) for number in range(6)])
    result = Trainer(task, segmentation_config(30), tmp_path).run()
    fell = losses(tmp_path)
    assert np.mean(fell[-5:]) < 0.6 * np.mean(fell[:5])
    # SUV 6 against 1 with noise of .3: any network that learns at all finds it
    assert result.metrics["dice"] > 0.8


@pytest.mark.train
def test_survival_is_learnt_and_beats_a_constant_hazard(tmp_path: Path) -> None:
    null = constant_hazard_nll(SurvivalTask())
    task = SurvivalTask(null=NullLoss("nll", null))
    result = Trainer(task, quick_config(100), tmp_path).run()
    assert result.trained
    assert result.metrics["nll"] < 0.8 * null == 0.8 * result.null_loss


def test_a_run_above_the_null_is_not_trained(tmp_path: Path) -> None:
    task = SurvivalTask(null=NullLoss("nll", constant_hazard_nll(SurvivalTask())))
    config = replace(quick_config(20), optimiser=OptimiserConfig(name="Adam", learning_rate=1e-9))
    assert not Trainer(task, config, tmp_path).run().trained


def test_accumulation_is_the_mean_of_the_gradients(tmp_path: Path) -> None:
    """32 batches, one step of plain SGD, against the mean of 32 gradients taken one by one."""
    task, config = LineTask(), line_config(1, accumulation=32)
    Trainer(task, config, tmp_path).run()
    torch.default_generator.manual_seed(1)
    network = task.network()
    start = network[1].weight.detach().clone()
    gradients = []
    for part in range(32):
        network.zero_grad()
        task.loss(network, task.batch(Draw(1, 0, part, part))).total.backward()
        gradients.append(network[1].weight.grad.clone())
    # float32 sums of 32 terms in two orders
    expected = start - 0.1 * torch.stack(gradients).mean(0)
    assert torch.allclose(last_weights(tmp_path)["1.weight"], expected, rtol=0, atol=1e-6)


def test_clipping_bounds_the_step(tmp_path: Path) -> None:
    Trainer(LineTask(), line_config(1, clip_norm=1e-3), tmp_path).run()
    torch.default_generator.manual_seed(1)
    start = LineTask().network().state_dict()
    moved = [last_weights(tmp_path)[name] - start[name] for name in ("1.weight", "1.bias")]
    length = math.sqrt(sum(float((step**2).sum()) for step in moved))
    # torch divides by the norm + 1e-6; float32
    assert length == pytest.approx(0.1 * 1e-3, rel=1e-3)


@pytest.mark.parametrize("kind", ["input", "gradient"])
def test_what_is_not_finite_is_left_out_and_counted(tmp_path: Path, kind: str) -> None:
    """Weights and running statistics are those of a run that stopped before the bad step."""
    result = Trainer(LineTask(spoilt={2: kind}), line_config(3), tmp_path / "spoilt").run()
    Trainer(LineTask(), line_config(2), tmp_path / "clean").run()
    assert (result.step, result.skipped) == (3, 1)
    spoilt, clean = last_weights(tmp_path / "spoilt"), last_weights(tmp_path / "clean")
    assert all(torch.equal(spoilt[name], clean[name]) for name in clean)


def test_two_bad_steps_are_passed_over_three_end_the_run(tmp_path: Path) -> None:
    two = LineTask(spoilt=dict.fromkeys([3, 4, 6, 7], "input"))
    assert Trainer(two, line_config(10), tmp_path / "two").run().skipped == 4
    three = LineTask(spoilt=dict.fromkeys([3, 4, 5], "input"))
    with pytest.raises(TrainingFailed) as caught:
        Trainer(three, line_config(10), tmp_path / "three").run()
    assert caught.value.code == "LOSS_NOT_FINITE"
    assert "step 6" in caught.value.reason


SCORES = [1.0, 3.0, math.nan, 2.0, 2.9, 9.0]


@pytest.mark.parametrize(
    ("direction", "scores", "ended", "step", "kept_step"),
    [
        ("max", SCORES, "early", 10, 4),
        ("min", [-s for s in SCORES], "early", 10, 4),
        ("max", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "finished", 12, 12),
        ("max", [math.nan] * 6, "early", 6, 6),
    ],
)
def test_early_stopping_keeps_the_best(
    tmp_path: Path, direction: str, scores: list[float], ended: str, step: int, kept_step: int
) -> None:
    rule = ValidationConfig(every_steps=2, metric="score", direction=direction, patience=3)
    result = Trainer(LineTask(scores=list(scores)), line_config(12, validation=rule), tmp_path / "run").run()
    assert (result.ended, result.step, result.kept_step) == (ended, step, kept_step)
    Trainer(LineTask(), line_config(kept_step), tmp_path / "until").run()
    kept, expected = kept_weights(tmp_path / "run"), last_weights(tmp_path / "until")
    assert all(torch.equal(kept[name], expected[name]) for name in expected)


def test_a_metric_that_the_task_does_not_give(tmp_path: Path) -> None:
    rule = ValidationConfig(every_steps=1, metric="harrell_c")
    with pytest.raises(TrainingFailed, match=r"METRIC_MISSING: .* harrell_c, but \['score'\]"):
        Trainer(LineTask(), line_config(1, validation=rule), tmp_path).run()


def test_a_long_run_in_legs(tmp_path: Path) -> None:
    rule = ValidationConfig(every_steps=10, metric="score", direction="max")
    run = RunConfig(device="cpu", tensorboard=False, log_every_steps=1, leg_steps=30, leg_warm_up_steps=10)
    config = line_config(50, validation=rule, run=run)
    first = Trainer(LineTask(scores=[1, 3, 2]), config, tmp_path / "1").run()
    assert (first.ended, first.step, first.kept_step, first.trained) == ("leg", 30, 20, False)
    handover = tmp_path / "1/handover"
    given = read_handover(handover, config)
    assert {tensor.dtype for tensor in given.network.values() if tensor.is_floating_point()} == {torch.float16}
    second = Trainer(LineTask(scores=[1, 2]), config, tmp_path / "2", handover=handover).run()
    assert (second.ended, second.step, second.kept_step) == ("finished", 50, 20)
    # the best of the first leg is still the one that is kept, at float16
    kept, best = kept_weights(tmp_path / "2"), kept_weights(tmp_path / "1")
    assert all(torch.equal(kept[name].half(), best[name].half()) for name in kept)
    rates = [row.values["learning_rate"] for row in read_rows(tmp_path / "2/metrics.jsonl") if row.kind == "training"]
    assert rates == pytest.approx([0.1 * min(1, (done + 1) / 10) for done in range(20)])
    with pytest.raises(TrainingFailed, match="TRAINING_CONFIG_CHANGED"):
        Trainer(LineTask(), replace(config, seed=2), tmp_path / "3", handover=handover).run()
    weights = next((handover / "weights").glob("present*"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(TrainingFailed, match="HANDOVER_UNUSABLE"):
        Trainer(LineTask(), config, tmp_path / "4", handover=handover).run()


def test_a_later_leg_may_end_sooner(tmp_path: Path) -> None:
    """The rate of the new plan's end is reached, and nothing else of the configuration may differ."""
    run = RunConfig(device="cpu", tensorboard=False, log_every_steps=1, leg_steps=30, leg_warm_up_steps=1)
    config = replace(line_config(100, run=run), schedule=ScheduleConfig("poly", power=1.0))
    Trainer(LineTask(), config, tmp_path / "1").run()
    handover = tmp_path / "1/handover"
    shorter = replace(config, steps=40)
    second = Trainer(LineTask(), shorter, tmp_path / "2", handover=handover).run()
    assert (second.ended, second.step) == ("finished", 40)
    rates = [row.values["learning_rate"] for row in read_rows(tmp_path / "2/metrics.jsonl") if row.kind == "training"]
    assert rates == pytest.approx([0.1 * (1 - step / 40) for step in range(30, 40)])
    with pytest.raises(TrainingFailed, match="TRAINING_CONFIG_CHANGED"):
        Trainer(LineTask(), replace(shorter, seed=2), tmp_path / "3", handover=handover).run()


def test_bfloat16_on_a_cpu_when_asked(tmp_path: Path) -> None:
    config = replace(quick_config(30), precision="bfloat16")
    result = Trainer(SurvivalTask(), config, tmp_path / "bfloat16").run()
    exact = Trainer(SurvivalTask(), replace(config, precision="float32"), tmp_path / "float32").run()
    assert (result.precision, exact.precision) == ("bfloat16", "float32")
    # 8 significant bits in the products, float32 in the weights
    assert result.metrics["nll"] == pytest.approx(exact.metrics["nll"], rel=0.02)
    assert result.metrics["nll"] != exact.metrics["nll"]
    assert last_weights(tmp_path / "bfloat16")["2.weight"].dtype == torch.float32


def test_the_callers_torch_is_left_alone(tmp_path: Path) -> None:
    torch.default_generator.manual_seed(5)
    expected = torch.rand(3)
    torch.default_generator.manual_seed(5)
    Trainer(LineTask(), line_config(2), tmp_path).run()
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_batches_do_not_depend_on_workers() -> None:
    def made(workers: int, from_step: int) -> list[Patients]:
        return list(stream_batches(SurvivalTask(), quick_config(8, workers=workers), from_step))

    alone, helped, later = made(0, 0), made(2, 0), made(2, 5)
    assert len(alone) == len(helped) == 16
    assert all(torch.equal(one.features, two.features) for one, two in zip(alone, helped, strict=True))
    assert all(torch.equal(one.features, two.features) for one, two in zip(alone[10:], later, strict=True))


def test_passing_batches_take_every_sample_equally_often() -> None:
    taken = np.concatenate([passing_batch(Draw(3, number, 0, number), 10, 4) for number in range(15)])
    passes = taken.reshape(6, 10)
    assert np.array_equal(np.sort(passes, axis=1), np.tile(np.arange(10), (6, 1)))
    assert len({tuple(one) for one in passes}) == 6


def test_balanced_batches_are_half_events() -> None:
    events = np.arange(100) < 7
    batches = [balanced_batch(Draw(3, step, 0, step), events, 8) for step in range(50)]
    assert all(events[batch].sum() == 4 for batch in batches)
    assert set(np.concatenate(batches)[events[np.concatenate(batches)]]) == set(range(7))
    with pytest.raises(ValueError, match="with and without"):
        balanced_batch(Draw(3, 0, 0, 0), np.zeros(5, bool), 8)


def test_memory_does_not_grow_with_the_cohort(tmp_path: Path) -> None:
    """15 steps of two lazy cases of 8.8 MB, in processes of their own; the third keeps what it reads, as a control."""
    context = child_context()
    pipes = []
    for patients, hoard in ((10, False), (1000, False), (1000, True)):
        ours, theirs = context.Pipe()
        folder = tmp_path / f"{patients}{hoard}"
        context.Process(target=peak_rss_mb, args=(theirs, folder, patients, hoard), daemon=True).start()
        pipes.append(ours)
    peaks_mb = [pipe.recv() for pipe in pipes if pipe.poll(120)]
    small, large, hoarding = peaks_mb
    # what an allocator keeps varies by some MB; a cohort held in memory would be 265 MB by step 15
    assert abs(large - small) < 40
    assert hoarding > small + 120
