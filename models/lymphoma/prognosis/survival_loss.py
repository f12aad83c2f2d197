"""What the networks of all systems learn survival by: discrete time as in MCAT (Chen, ICCV 2021), or Cox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import logsigmoid

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import FollowUp

__all__ = [
    "Ties",
    "TimeBins",
    "cox_loss",
    "fit_bins",
    "hazard_logits",
    "nll",
    "risk",
]

Ties = Literal["breslow", "efron"]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TimeBins:
    """Bins of follow-up, the outermost without an end; bin b is [edge b - 1, edge b).

    Attributes:
        edges_months: rising, one fewer than there are bins.
    """

    edges_months: tuple[float, ...]

    def of(self, months: npt.ArrayLike) -> Ints:
        """Bin of each time, from 0; shape as given."""
        return np.searchsorted(self.edges_months, np.asarray(months), side="right").astype(np.int64)


def fit_bins(follow_up: FollowUp, bins: int = 4) -> TimeBins:
    """Quantiles of the uncensored times of the training fold; who is censored falls into the same bins.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS``: fewer different event times than bins.
    """
    months = follow_up.months[follow_up.event]
    edges = np.quantile(months, np.arange(1, bins) / bins) if months.size else np.zeros(0)
    if len(np.unique(months)) < bins or len(np.unique(edges)) < bins - 1:
        raise NotComputable("TOO_FEW_EVENTS", f"{bins} bins of time need {bins} events or more at different times")
    return TimeBins(tuple(float(edge) for edge in edges))


def hazard_logits(bins: TimeBins, follow_up: FollowUp) -> torch.Tensor:
    """Logits of the constant hazards that a fold is likeliest under, where a head starts; float32, shape (bins,).

    Events in the bin over those who reached it; a patient censored in a bin has survived it, as the loss has it. Half
    an event and half a patient more keep a bin without events, or of events alone, off 0 and 1.
    """
    found, count = bins.of(follow_up.months), len(bins.edges_months) + 1
    events = np.bincount(found[follow_up.event], minlength=count)
    reached = np.bincount(found, minlength=count)[::-1].cumsum()[::-1]
    bare = (events == 0) | (events == reached)
    hazards = np.where(bare, (events + 0.5) / (reached + 1.0), events / np.maximum(reached, 1))
    return torch.tensor(np.log(hazards) - np.log1p(-hazards), dtype=torch.float32)


def nll(logits: torch.Tensor, bins: torch.Tensor, event: torch.Tensor, *, alpha: float = 0.0) -> torch.Tensor:
    """Negative log likelihood of discrete survival, in mean over patients.

    With h = sigm(logit) and S(b) the product of 1 - h up to bin b: an event in bin b costs -log S(b - 1) - log h(b), a
    censored patient (1 - alpha) times -log S(b) (MCAT; alpha is 0 in its command line). Logarithms come from the
    logits, so that no hazard reaches 0 or 1 and MCAT's floor of 1e-7 is not needed.

    Args:
        logits: (n, bins). bins: int64, (n,). event: bool, (n,).
    """
    logits = _at_least_float32(logits)
    at = bins[:, None]
    lasts = logsigmoid(-logits)
    survived = lasts.cumsum(dim=1).gather(1, at).squeeze(1)
    # survived that bin, or failed in it after surviving those before
    failed = survived + (logsigmoid(logits) - lasts).gather(1, at).squeeze(1)
    return -torch.where(event, failed, (1 - alpha) * survived).mean()


def cox_loss(
    log_hazard: torch.Tensor, months: torch.Tensor, event: torch.Tensor, *, ties: Ties = "efron"
) -> torch.Tensor:
    """Negative log partial likelihood over the number of events, 0 without any.

    Breslow: -sum over events of r - log sum over those at risk of exp r. Efron takes away l / m of the exp r of the m
    events at the same time, l = 0 .. m - 1; a batch drawn with replacement that holds one patient twice has a tie too.
    Sums of exponentials are taken as logarithms, so that no r overflows.

    Args:
        log_hazard: r, (n,). months: (n,), who is censored at an event's time is at risk. event: bool, (n,).
    """
    if not bool(event.any()):
        return log_hazard.sum() * 0.0
    r = _at_least_float32(log_hazard)
    at, failed = months[event], r[event]
    at_risk = _log_sum(r, months[None, :] >= at[:, None])
    if ties == "efron":
        same = at[None, :] == at[:, None]
        share = torch.tril(same, diagonal=-1).sum(dim=1) / same.sum(dim=1)
        at_risk = at_risk + torch.log1p(-share * torch.exp(_log_sum(failed, same) - at_risk))
    return (at_risk - failed).sum() / int(event.sum())


def risk(logits: torch.Tensor) -> torch.Tensor:
    """Higher is worse, shape (n,): minus the sum of S over the bins (MCAT), or the log hazard ratio of a Cox head."""
    logits = _at_least_float32(logits)
    if logits.shape[1] == 1:
        return logits[:, 0]
    return -torch.exp(torch.cumsum(logsigmoid(-logits), dim=1)).sum(dim=1)


def _log_sum(values: torch.Tensor, who: torch.Tensor) -> torch.Tensor:
    """log of the sum of exp over those of each row, (m,), from values (n,) and who (m, n)."""
    return torch.logsumexp(values.expand(who.shape).masked_fill(~who, -torch.inf), dim=1)


def _at_least_float32(values: torch.Tensor) -> torch.Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
