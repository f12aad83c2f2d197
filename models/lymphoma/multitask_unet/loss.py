"""Eq. 1 to 6 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lymphoma.errors import NotComputable
from lymphoma.multitask_unet.network import Answers

__all__ = [
    "EVENT_WEIGHTS",
    "STAGE_WEIGHTS",
    "ClassWeights",
    "class_weights",
    "event_loss",
    "event_probability",
    "fuse",
    "lesion_loss",
    "multitask_loss",
    "shrunk",
    "stage_loss",
    "weighted_sum",
]

EVENT_WEIGHTS = (0.1, 0.2, 0.7)
"""Of the branches in Eq. 2. Which is which the paper does not say; the most for the finest, as in Eq. 5 [A]."""
STAGE_WEIGHTS = (0.53, 0.27, 0.13, 0.07)
"""Of the stages in Eq. 5, the finest first: nearly 8 : 4 : 2 : 1."""
LESION_SHARE = 0.1
"""Lambda of Eq. 6."""
EPS = 1e-7
"""Probabilities are kept this far from 0 and 1 before a logarithm."""


@dataclass(frozen=True)
class ClassWeights:
    """w_p and w_n of Eq. 3."""

    event: float
    free: float


def class_weights(events: float, free: float) -> ClassWeights:
    """w_p = N_n / (N_p + N_n), w_n = N_p / (N_p + N_n): the rarer kind counts as much as the other in sum.

    Args:
        events, free: patients with and without an event, or the sums of their weights.

    Raises:
        NotComputable: ``ONE_CLASS``: one of the two kinds is absent.
    """
    if not (events > 0 and free > 0):
        raise NotComputable("ONE_CLASS", "to tell the event needs patients with and without one within 24 months")
    return ClassWeights(free / (events + free), events / (events + free))


def fuse(probabilities: Sequence[torch.Tensor], weights: Sequence[float] = EVENT_WEIGHTS) -> torch.Tensor:
    """Eq. 2: the weighted sum of the branches' probabilities, of any one shape."""
    if len(probabilities) == 1:
        return probabilities[0]
    return torch.stack([weight * one for weight, one in zip(weights, probabilities, strict=True)]).sum(dim=0)


def event_probability(answers: Answers) -> torch.Tensor:
    """The fused chance of an event within 24 months under the class weights, float32, shape (n,)."""
    return fuse([torch.softmax(one.float(), dim=1)[:, 1] for one in answers.event])


def event_loss(probability: torch.Tensor, event: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Eq. 1 in mean over the patients; it sees the fused probability alone, so a branch learns through its share.

    Args:
        probability: (n,). event: (n,), 1 or 0. weight: (n,), w_p or w_n of each patient, by its own kind.
    """
    p = probability.float().clamp(EPS, 1 - EPS)
    return (-weight * (event * torch.log(p) + (1 - event) * torch.log1p(-p))).mean()


def stage_loss(probability: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Eq. 4 over the lesion channel, in mean over the patients: 1 - (2 sum py + 1) / (sum p + sum y + 1).

    Args:
        probability, mask: (n, k, j, i).
    """
    p, y = probability.float().flatten(1), mask.float().flatten(1)
    return (1 - (2 * (p * y).sum(dim=1) + 1) / (p.sum(dim=1) + y.sum(dim=1) + 1)).mean()


def shrunk(mask: torch.Tensor, stage: int) -> torch.Tensor:
    """The true mask at a stage: a coarse voxel is lesion where one of its fine ones is, so that no lesion is lost [A].

    Args:
        mask: (n, k, j, i), 0 or 1.
    """
    return mask if stage == 0 else torch.nn.functional.max_pool3d(mask[:, None].float(), 2**stage)[:, 0]


def weighted_sum(losses: Sequence[torch.Tensor], weights: Sequence[float] = STAGE_WEIGHTS) -> torch.Tensor:
    """Eq. 5; one stage alone has all the weight."""
    if len(losses) == 1:
        return losses[0]
    return torch.stack([weight * one for weight, one in zip(weights, losses, strict=True)]).sum()


def lesion_loss(answers: Answers, mask: torch.Tensor) -> torch.Tensor:
    """Eq. 4 and 5 of all lesion heads.

    Args:
        mask: (n, k, j, i), 0 or 1, at the finest stage.
    """
    found = [torch.softmax(one.float(), dim=1)[:, 1] for one in answers.lesions]
    return weighted_sum([stage_loss(one, shrunk(mask, stage)) for stage, one in enumerate(found)])


def multitask_loss(
    lesions: torch.Tensor | None, event: torch.Tensor | None, lesion_share: float = LESION_SHARE
) -> torch.Tensor:
    """Eq. 6; a single task has all the weight.

    Raises:
        ValueError: neither.
    """
    if lesions is not None and event is not None:
        return lesion_share * lesions + (1 - lesion_share) * event
    alone = lesions if lesions is not None else event
    if alone is None:
        raise ValueError("a network has one task at least")
    return alone
