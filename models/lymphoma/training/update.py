"""One update of the weights: accumulated gradients, mixed precision, clipping, and what is not finite left out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from lymphoma.training.batches import draws_of
from lymphoma.training.config import OptimiserConfig, TrainConfig
from lymphoma.training.determinism import autocast_type, seed_torch
from lymphoma.training.schedule import rate_factor, warm_up
from lymphoma.training.state import Metrics
from lymphoma.training.task import B, Draw, Task

__all__ = ["UpdateReport", "Updater", "build_optimiser"]


@dataclass(frozen=True)
class UpdateReport:
    """What one update did.

    Attributes:
        finite: False when loss or gradient was not, and the weights were left alone.
        values: loss, its terms, learning rate and norm of the gradient before clipping, for the log.
    """

    finite: bool
    values: Metrics


def build_optimiser(config: OptimiserConfig, network: torch.nn.Module) -> torch.optim.Optimizer:
    """The optimiser of torch.optim with that name, over all weights that learn."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    rate, decay = config.learning_rate, config.weight_decay
    match config.name:
        case "Adam":
            return torch.optim.Adam(weights, lr=rate, weight_decay=decay, betas=config.betas)
        case "AdamW":
            return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, betas=config.betas)
        case "SGD":
            return torch.optim.SGD(
                weights, lr=rate, weight_decay=decay, momentum=config.momentum, nesterov=config.nesterov
            )


class Updater(Generic[B]):
    """Moves a network's weights, one update at a time."""

    def __init__(
        self, task: Task[B], config: TrainConfig, network: torch.nn.Module, device: torch.device, leg_start: int
    ) -> None:
        self._task = task
        self._config = config
        self._network = network
        self._device = device
        self._leg_start = leg_start
        self._type = autocast_type(config, device)
        self.optimiser = build_optimiser(config.optimiser, network)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._type == torch.float16)

    def update(self, step: int, batches: Iterator[B]) -> UpdateReport:
        """Takes ``accumulation`` batches and updates the weights by the mean of their gradients."""
        rate = self._set_rate(step)
        self._network.train()
        self.optimiser.zero_grad(set_to_none=True)
        # a batch that is not finite would stay in the running statistics of batch normalisation
        buffers = [buffer.clone() for buffer in self._network.buffers()]
        values: dict[str, float] = {}
        finite = True
        for draw in draws_of(self._config, step):
            batch = next(batches)
            if finite:
                finite = self._accumulate(draw, batch, values)
        norm = self._norm() if finite else float("nan")
        # the scaler of float16 meets infinite gradients in its search for a scale, and steps over them by itself
        finite = finite and (self.scaler.is_enabled() or math.isfinite(norm))
        if finite:
            self.scaler.step(self.optimiser)
            self.scaler.update()
        else:
            for buffer, before in zip(self._network.buffers(), buffers, strict=True):
                buffer.copy_(before)
        return UpdateReport(finite, {**values, "learning_rate": rate, "gradient_norm": norm})

    def _accumulate(self, draw: Draw, batch: B, values: dict[str, float]) -> bool:
        seed_torch(draw.torch_seed, self._device)
        with torch.autocast(self._device.type, dtype=self._type, enabled=self._type != torch.float32):
            loss = self._task.loss(self._network, batch.to(self._device))
        parts = self._config.accumulation
        for name, term in (("loss", loss.total), *loss.terms.items()):
            values[name] = values.get(name, 0.0) + float(term.detach()) / parts
        if not bool(torch.isfinite(loss.total.detach()).all()):
            return False
        self.scaler.scale(loss.total / parts).backward()  # type: ignore[no-untyped-call]
        return True

    def _norm(self) -> float:
        """Norm of the gradient before it is clipped."""
        self.scaler.unscale_(self.optimiser)
        weights = [weight for weight in self._network.parameters() if weight.grad is not None]
        norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        if self._config.clip_norm is not None and bool(torch.isfinite(norm)):
            clip_grads_with_norm_(weights, self._config.clip_norm, norm)
        return float(norm)

    def _set_rate(self, step: int) -> float:
        rate = self._config.optimiser.learning_rate * rate_factor(self._config.schedule, step, self._config.steps)
        if self._leg_start:
            rate *= warm_up(step - self._leg_start, self._config.run.leg_warm_up_steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate
