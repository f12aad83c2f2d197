"""How a network is trained and a bundle is fitted: a tree read once from ``train.yaml``."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from lymphoma.multitask_unet.comparators import COMPARATORS, tells_events
from lymphoma.multitask_unet.examples import Weighting
from lymphoma.multitask_unet.loss import LESION_SHARE
from lymphoma.multitask_unet.shape import MODELS, Size, UnetShape, Widths
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.training.config import (
    Drop,
    OptimiserConfig,
    RunConfig,
    ScheduleConfig,
    TrainConfig,
    ValidationConfig,
)
from lymphoma.training.yaml_tree import read_tree

__all__ = ["PUBLISHED", "SHIPPED", "MultitaskConfig", "read_multitask_config", "train_config"]

SHIPPED = Path(__file__).with_name("train.yaml")
"""The configuration of the shipped bundle."""
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=_STRICT)
class MultitaskConfig:
    """The defaults are the paper's.

    Attributes:
        model: "A" to "E", "ours", or a comparator. size, widths: of the network; a comparator has its own widths.
        weighting: "published" leaves out who was censored before 24 months; "ipcw" weights the others for it.
        lesion_share: lambda of Eq. 6. rotate_deg, scale: of the augmentation.
        batch_size, learning_rate, epochs, drop_epoch: from that epoch on the rate is a tenth. samples: in place of
            epochs, how many are seen in all; the rate then drops at the same share of them.
        stop_share: of the training patients, held back to choose the weights that are kept; 0 keeps the last, as
            published. judged: how often they are judged.
        precision: as in :class:`lymphoma.training.config.TrainConfig`.
        endpoints, folds, seed, rule, resamples: of the survival models and of the cross-fitting.
    """

    model: str = "ours"
    size: Size = (224, 64, 64)
    widths: Widths = (32, 64, 128, 256)
    weighting: Weighting = "published"
    lesion_share: Share = LESION_SHARE
    rotate_deg: Annotated[float, Field(ge=0, le=45)] = 8.0
    scale: Share = 0.2
    batch_size: Annotated[int, Field(ge=2)] = 12
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    epochs: Positive = 200
    drop_epoch: Positive = 100
    samples: Positive | None = None
    stop_share: Share = 0.0
    judged: Positive = 10
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    endpoints: tuple[Endpoint, ...] = ("pfs", "os")
    folds: Annotated[int, Field(ge=2)] = 5
    seed: Annotated[int, Field(ge=0)] = 0
    rule: CutOffRule = "youden_24m"
    resamples: Annotated[int, Field(ge=20)] = 1000

    @model_validator(mode="after")
    def _agrees(self) -> MultitaskConfig:
        known = (*MODELS, *COMPARATORS)
        if self.model not in known:
            raise ValueError(f"model is one of {', '.join(known)}")
        if not self.endpoints or len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints are pfs, os or both")
        UnetShape(self.size, self.widths)
        return self


PUBLISHED = MultitaskConfig()
"""The paper's."""
_TREE = TypeAdapter(MultitaskConfig)


def train_config(config: MultitaskConfig, patients: int, run: RunConfig | None = None) -> TrainConfig:
    """The trainer's configuration for so many training patients; an epoch passes through them once.

    Args:
        run: where and how; None takes the defaults.
    """
    an_epoch = ceil(patients / config.batch_size)
    steps = an_epoch * config.epochs if config.samples is None else ceil(config.samples / config.batch_size)
    drop = an_epoch * config.drop_epoch if config.samples is None else round(steps * config.drop_epoch / config.epochs)
    drops = (Drop(drop, 0.1),) if drop < steps else ()
    schedule = ScheduleConfig("step", drops=drops) if drops else ScheduleConfig()
    metric = "nll" if tells_events(config.model) else "lesion_loss"
    validation = ValidationConfig(every_steps=max(1, steps // config.judged), metric=metric)
    return TrainConfig(
        steps=steps,
        seed=config.seed,
        batch_size=config.batch_size,
        precision=config.precision,
        optimiser=OptimiserConfig("Adam", config.learning_rate),
        schedule=schedule,
        validation=validation if config.stop_share else replace(validation, metric=None),
        run=run or RunConfig(tensorboard=False),
    )


def read_multitask_config(file: Path) -> MultitaskConfig:
    """Reads a YAML file.

    Raises:
        ConfigInvalid: ``CONFIG_INVALID``, naming what is unknown or out of range.
    """
    return read_tree(_TREE, file)
