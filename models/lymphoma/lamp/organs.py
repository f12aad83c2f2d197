"""Whose organs the lesions meet: the patient's own, or those of a control."""

from __future__ import annotations

from dataclasses import replace

import torch

from lymphoma.lamp.arms import OrganRows
from lymphoma.lamp.bags import LesionBags

__all__ = ["rows_for"]


def rows_for(bags: LesionBags, how: OrganRows, training: LesionBags, seed: int) -> LesionBags:
    """The same patients with the organ rows that an arm asks for.

    Args:
        how: "shuffled" gives each patient those of another one of ``bags``; "mean" gives all the mean of each organ
            over ``training``, absent only where no training patient has it.
    """
    if how == "own" or (how == "shuffled" and len(bags) < 2):
        return bags
    if how == "shuffled":
        others = _another(len(bags), seed)
        return replace(bags, organs=bags.organs[others], present=bags.present[others])
    there = training.present[..., None]
    known = training.present.any(dim=0)
    mean = torch.where(there, training.organs, 0.0).sum(dim=0) / there.sum(dim=0).clamp(min=1)
    return replace(
        bags,
        organs=mean[None].expand(len(bags), -1, -1).contiguous(),
        present=known[None].expand(len(bags), -1).contiguous(),
    )


def _another(count: int, seed: int) -> torch.Tensor:
    """For each index another one: a random cycle, so that nobody keeps his or her own."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return others
