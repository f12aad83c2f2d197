"""How the image network learns: crops of virtual patients, cross-entropy of what lies in their middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.dfr_signature.inputs import IMAGES
from lymphoma.dfr_signature.pretrain.classes import BINS, LESION_KINDS, ORGANS, parts_of
from lymphoma.dfr_signature.pretrain.crops import LabelledCrops
from lymphoma.training.batches import passing_batch
from lymphoma.training.case import Subject
from lymphoma.training.task import Draw, Loss, NullLoss

__all__ = ["GreyBatch", "PretrainTask", "losses_of"]

Ints = npt.NDArray[np.int64]
SHARES = {"fused": 0.6, "ct": 0.2, "pet": 0.2}
"""How often each image is shown [A]: the fused one is read by the signature, the others by its two comparisons."""
SCALE, SHIFT, NOISE = 0.1, 12.0, 4.0
"""Random change of grey levels: contrast either way, level either way, SD of noise. Nothing is flipped: left and right
organs are classes of their own."""
JUDGED_AT_ONCE = 8
SHAPE = (ORGANS, LESION_KINDS, BINS)
_STREAM = 21


@dataclass(frozen=True, eq=False)
class GreyBatch:
    """Attributes: grey: float32 (n, 224, 224), 0 to 255. classes: int64 (n,)."""

    grey: torch.Tensor
    classes: torch.Tensor

    def to(self, device: torch.device) -> GreyBatch:
        """The same on another device."""
        return GreyBatch(self.grey.to(device), self.classes.to(device))


def losses_of(logits: torch.Tensor, classes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Cross-entropies, in mean: of the class, and of organ, lesion and SUV bin each for itself.

    The probability of an organ is the sum over its classes; so every class of the right organ is taught at once, where
    the class alone would be met once in some hundred crops.

    Args:
        logits: (n, 1000), of which those with a class are read. classes: (n,).
    """
    shares = torch.log_softmax(logits.float()[:, : ORGANS * LESION_KINDS * BINS], dim=1).reshape(-1, *SHAPE)
    at = torch.arange(len(classes), device=classes.device)
    suv_bin = classes % BINS
    lesion = classes // BINS % LESION_KINDS
    organ = classes // (BINS * LESION_KINDS)
    return {
        "class": -shares[at, organ, lesion, suv_bin].mean(),
        "organ": -shares.logsumexp(dim=(2, 3))[at, organ].mean(),
        "lesion": -shares.logsumexp(dim=(1, 3))[at, lesion].mean(),
        "suv": -shares.logsumexp(dim=(1, 2))[at, suv_bin].mean(),
    }


def _total(losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(losses.values())).mean()


@dataclass(frozen=True, eq=False)
class PretrainTask:
    """A task of :class:`lymphoma.training.trainer.Trainer`.

    Attributes:
        build: the network: grey (n, 224, 224) to logits (n, 1000). read: crops of a patient of either group; who has
            none is passed over. judged: crops of each validation patient, of the fused image.
    """

    build: Callable[[], torch.nn.Module]
    training: Sequence[Subject]
    validation: Sequence[Subject]
    read: Callable[[Subject], LabelledCrops]
    batch_size: int = 8
    judged: int = 6

    def network(self) -> torch.nn.Module:
        return self.build()

    def batch(self, draw: Draw) -> GreyBatch:
        """One crop of each of so many patients."""
        taught = [index for index, classes in enumerate(self._taught) if len(classes)]
        rng = draw.rng(stream=_STREAM)
        grey, classes = [], []
        for at in passing_batch(draw, len(taught), self.batch_size).tolist():
            crops = self.read(self.training[taught[at]])
            number = int(rng.integers(len(crops)))
            image = int(rng.choice(len(IMAGES), p=[SHARES[one] for one in IMAGES]))
            grey.append(_changed(crops.pixels[number, image], rng))
            classes.append(int(crops.classes[number]))
        return GreyBatch(torch.from_numpy(np.stack(grey)), torch.tensor(classes))

    def loss(self, network: torch.nn.Module, batch: GreyBatch) -> Loss:
        losses = losses_of(network(batch.grey), batch.classes)
        return Loss(_total(losses), losses)

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """Loss, and the shares of crops whose organ, lesion and SUV bin are right."""
        logits, classes = [], []
        for one in self._judged_batches():
            logits.append(network(one.grey.to(device)).float().cpu())
            classes.append(one.classes)
        told, true = torch.cat(logits), torch.cat(classes)
        losses = losses_of(told, true)
        share = torch.softmax(told[:, : ORGANS * LESION_KINDS * BINS], dim=1).reshape(-1, *SHAPE)
        likeliest = [share.sum(dim=dim).argmax(dim=1).numpy() for dim in ((2, 3), (1, 3), (1, 2))]
        right = {
            f"{name}_right": float((found == known).mean())
            for name, found, known in zip(("organ", "lesion", "suv"), likeliest, parts_of(true.numpy()), strict=True)
        }
        return {"loss": float(_total(losses)), **{name: float(one) for name, one in losses.items()}, **right}

    @property
    def null_loss(self) -> NullLoss | None:
        """Each class as often as among the training crops, whatever is shown."""
        seen = np.bincount(np.concatenate(self._taught), minlength=ORGANS * LESION_KINDS * BINS) + 0.5
        constant = torch.from_numpy(np.log(seen / seen.sum()))
        true = torch.cat([one.classes for one in self._judged_batches()])
        return NullLoss("loss", float(_total(losses_of(constant.expand(len(true), -1), true))))

    @cached_property
    def _taught(self) -> tuple[Ints, ...]:
        return tuple(self.read(one).classes for one in self.training)

    def _judged_batches(self) -> Iterator[GreyBatch]:
        fused = IMAGES.index("fused")
        kept = [self.read(one) for one in self.validation]
        # every so many, so that lesions, which come first, and organs are both among them
        steps = [np.linspace(0, len(one) - 1, min(self.judged, len(one))).astype(int) for one in kept]
        pixels = np.concatenate([one.pixels[at, fused] for one, at in zip(kept, steps, strict=True)])
        classes = np.concatenate([one.classes[at] for one, at in zip(kept, steps, strict=True)])
        for start in range(0, len(classes), JUDGED_AT_ONCE):
            part = slice(start, start + JUDGED_AT_ONCE)
            yield GreyBatch(torch.from_numpy(pixels[part].astype(np.float32)), torch.from_numpy(classes[part]))


def _changed(pixels: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    contrast, level = 1 + rng.uniform(-SCALE, SCALE), rng.uniform(-SHIFT, SHIFT)
    noise = rng.normal(0.0, NOISE, pixels.shape)
    return np.clip((pixels - 127.5) * contrast + 127.5 + level + noise, 0.0, 255.0).astype(np.float32)
