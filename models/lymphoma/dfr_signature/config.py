"""How the signature is fitted: a tree read once from ``train.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from lymphoma.dfr_signature.inputs import GreyWindows, ImageKind, InputSettings
from lymphoma.dfr_signature.keras_networks import BackboneName
from lymphoma.dfr_signature.labels import LabelKind
from lymphoma.dfr_signature.selection import SelectionSettings
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.training.yaml_tree import read_tree

__all__ = [
    "LEARNERS",
    "PUBLISHED",
    "SHIPPED",
    "DfrConfig",
    "LearnerName",
    "Learners",
    "SignatureConfig",
    "WeightsConfig",
    "WeightsSource",
    "read_dfr_config",
]

SHIPPED = Path(__file__).with_name("train.yaml")
"""The configuration of the shipped bundle."""
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
LearnerName = Literal["GBM", "XGB", "CAT", "RF", "XT", "LR", "NN_TORCH"]
"""Base learners in AutoGluon's words. Nearest neighbours are not among them: they would carry every training patient's
features into the bundle."""
Learners = Mapping[LearnerName, Mapping[str, bool | int | float | str]]
"""Name -> its options, which are AutoGluon's own where none is named."""
LEARNERS: Learners = {name: {} for name in get_args(LearnerName)}
"""Each as AutoGluon sets it [A: the paper's list is in a supplement]."""
WeightsSource = Literal["shipped", "random", "keras_cache", "file"]


@dataclass(frozen=True, config=STRICT)
class WeightsConfig:
    """Where the image network's weights come from when a signature is trained; each reads its own attributes.

    Attributes:
        source: "shipped": a bundle's image network; "random": drawn by ``seed``, a random projection; "keras_cache":
            ImageNet, as Keras keeps it; "file": ``path``.
        folder: of a bundle, None for the one that ships in this room; of Keras' cache, None for Keras' own.
        path, sha256, words: of a file, and where it is from.
    """

    source: WeightsSource = "keras_cache"
    seed: Annotated[int, Field(ge=0)] = 0
    folder: Path | None = None
    path: Path | None = None
    sha256: str = ""
    words: str = ""

    @model_validator(mode="after")
    def _whole(self) -> WeightsConfig:
        if self.source == "file" and not (self.path and self.sha256 and self.words):
            raise ValueError("weights of a file have a path, a sha256 and words that say where they are from")
        return self


@dataclass(frozen=True, config=STRICT)
class SignatureConfig:
    """The stack of learners on the ten features (AutoGluon); the defaults are the paper's where it says them.

    Attributes:
        preset: of AutoGluon. stack_levels: above the base learners; 1 makes the paper's two layers. folds: of the
            bagging. time_limit_s: of one fit; None has none: where it is reached the same input gives another
            signature. learners: of the first layer, and of those above it.
    """

    preset: str = "best_quality"
    stack_levels: Annotated[int, Field(ge=0, le=2)] = 1
    folds: Annotated[int, Field(ge=2)] = 10
    time_limit_s: Annotated[float, Field(gt=0)] | None = None
    learners: Annotated[Learners, Field(min_length=1)] = Field(default_factory=lambda: dict(LEARNERS))


@dataclass(frozen=True, config=STRICT)
class DfrConfig:
    """The defaults are the paper's.

    Attributes:
        image: whose features are read. backbone, softmax: the network, and whether its 1000 outputs are probabilities
            in place of logits [A]. weights: of the network; a bundle says "shipped", as it has its own. label: what is
            learned. inputs, grey, selection, signature: the steps between.
        endpoints, folds, seed, rule, resamples: of the survival models and of the cross-fitting. ``seed`` is that of
            the folds and of the signature; the selection has its own.
    """

    image: ImageKind = "fused"
    backbone: BackboneName = "resnet50"
    softmax: bool = False
    weights: WeightsConfig = WeightsConfig()
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
