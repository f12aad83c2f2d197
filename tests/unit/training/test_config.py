"""The configuration: read, refused, written, and the learning rate that follows from it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from lymphoma.errors import ConfigInvalid, TrainingFailed
from lymphoma.training.config import (
    Drop,
    RunConfig,
    ScheduleConfig,
    TrainConfig,
    config_digest,
    read_config,
    write_config,
)
from lymphoma.training.determinism import choose_device
from lymphoma.training.schedule import rate_factor

pytestmark = pytest.mark.unit

FULL = """
steps: 200
seed: 3
accumulation: 32
clip_norm: 12.0
precision: bfloat16
optimiser: {name: SGD, learning_rate: 0.01, momentum: 0.99, nesterov: true, weight_decay: 3.0e-5}
schedule: {name: step, drops: [{from_step: 50, factor: 0.5}, {from_step: 100, factor: 0.1}]}
validation: {every_steps: 10, metric: dice, direction: max, patience: 5}
run: {device: cpu, workers: 2, leg_minutes: 100}
"""


def read(tmp_path: Path, text: str) -> TrainConfig:
    file = tmp_path / "train.yaml"
    file.write_text(text)
    return read_config(file)


def test_every_part_is_read_and_the_rest_has_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, FULL)
    assert (config.accumulation, config.optimiser.momentum, config.run.leg_minutes) == (32, 0.99, 100)
    assert config.schedule.drops == (Drop(50, 0.5), Drop(100, 0.1))
    assert config.batch_size == 1
    with pytest.raises(FrozenInstanceError):
        config.steps = 3  # type: ignore[misc]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    config = read(tmp_path, FULL)
    write_config(config, tmp_path / "again.yaml")
    assert read_config(tmp_path / "again.yaml") == config


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("steps: 10\nlearning_rate: 0.1", "learning_rate: unknown key"),
        ("steps: 10\noptimiser: {lr: 0.1}", "optimiser.lr: unknown key"),
        ("steps: 10\nschedule: {name: step, drops: [{step: 3, factor: 1}]}", "schedule.drops.0.step: unknown key"),
        ("seed: 1", "steps"),
        ("steps: 0", "steps"),
        ("steps: 10\noptimiser: {name: Ranger}", "optimiser.name"),
        ("steps: 10\noptimiser: {learning_rate: .nan}", "optimiser.learning_rate"),
        ("steps: 10\noptimiser: {momentum: 0.9}", "momentum and nesterov belong to SGD"),
        ("steps: 10\nschedule: {name: step}", "at least one"),
        ("steps: 10\nschedule: {name: step, drops: [{from_step: 9, factor: 1}, {from_step: 3, factor: 1}]}", "rise"),
        ("steps: 10\nvalidation: {patience: 3}", "patience needs a metric"),
        ("- 1", "the file"),
        ("steps: [", "not YAML"),
    ],
)
def test_a_fault_is_refused_with_the_name_of_its_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read(tmp_path, text)
    assert caught.value.code == "CONFIG_INVALID"
    assert key in caught.value.reason


def test_the_digest_is_of_what_decides_the_weights(tmp_path: Path) -> None:
    config = read(tmp_path, FULL)
    assert config_digest(replace(config, run=RunConfig(workers=0))) == config_digest(config)
    assert config_digest(replace(config, seed=4)) != config_digest(config)


def test_float16_on_a_cpu_is_refused() -> None:
    config = TrainConfig(steps=1, precision="float16", run=RunConfig(device="cpu"))
    with pytest.raises(TrainingFailed, match="DEVICE_UNFIT"):
        choose_device(config)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (ScheduleConfig(), {0: 1, 99: 1}),
        (ScheduleConfig(warm_up_steps=4), {0: 0.25, 1: 0.5, 3: 1, 4: 1}),
        (ScheduleConfig("poly", power=0.9), {0: 1, 50: 0.5**0.9, 99: 0.01**0.9}),
        (ScheduleConfig("cosine", final_factor=0.2), {0: 1, 50: 0.6, 100: 0.2}),
        # DeepMTS: 1e-4, from epoch 50 half, from 100 a tenth
        (ScheduleConfig("step", drops=(Drop(50, 0.5), Drop(100, 0.1))), {49: 1, 50: 0.5, 99: 0.5, 100: 0.1}),
    ],
    ids=lambda value: value.name if isinstance(value, ScheduleConfig) else "",
)
def test_learning_rate(schedule: ScheduleConfig, factors: dict[int, float]) -> None:
    assert {step: rate_factor(schedule, step, 100) for step in factors} == pytest.approx(factors)


def test_the_example_of_the_docs_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/explanation-training.md").read_text()
    config = read(tmp_path, page.split("```yaml\n")[1].split("```")[0])
    assert (config.accumulation, config.schedule.name, config.run.leg_minutes) == (32, "poly", 100)
