"""How DeepMTS is trained: balanced batches, augmentation, and how the validation patients judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.deepmts.augment import augmented
from lymphoma.deepmts.config import DeepMtsConfig, network_of
from lymphoma.deepmts.judging import Arrays, Network, Read, images_of, judge
from lymphoma.deepmts.loss import dice_loss, l2
from lymphoma.deepmts.network import Images, Predicted
from lymphoma.errors import NotComputable
from lymphoma.prognosis.survival_loss import TimeBins, cox_loss, fit_bins, hazard_logits, nll
from lymphoma.survival.concordance import harrell
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.batches import balanced_batch
from lymphoma.training.task import Draw, Loss, NullLoss

__all__ = ["Batch", "DeepMtsTask", "LearningSet"]

_AUGMENT_STREAM = 2


@dataclass(frozen=True, eq=False)
class LearningSet:
    """Patients with their follow-up for one endpoint.

    Attributes:
        read: position -> arrays of :func:`lymphoma.deepmts.inputs.inputs_of`.
    """

    read: Read
    follow_up: FollowUp

    def __len__(self) -> int:
        return self.follow_up.n

    def take(self, index: npt.NDArray[np.int64]) -> LearningSet:
        """The patients at ``index``."""
        return LearningSet(partial(_through, self.read, tuple(index.tolist())), self.follow_up.take(index))


def _through(read: Read, places: tuple[int, ...], at: int) -> Arrays:
    return read(places[at])


@dataclass(frozen=True, eq=False)
class Batch:
    """n patients.

    Attributes:
        months: float64, (n,). event: bool, (n,). bins: int64, (n,), 0 for a Cox head.
        segments_alone: the update comes before the survival term does.
    """

    images: Images
    months: torch.Tensor
    event: torch.Tensor
    bins: torch.Tensor
    segments_alone: bool = False

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        months, event, bins = self.months.to(device), self.event.to(device), self.bins.to(device)
        return Batch(self.images.to(device), months, event, bins, self.segments_alone)


@dataclass(frozen=True, eq=False)
class DeepMtsTask:
    """A task of :class:`lymphoma.training.trainer.Trainer`. Everything fitted is fitted on ``training`` alone.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS``: a balanced batch needs patients with and without an event; bins need events
            at different times.
    """

    config: DeepMtsConfig
    training: LearningSet
    validation: LearningSet

    def __post_init__(self) -> None:
        if not 0 < self.training.follow_up.events < len(self.training):
            raise NotComputable("TOO_FEW_EVENTS", "a balanced batch needs patients with and without an event")

    @cached_property
    def bins(self) -> TimeBins | None:
        """Of the discrete head."""
        return fit_bins(self.training.follow_up, self.config.bins) if self.config.head == "discrete" else None

    @cached_property
    def hazards(self) -> torch.Tensor | None:
        """Logits of the constant hazards of the training patients, (bins,); None for a Cox head."""
        return None if self.bins is None else hazard_logits(self.bins, self.training.follow_up)

    def network(self) -> Network:
        """A discrete head starts at the hazards of the training patients, the same for everybody: from random slopes
        and hazards of one half a short run learns a stand-in for the intercepts first."""
        network = network_of(self.config.arm, self.config.shape)
        if self.hazards is not None:
            with torch.no_grad():
                network.head.last.weight.zero_()
                network.head.last.bias.copy_(self.hazards)
        return network

    def batch(self, draw: Draw) -> Batch:
        """Half with an event, half censored, with replacement, each changed at random."""
        patients, size = self.training, self.config.training.batch_size
        chosen = balanced_batch(draw, patients.follow_up.event, size)
        images = images_of([patients.read(int(at)) for at in chosen], self.config.shape.clinic)
        seeds = draw.rng(stream=_AUGMENT_STREAM).integers(2**31, size=size).tolist()
        made = self._batch(augmented(images, self.config.augment, seeds), patients.follow_up.take(chosen))
        return replace(made, segments_alone=draw.step < self.config.losses.segment_first)

    def loss(self, network: torch.nn.Module, batch: Batch) -> Loss:
        """Survival, Dice where the network segments, and the penalty on the head's weights."""
        assert isinstance(network, Network)
        predicted: Predicted = network(batch.images)
        weights = self.config.losses
        alone = batch.segments_alone and predicted.lesion is not None
        terms = {"survival": (0.0 if alone else weights.survival) * self._survival(predicted.logits, batch)}
        if predicted.lesion is not None:
            terms["dice"] = weights.dice * dice_loss(predicted.lesion, batch.images.mask[:, 0])
        terms["l2"] = weights.l2 * l2(network.head.kernels)
        return Loss(torch.stack(list(terms.values())).sum(), terms)

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """``harrell`` over all validation patients at once, .5 without a pair; ``nll``; mean ``dice``."""
        assert isinstance(network, Network)
        patients = self.validation
        word = judge(network, patients.read, range(len(patients)), device)
        try:
            concordance = harrell(patients.follow_up, word.risk)
        except NotComputable:
            concordance = 0.5
        values = {"harrell": concordance, "nll": self.nll(word.logits)}
        return values if np.isnan(word.dice).all() else {**values, "dice": float(np.nanmean(word.dice))}

    def nll(self, logits: torch.Tensor) -> float:
        """Loss of survival of the validation patients, from logits (n, outputs)."""
        return float(self._survival(logits, self._outcomes))

    @property
    def null_loss(self) -> NullLoss:
        """Of the validation patients: equal risks of all, or the constant hazards of the training patients."""
        logits = torch.zeros(1) if self.hazards is None else self.hazards
        everybody = logits.expand(len(self.validation), -1)
        return NullLoss("nll", self.nll(everybody))

    def _survival(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        if self.config.head == "cox":
            return cox_loss(logits[:, 0], batch.months, batch.event, ties=self.config.losses.ties)
        return nll(logits, batch.bins, batch.event)

    @cached_property
    def _outcomes(self) -> Batch:
        """Of the validation patients, without images."""
        none = torch.zeros(0)
        return self._batch(Images(none, none, none), self.validation.follow_up)

    def _batch(self, images: Images, follow_up: FollowUp) -> Batch:
        bins = np.zeros(follow_up.n, dtype=np.int64) if self.bins is None else self.bins.of(follow_up.months)
        return Batch(images, torch.tensor(follow_up.months), torch.tensor(follow_up.event), torch.from_numpy(bins))
