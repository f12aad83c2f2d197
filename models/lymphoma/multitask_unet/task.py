"""How the network is trained: the trainer's task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from lymphoma.errors import NotComputable
from lymphoma.multitask_unet.augment import drawn_motions, moved
from lymphoma.multitask_unet.comparators import build_network, tells_events
from lymphoma.multitask_unet.config import MultitaskConfig
from lymphoma.multitask_unet.examples import Examples
from lymphoma.multitask_unet.inputs import LESIONS, PET, image_of
from lymphoma.multitask_unet.loss import ClassWeights, event_loss, event_probability, lesion_loss, multitask_loss
from lymphoma.multitask_unet.network import Answers
from lymphoma.survival.follow_up import Floats
from lymphoma.training.batches import passing_batch
from lymphoma.training.task import Draw, Loss, NullLoss

__all__ = ["LabelledFields", "MultitaskTask", "fields_of"]

NULL_PROBABILITY = 0.5
"""What a model without any input says: with the class weights of Eq. 3 no other constant does better."""
LESION = 0.5


@dataclass(frozen=True, eq=False)
class LabelledFields:
    """A batch.

    Attributes:
        image: float32, (n, 1, k, j, i), 0 to 1. mask: float32, (n, k, j, i), 0 or 1.
        event: float32, (n,). weight: float32, (n,), of Eq. 1.
    """

    image: torch.Tensor
    mask: torch.Tensor
    event: torch.Tensor
    weight: torch.Tensor

    def to(self, device: torch.device) -> LabelledFields:
        """The same on another device."""
        return LabelledFields(
            self.image.to(device), self.mask.to(device), self.event.to(device), self.weight.to(device)
        )


def fields_of(examples: Examples, index: Floats | list[int], classes: ClassWeights | None) -> LabelledFields:
    """The patients at ``index``, as they are.

    Args:
        classes: of the training patients; None leaves the weights of the examples alone.
    """
    found = [examples.reader.read(int(examples.at[i])) for i in index]
    image = torch.stack([image_of(one[PET]) for one in found])[:, None]
    mask = torch.stack([torch.from_numpy(one[LESIONS].astype(np.float32)) for one in found])
    event = examples.event[index]
    weight = examples.weight[index]
    if classes is not None:
        weight = weight * np.where(event, classes.event, classes.free)
    return LabelledFields(
        image, mask, torch.tensor(event, dtype=torch.float32), torch.tensor(weight, dtype=torch.float32)
    )


@dataclass(frozen=True, eq=False)
class MultitaskTask:
    """A task of :class:`lymphoma.training.trainer.Trainer`; class weights are those of ``training``.

    Raises:
        NotComputable: ``ONE_CLASS``.
    """

    config: MultitaskConfig
    training: Examples
    validation: Examples

    @cached_property
    def classes(self) -> ClassWeights | None:
        """Eq. 3; None where lesions are found alone."""
        return self.training.classes() if tells_events(self.config.model) else None

    def network(self) -> torch.nn.Module:
        built = build_network(self.config.model, self.config.size, self.config.widths)
        # convolutions in three dimensions take half the time so on a CPU
        return built.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]

    def batch(self, draw: Draw) -> LabelledFields:
        config = self.config
        chosen = passing_batch(draw, len(self.training), config.batch_size)
        plain = fields_of(self.training, chosen.tolist(), self.classes)
        motions = drawn_motions(draw.rng(stream=3), len(chosen), config.rotate_deg, config.scale)
        image, mask = moved(plain.image, plain.mask[:, None], motions)
        image = image.contiguous(memory_format=torch.channels_last_3d)
        return LabelledFields(image, mask[:, 0], plain.event, plain.weight)

    def loss(self, network: torch.nn.Module, batch: LabelledFields) -> Loss:
        answers: Answers = network(batch.image)
        lesions = lesion_loss(answers, batch.mask) if answers.lesions else None
        event = event_loss(event_probability(answers), batch.event, batch.weight) if answers.event else None
        named = {"lesion_loss": lesions, "event_loss": event}
        terms = {name: one for name, one in named.items() if one is not None}
        return Loss(multitask_loss(lesions, event, self.config.lesion_share), terms)

    @torch.no_grad()
    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """``nll`` (Eq. 1) and ``auc`` of the event, ``lesion_loss`` (Eq. 5) and ``dice`` in mean over the patients.

        The area is .5 where one kind alone is there; without validation patients there is no metric.
        """
        told: list[float] = []
        lesion_losses: list[float] = []
        dice: list[float] = []
        for i in range(len(self.validation)):
            one = fields_of(self.validation, [i], self.classes).to(device)
            answers: Answers = network(one.image.contiguous(memory_format=torch.channels_last_3d))
            if answers.event:
                told.append(float(event_probability(answers)[0]))
            if answers.lesions:
                lesion_losses.append(float(lesion_loss(answers, one.mask)))
                dice += _dice(answers.lesions[0], one.mask)
        found: dict[str, float] = {}
        if told:
            found |= self._of_events(np.array(told))
        if dice:
            found |= {"lesion_loss": float(np.mean(lesion_losses)), "dice": float(np.mean(dice))}
        return found

    @property
    def null_loss(self) -> NullLoss | None:
        if self.classes is None or not len(self.validation):
            return None
        constant = np.full(len(self.validation), NULL_PROBABILITY)
        return NullLoss("nll", self._of_events(constant)["nll"])

    def _of_events(self, probability: Floats) -> dict[str, float]:
        if self.classes is None:
            raise NotComputable("ONE_CLASS", "the model tells no event")
        event = self.validation.event
        weight = self.validation.weight * np.where(event, self.classes.event, self.classes.free)
        loss = event_loss(*(torch.tensor(one, dtype=torch.float32) for one in (probability, event, weight)))
        auc = float(roc_auc_score(event, probability)) if 0 < event.sum() < len(event) else 0.5
        return {"nll": float(loss), "auc": auc}


def _dice(logits: torch.Tensor, mask: torch.Tensor) -> list[float]:
    """Of one patient at the finest stage; nothing where neither map holds a voxel."""
    found, true = torch.softmax(logits.float(), dim=1)[:, 1] > LESION, mask > 0
    total = int(found.sum() + true.sum())
    return [2.0 * int((found & true).sum()) / total] if total else []
