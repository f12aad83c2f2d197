"""The one trainer of all systems: resumable after a kill at any step, with the same weights at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, Literal

import structlog
import torch

from lymphoma.errors import TrainingFailed
from lymphoma.training.batches import stream_batches
from lymphoma.training.checkpoint import Checkpoint, load_newest, save_checkpoint
from lymphoma.training.config import TrainConfig, config_digest, write_config
from lymphoma.training.determinism import autocast_type, choose_device, repeatable, seed_torch
from lymphoma.training.files import locked
from lymphoma.training.legs import read_handover, write_handover
from lymphoma.training.metrics_log import MetricsLog, Row, open_metrics_log
from lymphoma.training.progress import OnUpdate, UpdateDone
from lymphoma.training.result import TrainingResult, is_trained, read_result, save_weights, write_result
from lymphoma.training.state import RunState
from lymphoma.training.task import B, Task
from lymphoma.training.update import Updater, UpdateReport

__all__ = ["Trainer"]

SKIPPED_AT_MOST = 3
"""So many updates in a row without a finite loss end the run: it would not come back by itself."""

Ended = Literal["finished", "early", "leg"]

log = structlog.get_logger()


class Trainer(Generic[B]):
    """Trains one task in one folder.

    The folder holds ``train.yaml``, ``checkpoints/``, ``metrics.jsonl``, ``tensorboard/`` and, at the end,
    ``kept.safetensors``, ``last.safetensors`` and ``result.json``; at the end of a leg ``handover/``.

    Args:
        handover: folder of the leg before; used only where the folder has no checkpoint of its own yet.
        on_update: called after every update.
        should_stop: asked before every update; True ends the leg there, with its hand-over. The same folder goes on
            with the optimiser it has.
    """

    def __init__(
        self,
        task: Task[B],
        config: TrainConfig,
        folder: Path,
        *,
        handover: Path | None = None,
        on_update: OnUpdate | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self._task = task
        self._config = config
        self._folder = folder
        self._handover = handover
        self._on_update = on_update
        self._should_stop = should_stop

    def run(self) -> TrainingResult:
        """Trains to the end, from wherever the folder stands; a run that is over returns its result at once.

        Raises:
            TrainingFailed: see :mod:`lymphoma.errors`.
        """
        device = choose_device(self._config)
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder), repeatable(device):
            over = read_result(self._folder, config_digest(self._config))
            if over is not None:
                return over
            write_config(self._config, self._folder / "train.yaml")
            run = _Run(self._task, self._config, self._folder, self._handover, device)
            with open_metrics_log(self._folder, run.state.step, self._config.run.tensorboard) as metrics:
                ended = run.go_on(metrics, self._on_update, self._should_stop)
            return run.finish(ended)


class _Run(Generic[B]):
    """The moving parts of a run between its start and its end."""

    def __init__(
        self, task: Task[B], config: TrainConfig, folder: Path, handover: Path | None, device: torch.device
    ) -> None:
        self._task = task
        self._config = config
        self._folder = folder
        self._device = device
        seed_torch(config.seed, device)
        self._network = task.network()
        checkpoint = load_newest(folder / "checkpoints", config_digest(config))
        self.state, self._best = self._begin(checkpoint, handover)
        self._network.to(device)
        self._updater = Updater(task, config, self._network, device, self.state.leg_start)
        if checkpoint is not None:
            self._updater.optimiser.load_state_dict(dict(checkpoint.optimiser))
            self._updater.scaler.load_state_dict(dict(checkpoint.scaler))
        self._saved_step = self.state.step
        self._saved_at_s = time.monotonic()

    def _begin(
        self, checkpoint: Checkpoint | None, handover: Path | None
    ) -> tuple[RunState, Mapping[str, torch.Tensor] | None]:
        if checkpoint is not None:
            self._network.load_state_dict(checkpoint.network)
            log.info("training_resumed", step=checkpoint.state.step)
            return checkpoint.state, checkpoint.best
        if handover is not None:
            given = read_handover(handover, self._config)
            self._network.load_state_dict(given.network)
            log.info("training_leg_started", step=given.state.step)
            return given.state.next_leg(), given.best
        log.info("training_started", steps=self._config.steps, device=str(self._device))
        return RunState(), None

    def go_on(
        self, metrics: MetricsLog, on_update: OnUpdate | None, should_stop: Callable[[], bool] | None = None
    ) -> Ended:
        """Updates until all steps are done, validation stops the run, or the leg is over or told to end."""
        config, started_s = self._config, time.monotonic()
        batches = stream_batches(self._task, config, self.state.step)
        while (ended := self._ended(time.monotonic() - started_s)) is None:
            if should_stop is not None and should_stop():
                ended = "leg"
                break
            report = self._updater.update(self.state.step, batches)
            self.state = self.state.after_update(report.finite)
            self._record(metrics, report)
            if self._due(config.validation.every_steps) or self.state.step == config.steps:
                self._judge(metrics)
            if self._checkpoint_is_due():
                self._save(metrics)
            if on_update is not None:
                on_update(UpdateDone(self.state.step, config.steps, report.values, self.state.best_metrics))
        if self._saved_step != self.state.step:
            self._save(metrics)
        return ended

    def finish(self, ended: Ended) -> TrainingResult:
        """Writes the weights, or the hand-over, and last of all the result."""
        last = self._weights()
        kept = last if self._best is None else self._best
        save_weights(self._folder, kept, last)
        if ended == "leg":
            write_handover(self._folder / "handover", self._config, self.state, last, self._best)
        state, null = self.state, self._task.null_loss
        result = TrainingResult(
            ended=ended,
            step=state.step,
            kept_step=state.step if state.best_step is None else state.best_step,
            metrics=state.best_metrics,
            null_loss=None if null is None else null.value,
            trained=ended != "leg" and is_trained(state.best_metrics, null),
            skipped=state.skipped,
            device=self._device.type,
            precision=str(autocast_type(self._config, self._device)).removeprefix("torch."),
            threads=torch.get_num_threads(),
            torch_version=torch.__version__,
            config_digest=config_digest(self._config),
        )
        write_result(self._folder, result)
        log.info("training_ended", ended=ended, step=state.step, trained=result.trained, skipped=state.skipped)
        return result

    def _ended(self, elapsed_s: float) -> Ended | None:
        state, run, patience = self.state, self._config.run, self._config.validation.patience
        if state.step >= self._config.steps:
            return "finished"
        if patience is not None and state.stale >= patience:
            return "early"
        over = run.leg_minutes is not None and elapsed_s >= 60.0 * run.leg_minutes
        over = over or (run.leg_steps is not None and state.step - state.leg_start >= run.leg_steps)
        return "leg" if over else None

    def _record(self, metrics: MetricsLog, report: UpdateReport) -> None:
        if not report.finite:
            log.warning("update_skipped", step=self.state.step, in_a_row=self.state.skipped_in_a_row)
        if self._due(self._config.run.log_every_steps) or not report.finite:
            metrics.add(Row(self.state.step, "training", report.values))
        if self.state.skipped_in_a_row >= SKIPPED_AT_MOST:
            raise TrainingFailed(
                "LOSS_NOT_FINITE",
                f"{SKIPPED_AT_MOST} updates in a row without a finite loss, to step {self.state.step}",
            )

    def _judge(self, metrics: MetricsLog) -> None:
        seed_torch(self._config.seed, self._device)
        self._network.eval()
        with torch.no_grad():
            values = self._task.validate(self._network, self._device)
        is_trained(values, self._task.null_loss)  # a missing metric is said now, not after the last step
        self.state = self.state.after_validation(values, self._config.validation)
        if self._config.validation.metric is not None and self.state.best_step == self.state.step:
            self._best = self._weights()
        metrics.add(Row(self.state.step, "validation", values))

    def _due(self, every: int | None) -> bool:
        return every is not None and self.state.step % every == 0

    def _checkpoint_is_due(self) -> bool:
        elapsed_s = time.monotonic() - self._saved_at_s
        return self._due(self._config.run.checkpoint_every_steps) or elapsed_s >= self._config.run.checkpoint_every_s

    def _save(self, metrics: MetricsLog) -> None:
        metrics.sync()
        save_checkpoint(
            self._folder / "checkpoints",
            Checkpoint(
                config_digest=config_digest(self._config),
                state=self.state,
                network=self._network.state_dict(),
                optimiser=self._updater.optimiser.state_dict(),
                scaler=self._updater.scaler.state_dict(),
                best=self._best,
            ),
        )
        self._saved_step = self.state.step
        self._saved_at_s = time.monotonic()

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.detach().cpu().clone() for name, tensor in self._network.state_dict().items()}
