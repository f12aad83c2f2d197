"""How LAMP's lesion network is trained: lesion-centred patches, deep supervision, Dice over whole bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.errors import NotComputable
from lymphoma.segmentation.agreement import agreement
from lymphoma.segmentation.network import LampNetwork, LampShape, LesionMaps, image_of
from lymphoma.training.batches import passing_batch
from lymphoma.training.case import Case, Subject
from lymphoma.training.images import Augmentation, Patches, PatchMaker, infer_whole, segmentation_loss
from lymphoma.training.task import Draw, Loss, NullLoss

__all__ = ["LampTask", "LesionLoss", "judged_bodies", "lesion_probability"]

AUGMENTATION = Augmentation(flip_axes=(2,), rotate_deg=10.0, scale=0.2, share=0.5)
"""Left and right may change places: a lesion is one on either side."""

LESION_SHARE, HOT_SHARE = 0.35, 0.45
"""Of patches whose centre lies in a lesion, and in physiological uptake as hot as a lesion. With 60 % about lesions and
the rest about any background, the network of 2,000 steps missed 0.2 mL a patient and drew 237 mL too much: brain,
heart, kidneys and bladder are a hundredth of a body, and were hardly seen without a lesion beside them [measured]."""
HOT_SUV = 4.0
"""From which on a candidate begins (:mod:`lymphoma.segmentation.candidates`)."""


class LesionLoss(torch.nn.Module):
    """Dice and cross-entropy of the fused answer and of each decoder with deep supervision, in mean.

    The paper says that each decoder predicts the lesions, not how the terms are weighed; equal parts [A].
    """

    def __init__(self) -> None:
        super().__init__()
        self._deep = segmentation_loss(classes=2, deep_supervision=True)
        self._final = segmentation_loss(classes=2, deep_supervision=False)

    def forward(self, maps: LesionMaps, label: torch.Tensor) -> dict[str, torch.Tensor]:
        """Terms of label (n, 1, k, j, i), 0 or 1: ``final``, ``ct``, ``pet``, ``fused``."""
        terms = {"final": self._final(maps.log_probability, label)}
        for name, decoded in (("ct", maps.ct), ("pet", maps.pet), ("fused", maps.fused)):
            terms[name] = self._deep([one.float() for one in decoded.logits], label)
        return terms


@dataclass(frozen=True, eq=False)
class LampTask:
    """A task of :class:`lymphoma.training.trainer.Trainer`.

    Attributes:
        training, validation: patients. read: a patient's case on the working grid of ``shape``.
    """

    training: Sequence[Subject]
    validation: Sequence[Subject]
    read: Callable[[Subject], Case]
    batch_size: int = 1
    shape: LampShape = LampShape()

    @cached_property
    def _patches(self) -> PatchMaker:
        return PatchMaker(
            _image,
            _truth,
            self.shape.window,
            foreground_share=LESION_SHARE,
            augmentation=AUGMENTATION,
            hard=_hot,
            hard_share=HOT_SHARE,
        )

    @cached_property
    def _loss(self) -> LesionLoss:
        return LesionLoss()

    def network(self) -> torch.nn.Module:
        return LampNetwork(self.shape)

    def batch(self, draw: Draw) -> Patches:
        chosen = passing_batch(draw, len(self.training), self.batch_size)
        return self._patches([self.read(self.training[at]) for at in chosen.tolist()], draw)

    def loss(self, network: torch.nn.Module, batch: Patches) -> Loss:
        terms = self._loss(network(batch.image), batch.label)
        return Loss(torch.stack(list(terms.values())).mean(), terms)

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """See :func:`judged_bodies`."""
        probability = partial(lesion_probability, network, window=self.shape.window, device=device)
        return judged_bodies(self.validation, self.read, probability)

    @property
    def null_loss(self) -> NullLoss | None:
        return None


def judged_bodies(
    patients: Sequence[Subject],
    read: Callable[[Subject], Case],
    probability: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
) -> dict[str, float]:
    """Means over whole bodies: Dice, and the volumes of drawn lesions and of true ones that meet nothing.

    Args:
        probability: of a lesion, shape (k, j, i), from an image of :func:`lymphoma.segmentation.network.image_of`.
    """
    judged = []
    for subject in patients:
        case = read(subject)
        found = probability(_image(case)) > 0.5
        judged.append(agreement(found, _truth(case) > 0, case.suv.voxel_volume_ml))
    dice = [one.dice for one in judged if one.dice is not None]
    return {
        "dice": float(np.mean(dice)) if dice else float("nan"),
        "false_positive_ml": float(np.mean([one.false_positive_ml for one in judged])),
        "false_negative_ml": float(np.mean([one.false_negative_ml for one in judged])),
    }


def lesion_probability(
    network: torch.nn.Module,
    image: npt.NDArray[np.float32],
    window: tuple[int, int, int],
    *,
    device: torch.device,
    overlap: float = 0.25,
) -> npt.NDArray[np.float32]:
    """The fused answer over a whole body, shape (k, j, i), 0 to 1.

    Args:
        image: of :func:`lymphoma.segmentation.network.image_of`, shape (2, k, j, i).
    """
    fused = infer_whole(_Fused(network), torch.from_numpy(image)[None], window, device=device, overlap=overlap)
    probability: npt.NDArray[np.float32] = fused[0, 0].numpy()
    return probability


class _Fused(torch.nn.Module):
    """The network as the sliding window wants it: probabilities, which are what overlapping windows may average."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        maps: LesionMaps = self._network(image)
        return maps.log_probability[:, 1:].exp()


def _image(case: Case) -> npt.NDArray[np.float32]:
    return image_of(case.suv.array, case.ct_hu.array)


def _truth(case: Case) -> npt.NDArray[Any]:
    """1 in a lesion.

    Raises:
        NotComputable: REFERENCE_MISSING: the case has no reference to learn from.
    """
    if case.lesions is None:
        raise NotComputable("REFERENCE_MISSING", "a case without a lesion map cannot teach the lesion network")
    return (case.lesions.array > 0).astype(np.uint8)


def _hot(case: Case) -> npt.NDArray[np.bool_]:
    """As hot as a lesion; what is a lesion itself counts as one."""
    return np.asarray(case.suv.array >= HOT_SUV)
