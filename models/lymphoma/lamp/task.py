"""How the head is trained: the trainer's task, and a loop of the same updates in memory for many small runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.errors import ConfigInvalid, NotComputable
from lymphoma.lamp.arms import Arm, train_config
from lymphoma.lamp.bags import LesionBags
from lymphoma.lamp.network import LampHead
from lymphoma.prognosis.survival_loss import TimeBins, cox_loss, fit_bins, hazard_logits, nll, risk
from lymphoma.survival.concordance import harrell
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.batches import draws_of, passing_batch
from lymphoma.training.config import TrainConfig
from lymphoma.training.determinism import seed_torch
from lymphoma.training.state import RunState
from lymphoma.training.task import Draw, Loss, NullLoss
from lymphoma.training.update import Updater

__all__ = ["HeadBatch", "HeadTask", "LearningSet", "Trained", "risk_of", "train_in_memory", "train_on_all"]

AT_ONCE = 256
"""Patients judged at a time: 256 x 32 lesions x 256 features take 8 MB."""

Floats = npt.NDArray[np.float64]
_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class LearningSet:
    """Patients with a lesion, and their follow-up for one endpoint, in the same order."""

    bags: LesionBags
    follow_up: FollowUp

    def __post_init__(self) -> None:
        if len(self.bags) != self.follow_up.n:
            raise ValueError(f"{len(self.bags)} patients with {self.follow_up.n} outcomes")

    def take(self, index: npt.NDArray[np.int64]) -> LearningSet:
        """The patients at ``index``."""
        return LearningSet(self.bags.take(torch.as_tensor(index)), self.follow_up.take(index))


@dataclass(frozen=True, eq=False)
class HeadBatch:
    """A batch. bins: int64, (n,). months, event: (n,)."""

    bags: LesionBags
    bins: torch.Tensor
    months: torch.Tensor
    event: torch.Tensor

    def to(self, device: torch.device) -> HeadBatch:
        """The same on another device."""
        return HeadBatch(self.bags.to(device), self.bins.to(device), self.months.to(device), self.event.to(device))

    def take(self, index: torch.Tensor) -> HeadBatch:
        """The patients at ``index``."""
        return HeadBatch(self.bags.take(index), self.bins[index], self.months[index], self.event[index])


@dataclass(frozen=True, eq=False)
class HeadTask:
    """A task of :class:`lymphoma.training.trainer.Trainer`. Everything fitted is fitted on ``training`` alone.

    Attributes:
        training, validation: with the organs that the arm asks for (:func:`lymphoma.lamp.organs.rows_for`).

    Raises:
        ConfigInvalid: ``CONFIG_INVALID``: a Cox head with batches of one patient, whose loss is always 0.
        NotComputable: ``TOO_FEW_EVENTS``.
    """

    arm: Arm
    training: LearningSet
    validation: LearningSet

    def __post_init__(self) -> None:
        if self.arm.shape.head == "cox" and self.arm.batch_size < 2:
            raise ConfigInvalid(
                "CONFIG_INVALID", "a Cox loss compares patients of one batch: batch_size must be 2 or more"
            )

    @cached_property
    def bins(self) -> TimeBins:
        """Bins of the training fold."""
        return fit_bins(self.training.follow_up, self.arm.shape.bins)

    @cached_property
    def hazards(self) -> torch.Tensor | None:
        """Logits of the constant hazards of the training fold, (bins,); None for a Cox head."""
        return hazard_logits(self.bins, self.training.follow_up) if self.arm.shape.head == "discrete" else None

    def network(self) -> LampHead:
        head = LampHead(self.arm.shape)
        head.standardise_by(self.training.bags)
        if self.arm.start_at_hazards:
            head.start_at(self.hazards)
        return head

    def batch(self, draw: Draw) -> HeadBatch:
        chosen = passing_batch(draw, len(self.training.bags), self.arm.batch_size)
        return self._learning.take(torch.as_tensor(chosen))

    def loss(self, network: torch.nn.Module, batch: HeadBatch) -> Loss:
        return Loss(self._loss(network(batch.bags).logits, batch))

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """``nll`` of the validation patients, by which weights are kept, and ``harrell``, .5 without a pair."""
        batch = self._validating
        logits = _logits(network, batch.bags, device)
        try:
            concordance = harrell(self.validation.follow_up, risk(logits).numpy())
        except NotComputable:
            concordance = 0.5
        return {"nll": float(self._loss(logits, batch)), "harrell": concordance}

    @property
    def null_loss(self) -> NullLoss:
        """Constant hazards of the training fold on the validation patients; equal risks for a Cox head."""
        logits = torch.zeros(1) if self.hazards is None else self.hazards
        everybody = logits.expand(len(self.validation.bags), -1)
        return NullLoss("nll", float(self._loss(everybody, self._validating)))

    def _loss(self, logits: torch.Tensor, batch: HeadBatch) -> torch.Tensor:
        if self.arm.shape.head == "cox":
            return cox_loss(logits[:, 0], batch.months, batch.event, ties=self.arm.ties)
        return nll(logits, batch.bins, batch.event, alpha=self.arm.alpha)

    @cached_property
    def _learning(self) -> HeadBatch:
        return self._tensors(self.training)

    @cached_property
    def _validating(self) -> HeadBatch:
        return self._tensors(self.validation)

    def _tensors(self, patients: LearningSet) -> HeadBatch:
        follow_up = patients.follow_up
        return HeadBatch(
            patients.bags,
            torch.as_tensor(self.bins.of(follow_up.months)),
            torch.tensor(follow_up.months),
            torch.tensor(follow_up.event),
        )


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run in memory comes to.

    Attributes:
        network: with the kept weights, in evaluation mode. kept_step: updates done when they were. steps: in all.
        nll, null_nll: of the validation patients. trained: the first lies below the second.
        history: (updates, validation loss, validation Harrell C), from step 0 on.
    """

    network: LampHead
    kept_step: int
    steps: int
    nll: float
    null_nll: float
    trained: bool
    history: tuple[tuple[int, float, float], ...]


