"""How the anatomy network is trained: patches of virtual patients, Dice and cross-entropy, Dice over whole bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.losses import DiceLoss

from lymphoma.anatomy.classes import IGNORED, ClassTable
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network, image_of
from lymphoma.inference.device import Processor
from lymphoma.training.batches import passing_batch
from lymphoma.training.case import Case, Subject
from lymphoma.training.images import Augmentation, Patches, PatchMaker
from lymphoma.training.task import Draw, Loss, NullLoss

__all__ = ["AUGMENTATION", "CT_DROPPED", "AnatomyLoss", "AnatomyTask", "organ_dice"]

CT_DROPPED = 0.10
"""Share of patches that lose their CT, so that the network also stands on the PET alone."""

AUGMENTATION = Augmentation(flip_axes=(), rotate_deg=10.0, scale=0.2, share=0.5)
"""Without flips: left and right are told by where they lie."""

ORGAN_SHARE = 0.7
"""Of patches whose centre lies in an organ; the others may meet fat and air."""

_CT_STREAM = 11


class AnatomyLoss(torch.nn.Module):
    """Cross-entropy, and one minus Dice in mean over the organs that a patch holds; ignored voxels count in neither.

    An organ that is absent has a Dice of 0 whatever is predicted, and would only shift the mean. In the cross-entropy a
    voxel weighs one over the root of its class's voxels in the patch: else fat and muscle drown the organs, and after
    500 steps the mean Dice of whole bodies is .06 in place of .14 [measured].
    """

    def __init__(self) -> None:
        super().__init__()
        self._dice = DiceLoss(
            include_background=False, to_onehot_y=True, softmax=True, reduction="none", ignore_index=IGNORED
        )

    def forward(self, logits: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of logits (n, classes, k, j, i) and labels (n, 1, k, j, i): Dice loss and cross-entropy."""
        logits = logits.float()
        missed = self._dice(logits, label).flatten(1)
        voxels = torch.stack([torch.bincount(one[one != IGNORED], minlength=logits.shape[1]) for one in label])
        held = voxels[:, 1:] > 0
        entropy = torch.stack(
            [
                torch.nn.functional.cross_entropy(one[None], true, counts.clamp(min=1).rsqrt(), ignore_index=IGNORED)
                for one, true, counts in zip(logits, label, voxels, strict=True)
            ]
        )
        return (missed * held).sum() / held.sum().clamp(min=1), entropy.nan_to_num().mean()


@dataclass(frozen=True, eq=False)
class AnatomyTask:
    """A task of :class:`lymphoma.training.trainer.Trainer`.

    Attributes:
        training, validation: patients. read: a patient's case on the working grid of ``shape``.
    """

    training: Sequence[Subject]
    validation: Sequence[Subject]
    read: Callable[[Subject], Case]
    classes: ClassTable
    batch_size: int = 1
    shape: AnatomyShape = AnatomyShape()

    @cached_property
    def _patches(self) -> PatchMaker:
        return PatchMaker(
            _image, self.truth, self.shape.window, foreground_share=ORGAN_SHARE, augmentation=AUGMENTATION
        )

    @cached_property
    def _loss(self) -> AnatomyLoss:
        return AnatomyLoss()

    def truth(self, case: Case) -> npt.NDArray[np.uint8]:
        """The case's organs in the network's classes, its lesions ignored."""
        organs = case.anatomy.require(*case.anatomy.names.values())
        lesions = None if case.lesions is None else case.lesions.array
        return self.classes.merged(organs.array, case.anatomy.names, lesions)

    def network(self) -> torch.nn.Module:
        return build_network(self.shape, len(self.classes))

    def batch(self, draw: Draw) -> Patches:
        chosen = passing_batch(draw, len(self.training), self.batch_size)
        patches = self._patches([self.read(self.training[at]) for at in chosen.tolist()], draw)
        kept = draw.rng(_CT_STREAM).random(self.batch_size) >= CT_DROPPED
        image = patches.image.clone()
        image[:, 1] *= torch.from_numpy(kept).float()[:, None, None, None]
        return replace(patches, image=image)

    def loss(self, network: torch.nn.Module, batch: Patches) -> Loss:
        dice, entropy = self._loss(network(batch.image), batch.label)
        return Loss(dice + entropy, {"dice_loss": dice, "cross_entropy": entropy})

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """Dice of each organ over all validation patients together, and their mean."""
        engine = NetworkAnatomy(network, self.classes, self.shape, Processor(device))
        counts = np.zeros((3, len(self.classes)), dtype=np.int64)
        for subject in self.validation:
            case = self.read(subject)
            found = engine.logits(case.suv.array, case.ct_hu.array).argmax(0).numpy()
            counts += _counts(found, self.truth(case), len(self.classes))
        dice = organ_dice(counts, self.classes)
        return {"dice": float(np.mean(list(dice.values()))), **{f"dice_{name}": value for name, value in dice.items()}}

    @property
    def null_loss(self) -> NullLoss | None:
        return None


def organ_dice(counts: npt.NDArray[np.int64], classes: ClassTable) -> dict[str, float]:
    """Organ -> Dice, for the organs that are there at all.

    Args:
        counts: shape (3, classes): voxels in common, found, true.
    """
    common, found, true = counts
    return {name: float(2 * common[at] / (found[at] + true[at])) for at, name in classes.names.items() if true[at]}


def _image(case: Case) -> npt.NDArray[np.float32]:
    return image_of(case.suv.array, case.ct_hu.array)


def _counts(found: npt.NDArray[Any], true: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.int64]:
    judged = true != IGNORED
    found, true = found[judged], true[judged]
    return np.stack([np.bincount(part, minlength=classes) for part in (true[found == true], found, true)])
