"""How LAMP's heads are fitted on a cohort: a tree read once from ``train.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from lymphoma.lamp.arms import ARMS, Arm
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.training.yaml_tree import read_tree

__all__ = ["SHIPPED", "HeadsConfig", "read_heads_config"]

SHIPPED = Path(__file__).with_name("train.yaml")
"""The configuration of the shipped bundle."""
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, config=_STRICT)
class HeadsConfig:
    """The fit of a bundle.

    Attributes:
        arm: name of one of :data:`lymphoma.lamp.arms.ARMS`. endpoints: in the order they are fitted.
        folds: of the cross-fitting. seeds: heads a fold. inner_folds: of a fold's training patients, that tell how long
            a head is trained.
        seed: of folds, heads and resamples. steps: most updates of a head; None takes the arm's.
        rule: of the risk groups' cut-offs. resamples: of the intervals.
    """

    arm: str = "extension"
    endpoints: tuple[Endpoint, ...] = ("pfs", "os")
    folds: Annotated[int, Field(ge=2)] = 5
    seeds: Annotated[int, Field(ge=1, le=20)] = 3
    inner_folds: Annotated[int, Field(ge=2)] = 5
    seed: Annotated[int, Field(ge=0)] = 0
    steps: Annotated[int, Field(gt=0)] | None = None
    rule: CutOffRule = "youden_24m"
    resamples: Annotated[int, Field(ge=20)] = 1000

    @model_validator(mode="after")
    def _known(self) -> HeadsConfig:
        if self.arm not in ARMS:
            raise ValueError(f"arm is one of {', '.join(ARMS)}")
        if not self.endpoints or len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints are pfs, os or both")
        if ARMS[self.arm].organs != "own":
            raise ValueError("an arm with the organs of others is for comparisons alone")
        return self

    @property
    def chosen(self) -> Arm:
        """The arm itself."""
        return ARMS[self.arm]


_TREE = TypeAdapter(HeadsConfig)


def read_heads_config(file: Path) -> HeadsConfig:
    """Reads a YAML file.

    Raises:
        ConfigInvalid: ``CONFIG_INVALID``, naming what is unknown or out of range.
    """
    return read_tree(_TREE, file)
