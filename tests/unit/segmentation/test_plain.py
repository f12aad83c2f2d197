"""The plain U-Net beside LAMP's network: as large, taught on the same patches."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.segmentation.network import LampNetwork, LampShape
from lymphoma.segmentation.plain import PlainTask, main, plain_network, plain_probability
from lymphoma.segmentation.task import LampTask
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import Protocol
from lymphoma.training.case import Case, Subject
from lymphoma.training.config import OptimiserConfig, RunConfig, TrainConfig, config_digest, read_config
from lymphoma.training.legs import read_handover
from lymphoma.training.task import Draw
from lymphoma.training.trainer import Trainer
from lymphoma.training.working import ToWorkingGrid

pytestmark = pytest.mark.unit

SMALL = LampShape(widths=(4, 6, 8), last_single=5, last_fused=9, supervised=2, edge_mm=10.0, window=(16, 16, 16))
COHORT = VirtualCohort("few", range(80, 82), protocol=Protocol((8.0, 8.0, 8.0), 64, ct_on_pet_grid=True))


@cache
def read(subject: Subject) -> Case:
    return ToWorkingGrid(SMALL.edge_mm)(COHORT.load(subject))


@pytest.fixture
def task() -> PlainTask:
    return PlainTask(LampTask(COHORT.subjects[:1], COHORT.subjects[1:], read, 2, SMALL), widths=(4, 6, 8))


def test_it_is_as_large_as_the_network_it_stands_beside() -> None:
    own, peer = (
        sum(weight.numel() for weight in network.parameters())
        for network in (plain_network(), LampNetwork(LampShape()))
    )
    assert 0.95 <= own / peer <= 1.0


def test_it_learns_from_the_same_patches(task: PlainTask) -> None:
    draw = Draw(4, 3, 0, 3)
    assert torch.equal(task.batch(draw).image, task.peer.batch(draw).image)


def test_three_answers_teach_it_and_one_is_used() -> None:
    network = plain_network((4, 6, 8, 8))
    image = torch.randn(1, 2, 16, 24, 16)
    assert network.train()(image).shape == (1, 3, 2, 16, 24, 16)
    assert network.eval()(image).shape == (1, 2, 16, 24, 16)


def test_a_whole_body_is_averaged_as_probabilities() -> None:
    class Pointwise(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.cat([-image[:, :1], image[:, :1]], dim=1)

    image = np.random.default_rng(3).normal(size=(2, 40, 20, 24)).astype(np.float32)
    found = plain_probability(Pointwise(), image, (16, 16, 16), device=torch.device("cpu"))
    np.testing.assert_allclose(found, 1.0 / (1.0 + np.exp(-2.0 * image[0].astype(np.float64))), atol=1e-6)


def test_a_few_steps_lower_the_loss(task: PlainTask, tmp_path: Path) -> None:
    config = TrainConfig(
        steps=40,
        seed=3,
        clip_norm=12.0,
        optimiser=OptimiserConfig(name="AdamW", learning_rate=0.005),
        run=RunConfig(device="cpu", tensorboard=False),
    )
    losses: list[float] = []
    result = Trainer(task, config, tmp_path / "run", on_update=lambda done: losses.append(done.values["loss"])).run()
    assert np.mean(losses[-8:]) < 0.9 * np.mean(losses[:4])
    assert set(result.metrics) == {"dice", "false_positive_ml", "false_negative_ml"}


def test_the_command_trains_by_the_same_configuration(tmp_path: Path) -> None:
    assert main(["--run", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--leg-minutes", "1e-9"]) == 0
    config = read_config(tmp_path / "run" / "train.yaml")
    plain_network().load_state_dict(read_handover(tmp_path / "run" / "handover", config).network)
    shipped = Path(__file__).parents[3] / "models/lymphoma/segmentation/train.yaml"
    assert config_digest(config) == config_digest(read_config(shipped))
