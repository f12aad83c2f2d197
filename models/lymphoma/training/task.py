"""What a system brings to the trainer: its network, its batches, its loss and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

import numpy as np
import torch

__all__ = ["Batch", "Draw", "Loss", "NullLoss", "Task"]

_TORCH_STREAM = 1_000_003


@dataclass(frozen=True)
class Draw:
    """Names one batch of a run. All randomness of the batch follows from it, so data order has no state.

    Attributes:
        seed: of the run. step: update of the weights, from 0. part: batch within the update, 0 .. accumulation - 1.
        number: of the batch within the run, step x accumulation + part.
    """

    seed: int
    step: int
    part: int
    number: int

    def rng(self, stream: int = 0) -> np.random.Generator:
        """A generator of this draw's own; ``stream`` separates uses within one batch."""
        return np.random.default_rng([self.seed, stream, self.step, self.part])

    @property
    def torch_seed(self) -> int:
        """Seed of torch's generators for this draw (dropout, MONAI)."""
        return int(np.random.SeedSequence([self.seed, _TORCH_STREAM, self.step, self.part]).generate_state(1)[0])


@dataclass(frozen=True)
class Loss:
    """A scalar to descend, and its named terms for the log."""

    total: torch.Tensor
    terms: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class NullLoss:
    """The value of a validation metric that a model without any input reaches (a constant hazard, say).

    A run whose kept weights do not lie below it is not trained, whatever else it scores.
    """

    metric: str
    value: float


class Batch(Protocol):
    """Arrays of one batch; a tensor is one."""

    def to(self, device: torch.device, /) -> Self:
        """The same on another device."""
        ...


B = TypeVar("B", bound=Batch)


class Task(Protocol[B]):
    """One system's training, as the trainer sees it."""

    def network(self) -> torch.nn.Module:
        """Builds the network on the CPU; called once, with torch's generators seeded."""
        ...

    def batch(self, draw: Draw) -> B:
        """The batch named by ``draw``: a pure function of it, called in any process and in any order."""
        ...

    def loss(self, network: torch.nn.Module, batch: B) -> Loss:
        """Runs the network on a batch; both are on the run's device."""
        ...

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """Named metrics on the validation patients; the network is in evaluation mode, without gradients."""
        ...

    @property
    def null_loss(self) -> NullLoss | None:
        """What the run must beat to count as trained; None where no such value exists."""
        ...
