"""How DeepMTS is trained and fitted on a cohort: a tree read once from ``train.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from lymphoma.deepmts.augment import Augment
from lymphoma.deepmts.field import LONG, BodyField
from lymphoma.deepmts.network import DeepMts, Shape
from lymphoma.deepmts.single_task import SingleTask
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.prognosis.survival_loss import Ties
from lymphoma.training.config import TrainConfig
from lymphoma.training.yaml_tree import read_tree

__all__ = ["PUBLISHED", "SHIPPED", "Arm", "DeepMtsConfig", "Losses", "network_of", "read_deepmts_config"]

SHIPPED = Path(__file__).with_name("train.yaml")
"""The configuration of the shipped bundle."""
PUBLISHED = Path(__file__).with_name("published.yaml")
"""As the published code trains; needs a GPU."""

Arm = Literal["multi_task", "single_task", "mask_only"]
"""DeepMTS; the baseline without segmentation; the control that sees the lesion mask and no image."""

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=_STRICT)
class Losses:
    """Weights of the terms; the published ones are 1 to 1, with .1 on the squares of the head's weights.

    Attributes:
        dice, survival, l2: of each term. ties: of the Cox likelihood.
        segment_first: updates in which a network that segments learns without the survival term; not in the paper. At
            the start the gradient of survival is a hundred and more times that of Dice throughout the backbone, and a
            short run under both from the first update on does not learn to segment.
    """

    dice: Weight = 1.0
    survival: Weight = 1.0
    l2: Weight = 0.1
    segment_first: Annotated[int, Field(ge=0)] = 0
    ties: Ties = "efron"


@dataclass(frozen=True, config=_STRICT)
class DeepMtsConfig:
    """The fit of a bundle.

    Attributes:
        training: of each network; its seed is that of folds and resamples too. arm, shape: of the network.
        clinic: whether the head reads stage III-IV beside the images, as the published code has one clinical number.
        field: of the body. endpoints: in the order they are fitted. folds: of the cross-fitting.
        stop_folds: the training patients of a fold are cut into so many parts, of which one stops the training.
        rule: of the risk groups' cut-offs. resamples: of the intervals.
    """

    training: TrainConfig
    arm: Arm = "multi_task"
    head: Literal["cox", "discrete"] = "cox"
    bins: Annotated[int, Field(ge=2)] = 4
    clinic: bool = False
    field: BodyField = LONG
    losses: Losses = Losses()
    augment: Augment = Augment()
    endpoints: tuple[Endpoint, ...] = ("pfs", "os")
    folds: Annotated[int, Field(ge=2)] = 5
    stop_folds: Annotated[int, Field(ge=2)] = 5
    rule: CutOffRule = "youden_24m"
    resamples: Annotated[int, Field(ge=20)] = 1000

    @model_validator(mode="after")
    def _agrees(self) -> DeepMtsConfig:
        if not self.endpoints or len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints are pfs, os or both")
        if self.training.batch_size < 2:
            raise ValueError("a balanced batch needs a batch_size of 2 or more")
        return self

    @property
    def shape(self) -> Shape:
        """Of the network."""
        return Shape(self.head, self.bins, 1 if self.clinic else 0)


def network_of(arm: Arm, shape: Shape) -> DeepMts | SingleTask:
    """A network of an arm, of random weights."""
    if arm == "multi_task":
        return DeepMts(shape)
    return SingleTask(shape, "image" if arm == "single_task" else "mask")


_TREE = TypeAdapter(DeepMtsConfig)


def read_deepmts_config(file: Path) -> DeepMtsConfig:
    """Reads a YAML file.

    Raises:
        ConfigInvalid: ``CONFIG_INVALID``, naming what is unknown or out of range.
    """
    return read_tree(_TREE, file)
