"""What DeepMTS learns by: soft Dice, a survival likelihood of the batch, and a penalty on the head's weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import FollowUp

__all__ = ["Ties", "TimeBins", "cox_loss", "dice_loss", "discrete_loss", "fit_bins", "fit_hazards", "l2", "risk"]

Ties = Literal["breslow", "efron"]

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


def cox_loss(
    log_hazard: torch.Tensor, months: torch.Tensor, event: torch.Tensor, *, ties: Ties = "efron"
) -> torch.Tensor:
    """Negative log partial likelihood of the patients given, over their events; 0 without an event.

    The published code sorts by time and takes sums of exponentials as they come; here log-sum-exp is stable, and who
    fails at one time is tied: Breslow leaves all of them at risk, Efron takes away l / m of them, l = 0 .. m - 1. A
    batch drawn with replacement holds one patient twice now and then, which is a tie too.

    Args:
        log_hazard: (n,). months: (n,), who is censored at an event's time is at risk. event: bool, (n,).
    """
    if not bool(event.any()):
        return log_hazard.sum() * 0.0
    r = log_hazard.float() if log_hazard.dtype in (torch.float16, torch.bfloat16) else log_hazard
    at, failed = months[event], r[event]
    at_risk = _log_sum(r, months[None, :] >= at[:, None])
    if ties == "efron":
        same = at[None, :] == at[:, None]
        before = torch.tril(same, diagonal=-1).sum(dim=1)
        share = before / same.sum(dim=1)
        at_risk = at_risk + torch.log1p(-share * torch.exp(_log_sum(failed, same) - at_risk))
    return (at_risk - failed).sum() / int(event.sum())


def _log_sum(values: torch.Tensor, who: torch.Tensor) -> torch.Tensor:
    """log of the sum of exp over those of each row, (m,), from values (n,) and who (m, n)."""
    return torch.logsumexp(values.expand(who.shape).masked_fill(~who, -torch.inf), dim=1)


@dataclass(frozen=True)
class TimeBins:
    """Bins of follow-up for the discrete head; bin b is [edge b - 1, edge b), the outermost without an end.

    Attributes:
        edges_months: rising, one fewer than there are bins.
    """

    edges_months: tuple[float, ...]

    def of(self, months: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Bin of each time, from 0."""
        return np.searchsorted(self.edges_months, np.asarray(months), side="right").astype(np.int64)


def fit_bins(follow_up: FollowUp, bins: int) -> TimeBins:
    """Quantiles of the uncensored times of the training patients.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS``: too few different event times.
    """
    months = follow_up.months[follow_up.event]
    edges = np.quantile(months, np.arange(1, bins) / bins) if months.size else np.zeros(0)
    if len(np.unique(months)) < bins or len(np.unique(edges)) < bins - 1:
        raise NotComputable("TOO_FEW_EVENTS", f"{bins} bins of time need {bins} events or more at different times")
    return TimeBins(tuple(float(edge) for edge in edges))


def fit_hazards(bins: TimeBins, follow_up: FollowUp) -> torch.Tensor:
    """Logits of the constant hazards that the training patients are likeliest under, float32, (bins,).

    Half an event and half a patient more keep a bin without events, or of events alone, finite.
    """
    found, count = bins.of(follow_up.months), len(bins.edges_months) + 1
    events = np.bincount(found[follow_up.event], minlength=count).astype(np.float64)
    reached = np.bincount(found, minlength=count)[::-1].cumsum()[::-1].astype(np.float64)
    bare = (events == 0) | (events == reached)
    hazard = np.where(bare, (events + 0.5) / (reached + 1.0), events / np.maximum(reached, 1.0))
    return torch.tensor(np.log(hazard) - np.log1p(-hazard), dtype=torch.float32)


def discrete_loss(logits: torch.Tensor, bins: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    """Negative log likelihood of discrete survival, in mean over patients.

    An event in bin b costs -log h(b) - the sum of log (1 - h) before it; a censored patient has survived his or her
    bin. Logarithms of the hazards come from the logits, so that no hazard reaches 0 or 1.

    Args:
        logits: (n, bins). bins: int64, (n,). event: bool, (n,).
    """
    logits = logits.float()
    at = bins[:, None]
    lasting = functional.logsigmoid(-logits)
    survived = torch.cumsum(lasting, dim=1).gather(1, at).squeeze(1)
    # survived that bin, or failed in it after surviving those before
    here = (functional.logsigmoid(logits) - lasting).gather(1, at).squeeze(1)
    return -(survived + torch.where(event, here, torch.zeros_like(here))).mean()


def risk(logits: torch.Tensor) -> torch.Tensor:
    """Higher is worse, (n,): the log hazard ratio, or minus the sum of survival over the bins."""
    if logits.shape[1] == 1:
        return logits[:, 0].float()
    return -torch.exp(torch.cumsum(functional.logsigmoid(-logits.float()), dim=1)).sum(dim=1)


def l2(kernels: Iterable[torch.Tensor]) -> torch.Tensor:
    """Sum of the squares of all weights."""
    return torch.stack([kernel.square().sum() for kernel in kernels]).sum()
