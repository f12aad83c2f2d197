"""Named configurations of the prognosis head: the paper's, a deviating one, and the ablations of both claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lymphoma.lamp.loss import Ties
from lymphoma.lamp.network import HeadShape
from lymphoma.training.config import OptimiserConfig, TrainConfig, ValidationConfig

__all__ = ["ARMS", "Arm", "OrganRows", "train_config"]

OrganRows = Literal["own", "shuffled", "mean"]
"""Whose organs a patient's lesions meet: "shuffled" another patient's, "mean" the training mean of each."""


@dataclass(frozen=True)
class Arm:
    """A head and how it is trained.

    Attributes:
        says: one line for tables. steps: most updates; validation ends most runs before. batch_size x accumulation
            patients an update. patience: validations in a row without a lower loss. alpha: of the discrete loss.
            ties: of the Cox loss. start_at_hazards: the intercepts begin at the training fold's bin hazards; False
            only to show what happens without.
        deviates: from the paper, named in every table.
    """

    name: str
    says: str
    shape: HeadShape = HeadShape()
    organs: OrganRows = "own"
    steps: int = 3000
    batch_size: int = 1
    accumulation: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    validate_every: int = 50
    patience: int = 12
    alpha: float = 0.0
    ties: Ties = "efron"
    start_at_hazards: bool = True
    deviates: bool = False

    @property
    def patients_an_update(self) -> int:
        return self.batch_size * self.accumulation


def train_config(arm: Arm, seed: int, steps: int | None = None) -> TrainConfig:
    """The trainer's configuration of an arm; the loss of the validation patients chooses the weights to keep."""
    return TrainConfig(
        steps=steps or arm.steps,
        seed=seed,
        batch_size=arm.batch_size,
        accumulation=arm.accumulation,
        precision="float32",
        optimiser=OptimiserConfig(name="Adam", learning_rate=arm.learning_rate, weight_decay=arm.weight_decay),
        validation=ValidationConfig(every_steps=arm.validate_every, metric="nll", patience=arm.patience),
    )


def _extension(name: str, says: str, shape: HeadShape) -> Arm:
    """Batches of 32 in place of one patient 32 times: the gradient is the same, padding aside."""
    return Arm(
        name,
        says,
        shape,
        steps=1500,
        batch_size=32,
        accumulation=1,
        learning_rate=1e-3,
        weight_decay=1e-3,
        validate_every=10,
        patience=20,
        deviates=True,
    )


def _narrow(**changes: object) -> HeadShape:
    """Few parameters: a layer of 32 on each lesion, a gate of 16, one slope with an intercept a bin."""
    values: dict[str, object] = {
        "lesion_width": 32,
        "lesion_dropout": 0.25,
        "gate_width": 16,
        "gate_dropout": 0.0,
        "slopes": "shared",
    }
    return HeadShape(**(values | changes))  # type: ignore[arg-type]


_PLAIN = HeadShape(context="none")

_ALL = (
    Arm("paper", "LACF and attention, as printed, gaps filled after MCAT"),
    Arm("mean", "mean of the lesions", HeadShape(context="none", aggregate="mean")),
    Arm("max", "maximum of each feature over the lesions", HeadShape(context="none", aggregate="max")),
    Arm("abmla", "attention over the lesions, no organs", _PLAIN),
    Arm("mean_lacf", "LACF, mean of the lesions", HeadShape(aggregate="mean")),
    Arm("organs_shuffled", "as paper, organs of another patient", organs="shuffled"),
    Arm("organs_mean", "as paper, the training patients' mean organs", organs="mean"),
    Arm("mlp", "as paper, a perceptron of equal size in place of LACF", HeadShape(context="mlp")),
    Arm("abmla_from_zero", "as abmla, intercepts starting at 0", _PLAIN, start_at_hazards=False, deviates=True),
    _extension("extension", "a layer on each lesion, narrow gate, one slope", _narrow()),
    _extension("extension_abmla", "as extension, no organs", _narrow(context="none")),
    _extension(
        "extension_mean", "as extension, no organs, mean of the lesions", _narrow(context="none", aggregate="mean")
    ),
    _extension("extension_cox", "as extension, Cox loss", _narrow(head="cox")),
    _extension("extension_burden", "as extension, with log TMTV, log count and SDmax", _narrow(burden=True)),
)
ARMS: Mapping[str, Arm] = {arm.name: arm for arm in _ALL}
"""All arms by name; "paper" and "extension" are those a bundle is made of."""
