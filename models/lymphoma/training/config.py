"""The configuration of a training run: a tree read once from ``configs/train.yaml``.

What stands outside :class:`RunConfig` decides the weights, and may not change between a run and its resumption.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from lymphoma.errors import ConfigInvalid

__all__ = [
    "Drop",
    "OptimiserConfig",
    "RunConfig",
    "ScheduleConfig",
    "TrainConfig",
    "ValidationConfig",
    "config_digest",
    "read_config",
    "write_config",
]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=_STRICT)
class OptimiserConfig:
    """An optimiser of torch.optim.

    Attributes:
        name: class in torch.optim. learning_rate: before the schedule's factor. weight_decay: coupled in Adam and SGD,
            decoupled in AdamW. momentum, nesterov: SGD alone. betas: Adam and AdamW alone.
    """

    name: Literal["Adam", "AdamW", "SGD"] = "Adam"
    learning_rate: Rate = 1e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    nesterov: bool = False
    betas: tuple[Share, Share] = (0.9, 0.999)

    @model_validator(mode="after")
    def _agrees(self) -> OptimiserConfig:
        if self.name != "SGD" and (self.momentum or self.nesterov):
            raise ValueError("momentum and nesterov belong to SGD")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")
        return self


@dataclass(frozen=True, config=_STRICT)
class Drop:
    """From ``from_step`` on the learning rate is ``factor`` of the optimiser's."""

    from_step: Count
    factor: Rate


@dataclass(frozen=True, config=_STRICT)
class ScheduleConfig:
    """How the learning rate moves; the formulas stand in :mod:`lymphoma.training.schedule`.

    Attributes:
        name: "constant", "poly", "step" or "cosine". warm_up_steps: linear rise at the start of the run.
        power: of "poly" (.9 in nnU-Net). drops: of "step", in rising order. final_factor: where "cosine" ends.
    """

    name: Literal["constant", "poly", "step", "cosine"] = "constant"
    warm_up_steps: Count = 0
    power: Rate = 0.9
    drops: tuple[Drop, ...] = ()
    final_factor: Share = 0.0

    @model_validator(mode="after")
    def _agrees(self) -> ScheduleConfig:
        if (self.name == "step") != bool(self.drops):
            raise ValueError("drops belong to the schedule named step, which needs at least one")
        steps = [drop.from_step for drop in self.drops]
        if steps != sorted(set(steps)):
            raise ValueError("drops must rise in from_step")
        return self


@dataclass(frozen=True, config=_STRICT)
class ValidationConfig:
    """When the run is judged and what by.

    Attributes:
        every_steps: None judges at the end alone. metric: the one that chooses the weights to keep; None keeps the
            last. direction: whether it is to fall ("min") or to rise ("max"). patience: validations in a row without a
            better value after which the run stops; None never stops early.
    """

    every_steps: Positive | None = None
    metric: str | None = None
    direction: Literal["min", "max"] = "min"
    patience: Positive | None = None

    @model_validator(mode="after")
    def _agrees(self) -> ValidationConfig:
        if self.patience and not (self.metric and self.every_steps):
            raise ValueError("patience needs a metric and every_steps")
        return self


@dataclass(frozen=True, config=_STRICT)
class RunConfig:
    """Where and how the run is executed; nothing here alters the weights of a run on one device, legs apart.

    Attributes:
        device: "auto" takes a GPU where there is one. workers: processes that make batches; 0 makes them in line.
        prefetch: batches each worker holds ready. checkpoint_every_steps, checkpoint_every_s: whichever comes first.
        log_every_steps: rows of the metrics log. tensorboard: event files too.
        leg_minutes, leg_steps: the run stops there and hands over to the next leg, which restarts the optimiser.
            Started again in the same folder after ``leg_minutes``, it goes on with the optimiser it has.
        leg_warm_up_steps: linear rise of the learning rate at the start of each further leg.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Count = 0
    prefetch: Positive = 2
    checkpoint_every_steps: Positive = 500
    checkpoint_every_s: Rate = 300.0
    log_every_steps: Positive = 10
    tensorboard: bool = True
    leg_minutes: Rate | None = None
    leg_steps: Positive | None = None
    leg_warm_up_steps: Count = 200


@dataclass(frozen=True, config=_STRICT)
class TrainConfig:
    """One training run.

    Attributes:
        steps: updates of the weights. batch_size: samples a batch, for the task to use. accumulation: batches an
            update; the gradient is their mean. clip_norm: largest norm of the gradient; None does not clip.
        precision: "auto" is float32 on a CPU, bfloat16 on a GPU that has it, float16 on another.
    """

    steps: Positive
    seed: Count = 0
    batch_size: Positive = 1
    accumulation: Positive = 1
    clip_norm: Rate | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    validation: ValidationConfig = ValidationConfig()
    run: RunConfig = RunConfig()


_TREE = TypeAdapter(TrainConfig)


def read_config(file: Path) -> TrainConfig:
    """Reads a YAML file.

    Raises:
        ConfigInvalid: ``CONFIG_INVALID``, naming each key that is unknown, missing or out of range.
    """
    try:
        return _TREE.validate_python(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        raise ConfigInvalid("CONFIG_INVALID", f"{file.name} is not YAML") from error
    except ValidationError as error:
        raise ConfigInvalid("CONFIG_INVALID", f"{file.name}: {_faults(error)}") from error


def write_config(config: TrainConfig, file: Path) -> None:
    """Writes every value, defaults too, so that a bundle says all that its run was."""
    file.write_text(yaml.safe_dump(_plain(config), sort_keys=False), encoding="utf-8")


def config_digest(config: TrainConfig) -> str:
    """SHA-256 over all that decides the weights: the tree without ``run``."""
    values = _plain(replace(config, run=RunConfig()))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _plain(config: TrainConfig) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return values


def _faults(error: ValidationError) -> str:
    said = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"]) or "the file"
        said.append(f"{key}: {'unknown key' if fault['type'] == 'unexpected_keyword_argument' else fault['msg']}")
    return "; ".join(said)
