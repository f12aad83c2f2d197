"""Named configurations of the prognosis head: the paper's, a deviating one, and the ablations of both claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lymphoma.lamp.network import HeadShape
from lymphoma.prognosis.survival_loss import Ties
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
        deviates: in what, from the paper; named in every table.
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
    deviates: str = ""

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


RATE = 1e-3
"""Ten times the printed rate: at 1e-4 the validation loss still falls after 3,000 updates of 32 patients. Ablations are
compared with "full", which shares their rate."""


def _ablation(name: str, says: str, shape: HeadShape, organs: OrganRows = "own", *, zero: bool = False) -> Arm:
    return Arm(
        name,
        says,
        shape,
        organs,
        steps=1200,
        batch_size=32,
        accumulation=1,
        learning_rate=RATE,
        validate_every=25,
        patience=8,
        start_at_hazards=not zero,
        deviates="rate, intercept" if zero else "rate",
    )


def _extension(name: str, says: str, shape: HeadShape) -> Arm:
    return Arm(
        name,
        says,
        shape,
        steps=1200,
        batch_size=32,
        accumulation=1,
        learning_rate=RATE,
        weight_decay=1e-3,
        validate_every=25,
        patience=8,
        deviates="rate, layer, gate, slope",
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
    Arm(
        "abmla_80_updates", "attention over the lesions, no organs, MCAT's 20 epochs of 128 patients", _PLAIN, steps=80
    ),
    _ablation("full", "as paper, at ten times the rate", HeadShape()),
    _ablation("mean", "mean of the lesions", HeadShape(context="none", aggregate="mean")),
    _ablation("max", "maximum of each feature over the lesions", HeadShape(context="none", aggregate="max")),
    _ablation("abmla", "attention over the lesions, no organs", _PLAIN),
    _ablation("mean_lacf", "LACF, mean of the lesions", HeadShape(aggregate="mean")),
    _ablation("organs_shuffled", "as full, organs of another patient", HeadShape(), "shuffled"),
    _ablation("organs_mean", "as full, the training patients' mean organs", HeadShape(), "mean"),
    _ablation("mlp", "as full, a perceptron of equal size in place of LACF", HeadShape(context="mlp")),
    _ablation("abmla_from_zero", "as abmla, intercepts starting at 0", _PLAIN, zero=True),
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
