"""What DeepMTS learns by beside survival: soft Dice, and a penalty on the head's weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch

__all__ = ["dice_loss", "l2"]

DICE_FLOOR = 1e-5
"""Least denominator of Dice, as published: a patient without lesion who is predicted none costs 0, not NaN."""


def dice_loss(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Minus the mean soft Dice over patients, from -1 (perfect) to 0.

    Args:
        predicted: probability of lesion, (n, k, j, i). truth: 0 or 1, of the same shape.
    """
    p, y = predicted.float().flatten(1), truth.float().flatten(1)
    both = 2.0 * (p * y).sum(dim=1)
    return -(both / (p.sum(dim=1) + y.sum(dim=1)).clamp(min=DICE_FLOOR)).mean()


def l2(kernels: Iterable[torch.Tensor]) -> torch.Tensor:
    """Sum of the squares of all weights."""
    return torch.stack([kernel.square().sum() for kernel in kernels]).sum()
