"""Networks on prepared patients: arrays to tensors, and risk and mask back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.deepmts.inputs import LESION_SHARE, MASK_ONE
from lymphoma.deepmts.network import DeepMts, Images, Predicted
from lymphoma.deepmts.single_task import SingleTask
from lymphoma.errors import NotComputable
from lymphoma.prognosis.survival_loss import risk

__all__ = ["CUT", "Arrays", "Network", "Read", "Scale", "Word", "dice", "images_of", "judge", "lesion_mask"]

Arrays = Mapping[str, npt.NDArray[Any]]
Read = Callable[[int], Arrays]
Floats = npt.NDArray[np.float64]
Network = DeepMts | SingleTask

CUT = 0.5
"""Probability from which a voxel is predicted lesion, as published."""
AT_ONCE = 4
"""Patients judged at a time."""


@dataclass(frozen=True, eq=False)
class Word:
    """What a network says of n patients.

    Attributes:
        logits: float32, (n, outputs). risk: (n,), higher is worse. dice: (n,) of the predicted mask with the known
            one, NaN where the network does not segment.
    """

    logits: torch.Tensor
    risk: Floats
    dice: Floats


@dataclass(frozen=True)
class Scale:
    """Mean and spread of a network's risk among the patients who taught it.

    A log hazard ratio has no origin, and the penalty on the head shrinks its spread by what it likes.
    """

    centre: float
    spread: float

    @classmethod
    def of(cls, risk: Floats) -> Scale:
        """From risks (n,).

        Raises:
            NotComputable: ``NO_EFFECT``: all are the same.
        """
        spread = float(risk.std())
        if not spread > 0.0:
            raise NotComputable("NO_EFFECT", "a network gives every patient the same risk")
        return cls(float(risk.mean()), spread)

    def apply(self, risk: Floats) -> Floats:
        """Standard risks, of the same shape."""
        return (risk - self.centre) / self.spread


def lesion_mask(arrays: Arrays) -> npt.NDArray[np.bool_]:
    """Voxels of the field that are lesion, (k, j, i)."""
    return np.asarray(arrays["mask"] >= LESION_SHARE * MASK_ONE)


def images_of(patients: Iterable[Arrays], clinic: int) -> Images:
    """A batch of prepared patients.

    Args:
        clinic: clinical numbers that the network reads, 0 or 1.

    Raises:
        NotComputable: ``NO_CLINICAL_RECORD``: the network reads the stage, which is not known.
    """
    rows = list(patients)
    stage = torch.from_numpy(np.stack([one["clinic"][:clinic] for one in rows])).float()
    if bool(torch.isnan(stage).any()):
        raise NotComputable("NO_CLINICAL_RECORD", "the network reads the Ann Arbor stage, which is not known")
    image = np.stack([np.stack([one["pet"], one["ct"]]) for one in rows]).astype(np.float32)
    mask = np.stack([lesion_mask(one)[None] for one in rows]).astype(np.float32)
    return Images(torch.from_numpy(image), torch.from_numpy(mask), stage)


@torch.no_grad()
def judge(network: Network, read: Read, places: Sequence[int], device: torch.device | None = None) -> Word:
    """The network, in evaluation mode and single precision, on the patients at ``places``.

    Raises:
        NotComputable: as :func:`images_of`.
    """
    on = device or torch.device("cpu")
    logits, scores = [], []
    for part in _parts(places):
        images = images_of([read(at) for at in part], network.shape.clinic)
        predicted: Predicted = network(images.to(on))
        logits.append(predicted.logits.float().cpu())
        scores.append(
            np.full(len(part), np.nan)
            if predicted.lesion is None
            else dice(predicted.lesion.cpu().numpy() >= CUT, images.mask[:, 0].numpy() > 0)
        )
    together = torch.cat(logits)
    return Word(together, risk(together).double().numpy(), np.concatenate(scores))


def dice(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> Floats:
    """Of each patient, (n,), from masks (n, k, j, i); NaN where both are empty."""
    axes = (1, 2, 3)
    both = found.sum(axis=axes) + truth.sum(axis=axes)
    shared = 2.0 * (found & truth).sum(axis=axes)
    scores: Floats = np.divide(shared, both, out=np.full(len(found), np.nan), where=both > 0)
    return scores


def _parts(places: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(places), AT_ONCE):
        yield places[first : first + AT_ONCE]
