"""Tiny tasks for the tests of the trainer, and what a child process that is killed runs."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import torch
from lymphoma.training.batches import passing_batch
from lymphoma.training.config import OptimiserConfig, RunConfig, ScheduleConfig, TrainConfig, ValidationConfig
from lymphoma.training.task import Draw, Loss, NullLoss
from lymphoma.training.trainer import Trainer

BINS = 4


@dataclass(frozen=True)
class Patients:
    """Features, follow-up bin and event of each patient of a batch."""

    features: torch.Tensor
    bins: torch.Tensor
    events: torch.Tensor

    def to(self, device: torch.device) -> Patients:
        return Patients(self.features.to(device), self.bins.to(device), self.events.to(device))


def survival_nll(logits: torch.Tensor, bins: torch.Tensor, events: torch.Tensor) -> torch.Tensor:
    """Discrete hazards: -log S(bin - 1) - log h(bin) of an event, -log S(bin) of a censored patient; in mean."""
    log_survived = torch.nn.functional.logsigmoid(-logits)
    at = torch.nn.functional.one_hot(bins, BINS).to(logits.dtype)
    before = (torch.arange(BINS) < bins[:, None]).to(logits.dtype)
    last = torch.where(events[:, None], torch.nn.functional.logsigmoid(logits), log_survived)
    return -((before * log_survived).sum(1) + (at * last).sum(1)).mean()


class SurvivalTask:
    """A linear head with batch normalisation and dropout, so that buffers and torch's generators matter."""

    def __init__(self, *, signal: float = 2.0, patients: int = 240, null: NullLoss | None = None) -> None:
        rng = np.random.default_rng([7, 1])
        features = rng.normal(size=(patients, 6)).astype(np.float32)
        hazard = 1 / (1 + np.exp(-(signal * features[:, 0] - 1.5)))
        reached = np.stack([rng.random(patients) < hazard for _ in range(BINS)], axis=1)
        self.events = reached.any(axis=1)
        bins = np.where(self.events, reached.argmax(axis=1), BINS - 1)
        self._all = Patients(torch.from_numpy(features), torch.from_numpy(bins), torch.from_numpy(self.events))
        self._null = null

    def network(self) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.2), torch.nn.Linear(6, BINS))

    def batch(self, draw: Draw) -> Patients:
        chosen = torch.from_numpy(passing_batch(draw, len(self.events), 16))
        noise = torch.from_numpy(draw.rng(stream=1).normal(scale=0.05, size=(16, 6)).astype(np.float32))
        return Patients(self._all.features[chosen] + noise, self._all.bins[chosen], self._all.events[chosen])

    def loss(self, network: torch.nn.Module, batch: Patients) -> Loss:
        nll = survival_nll(network(batch.features), batch.bins, batch.events)
        return Loss(nll, {"nll": nll})

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        logits = network(self._all.features.to(device))
        return {"nll": float(survival_nll(logits, self._all.bins, self._all.events))}

    @property
    def null_loss(self) -> NullLoss | None:
        return self._null


def constant_hazard_nll(task: SurvivalTask) -> float:
    """What the best head without any input reaches: the hazard of each bin over all."""
    bins, events = task._all.bins.numpy(), task.events
    hazards = [np.mean(events[bins >= b] & (bins[bins >= b] == b)) for b in range(BINS)]
    logits = torch.from_numpy(np.log(hazards) - np.log1p(-np.array(hazards))).float()
    return float(survival_nll(logits.expand(len(events), -1), task._all.bins, task._all.events))


class SlowSurvivalTask(SurvivalTask):
    """Takes a few milliseconds a batch, so that a kill can meet it anywhere; notes which processes make batches.

    Args:
        makers: folder with a file per process, named by its id; None notes nothing.
    """

    def __init__(self, makers: Path | None = None) -> None:
        super().__init__()
        self._makers = makers

    def batch(self, draw: Draw) -> Patients:
        time.sleep(0.004)
        if self._makers is not None:
            (self._makers / str(os.getpid())).touch()
        return super().batch(draw)


def quick_config(steps: int, *, workers: int = 0, tensorboard: bool = False, **run: int) -> TrainConfig:
    """Everything that has state is on: momentum of Adam, schedule, accumulation, validation, early stopping."""
    return TrainConfig(
        steps=steps,
        seed=11,
        accumulation=2,
        clip_norm=1.0,
        optimiser=OptimiserConfig(name="AdamW", learning_rate=0.02, weight_decay=0.01),
        schedule=ScheduleConfig(name="cosine", warm_up_steps=5, final_factor=0.1),
        validation=ValidationConfig(every_steps=20, metric="nll", patience=1000),
        run=RunConfig(device="cpu", workers=workers, tensorboard=tensorboard, **run),
    )


def child_context() -> ForkServerContext:
    """For child processes that share one import of torch and MONAI, made outside of this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.training.image_tasks", "torch._dynamo"])
    return context


def train_slowly(folder: Path, steps: int, workers: int) -> None:
    """What the child of the kill test does; one thread, because another number may change last bits."""
    torch.set_num_threads(1)
    config = quick_config(steps, workers=workers, checkpoint_every_steps=7, log_every_steps=1)
    makers = folder.with_name(f"{folder.name}-makers")
    makers.mkdir(exist_ok=True)
    Trainer(SlowSurvivalTask(makers), config, folder).run()
