"""How the signature is fitted: a tree read once from ``train.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from lymphoma.dfr_signature.inputs import GreyWindows, ImageKind, InputSettings
from lymphoma.dfr_signature.keras_networks import BackboneName
from lymphoma.dfr_signature.labels import LabelKind
from lymphoma.dfr_signature.selection import SelectionSettings
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.training.yaml_tree import read_tree

__all__ = ["PUBLISHED", "SHIPPED", "DfrConfig", "SignatureConfig", "read_dfr_config"]

SHIPPED = Path(__file__).with_name("train.yaml")
"""The configuration of the shipped bundle."""
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, config=STRICT)
class SignatureConfig:
    """The stack of learners on the ten features (AutoGluon); the defaults are the paper's where it says them.

    Attributes:
        preset: of AutoGluon. stack_levels: above the base learners; 1 makes the paper's two layers. folds: of the
            bagging. time_limit_s: of one fit; None has none.
    """

    preset: str = "best_quality"
    stack_levels: Annotated[int, Field(ge=0, le=2)] = 1
    folds: Annotated[int, Field(ge=2)] = 10
    time_limit_s: Annotated[float, Field(gt=0)] | None = None


@dataclass(frozen=True, config=STRICT)
class DfrConfig:
    """The defaults are the paper's.

    Attributes:
        image: whose features are read. backbone, softmax: the network, and whether its 1000 outputs are probabilities
            in place of logits [A]. label: what is learned. inputs, grey, selection, signature: the
            steps between.
        endpoints, folds, seed, rule, resamples: of the survival models and of the cross-fitting. ``seed`` is that of
            the folds and of the signature; the selection has its own.
    """

    image: ImageKind = "fused"
    backbone: BackboneName = "resnet50"
    softmax: bool = False
    label: LabelKind = "event"
    inputs: InputSettings = InputSettings()
    grey: GreyWindows = GreyWindows()
    selection: SelectionSettings = SelectionSettings()
    signature: SignatureConfig = SignatureConfig()
    endpoints: tuple[Endpoint, ...] = ("pfs", "os")
    folds: Annotated[int, Field(ge=2)] = 5
    seed: Annotated[int, Field(ge=0)] = 0
    rule: CutOffRule = "youden_24m"
    resamples: Annotated[int, Field(ge=20)] = 1000

    @model_validator(mode="after")
    def _agrees(self) -> DfrConfig:
        if not self.endpoints or len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints are pfs, os or both")
        scales = self.inputs.scales
        if min(scales) < 1 or any(max(scales) % one for one in scales):
            raise ValueError("scales are whole numbers from 1 on, and each divides the largest")
        if len(set(self.inputs.perturbed)) != len(self.inputs.perturbed):
            raise ValueError("each perturbed contour is named once")
        return self


PUBLISHED = DfrConfig()
"""The paper's."""
_TREE = TypeAdapter(DfrConfig)


def read_dfr_config(file: Path) -> DfrConfig:
    """Reads a YAML file.

    Raises:
        ConfigInvalid: ``CONFIG_INVALID``, naming what is unknown or out of range.
    """
    return read_tree(_TREE, file)