def train_in_memory(task: HeadTask, seed: int, *, steps: int | None = None) -> Trained:
    """The trainer's updates and early stopping without its folder, on this thread, for runs of a minute.

    Batches of one patient that are accumulated become one padded batch: the gradient is the same but for rounding.
    Step 0 is judged too, so that a run which only gets worse keeps the constant hazards it started with.
    """
    walk = _Walk(task, seed, steps)
    state, history = _together([walk])
    walk.network.load_state_dict(walk.best)
    return _told(walk.network, state, history, task.null_loss.value)


def train_on_all(arm: Arm, patients: LearningSet, seed: int, *, folds: int = 5, steps: int | None = None) -> Trained:
    """For few patients: the number of updates is where the mean validation loss of inner folds is least, and the head
    is then trained with it on everybody. A fifth of 160 patients alone is too few to stop by.

    Losses are means over the folds, of the runs that chose the number; the last run has nobody left to be judged on.
    """
    order = np.random.default_rng([seed, folds]).permutation(len(patients.bags))
    walks = []
    for part in np.array_split(order, folds):
        rest = np.setdiff1d(order, part)
        walks.append(_Walk(HeadTask(arm, patients.take(rest), patients.take(part)), seed, steps))
    state, history = _together(walks)
    null = float(np.mean([walk.task.null_loss.value for walk in walks]))
    last = _Walk(HeadTask(arm, patients, patients), seed, steps)
    last.advance(state.best_step or 0)
    return _told(last.network, state, history, null)


class _Walk:
    """One network on its way, as many updates at a time as asked for."""

    def __init__(self, task: HeadTask, seed: int, steps: int | None) -> None:
        arm = replace(task.arm, batch_size=task.arm.patients_an_update, accumulation=1)
        self.task = replace(task, arm=arm)
        self.config = train_config(arm, seed, steps)
        seed_torch(seed, _CPU)
        self.network = self.task.network()
        self._updater = Updater(self.task, self.config, self.network, _CPU, 0)
        self._batches = _all_batches(self.task, self.config)
        self._step = 0
        self.best: dict[str, torch.Tensor] = {}

    def advance(self, updates: int) -> None:
        for _ in range(updates):
            self._updater.update(self._step, self._batches)
            self._step += 1
        self.network.eval()

    def keep(self) -> None:
        self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}


def _all_batches(task: HeadTask, config: TrainConfig) -> Iterator[HeadBatch]:
    """Of no walk's own, so that a walk and its patients go as soon as nobody holds them."""
    for step in range(config.steps):
        for draw in draws_of(config, step):
            yield task.batch(draw)


def _together(walks: Sequence[_Walk]) -> tuple[RunState, list[tuple[int, float, float]]]:
    """Walks all side by side until the mean of their validation losses has stopped falling."""
    config = walks[0].config
    every, patience = config.validation.every_steps or config.steps, config.validation.patience or config.steps
    state, history = RunState(), []
    while True:
        found = [walk.task.validate(walk.network.eval(), _CPU) for walk in walks]
        means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        history.append((state.step, means["nll"], means["harrell"]))
        state = state.after_validation(means, config.validation)
        if state.best_step == state.step:
            for walk in walks:
                walk.keep()
        if state.step >= config.steps or state.stale >= patience:
            return state, history
        updates = min(every, config.steps - state.step)
        for walk in walks:
            walk.advance(updates)
        state = replace(state, step=state.step + updates)


def _told(network: LampHead, state: RunState, history: list[tuple[int, float, float]], null: float) -> Trained:
    nll_kept = state.best_metrics["nll"]
    kept = state.best_step or 0
    return Trained(network.eval(), kept, state.step, nll_kept, null, nll_kept < null, tuple(history))


def risk_of(network: torch.nn.Module, bags: LesionBags) -> Floats:
    """Risk of each patient, higher is worse, shape (n,); the network in evaluation mode."""
    found: Floats = risk(_logits(network, bags, _CPU)).double().numpy()
    return found


@torch.no_grad()
def _logits(network: torch.nn.Module, bags: LesionBags, device: torch.device) -> torch.Tensor:
    everybody = torch.arange(len(bags))
    parts = [everybody[first : first + AT_ONCE] for first in range(0, len(bags), AT_ONCE)]
    return torch.cat([network(bags.take(part).to(device)).logits.float().cpu() for part in parts])
