"""The command that trains a shared network: a signal ends a leg cleanly, and the same command goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from lymphoma.training.command import NetworkPatients, network_patients, run_command
from lymphoma.training.config import TrainConfig, write_config
from lymphoma.training.result import last_weights
from lymphoma.training.task import Draw
from lymphoma.training.trainer import Trainer

from tests.unit.training.tasks import Patients, SurvivalTask, quick_config

pytestmark = pytest.mark.unit

NOBODY = NetworkPatients((), (), lambda _: pytest.fail("no patient is needed"))


class ToldToStop(SurvivalTask):
    """Is told to end while it makes the batch of one step, once."""

    def __init__(self, step: int | None) -> None:
        super().__init__()
        self.at = step

    def batch(self, draw: Draw) -> Patients:
        if draw.step == self.at:
            self.at = None
            os.kill(os.getpid(), signal.SIGTERM)
        return super().batch(draw)


def train(config: Path, folder: Path, stop_at: int | None) -> int:
    arguments = ["--run", str(folder), "--cache", str(folder / "cache")]

    def task(_: NetworkPatients, __: TrainConfig) -> ToldToStop:
        return ToldToStop(stop_at)

    return run_command("test", config, lambda _: NOBODY, task, arguments)


def test_a_signal_ends_the_leg_and_the_same_command_goes_on(tmp_path: Path) -> None:
    config, before = tmp_path / "train.yaml", signal.getsignal(signal.SIGTERM)
    write_config(quick_config(30), config)
    assert train(config, tmp_path / "told", stop_at=12) == 0
    assert (tmp_path / "told" / "handover" / "handover.json").is_file()
    assert len(list((tmp_path / "told" / "checkpoints").glob("step-000000013-*.pt"))) == 1
    assert signal.getsignal(signal.SIGTERM) is before
    assert train(config, tmp_path / "told", stop_at=None) == 0
    Trainer(SurvivalTask(), quick_config(30), tmp_path / "whole").run()
    told, whole = last_weights(tmp_path / "told"), last_weights(tmp_path / "whole")
    assert all(torch.equal(told[name], whole[name]) for name in whole)


def test_the_patients_of_the_networks_are_those_of_the_sets(tmp_path: Path) -> None:
    patients = network_patients(16.0, tmp_path)
    assert (len(patients.training), len(patients.validation)) == (240, 40)
    ids = {subject.patient_id for subject in (*patients.training, *patients.validation)}
    assert len(ids) == 280
    case = patients.read(patients.validation[0])
    assert case.suv.spacing_mm == pytest.approx(16.0, rel=0.05)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
