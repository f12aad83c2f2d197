"""What the head learns by: discrete-time survival as in MCAT (Chen, ICCV 2021), or the Cox partial likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import FollowUp

__all__ = [
    "Ties",
    "TimeBins",
    "bin_hazards",
    "constant_nll",
    "cox_loss",
    "fit_bins",
    "intercepts",
    "nll",
    "risk",
]

EPS = 1e-7
"""Probabilities are kept this far from 0 before a logarithm (MCAT)."""

Ties = Literal["breslow", "efron"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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


def bin_hazards(bins: Ints, event: npt.NDArray[np.bool_], count: int) -> Floats:
    """The constant hazard of each bin that a fold is likeliest under, shape (count,).

    Events in the bin over those who reached it; a patient censored in a bin has survived it, as the loss has it.
    Half an event and half a patient more keep a bin without events off 0.

    Args:
        bins: (n,). event: (n,).
    """
    events = np.bincount(bins[event], minlength=count)
    reached = np.bincount(bins, minlength=count)[::-1].cumsum()[::-1]
    bare = (events == 0) | (events == reached)
    return np.where(bare, (events + 0.5) / (reached + 1.0), events / np.maximum(reached, 1))


def intercepts(hazards: Floats) -> torch.Tensor:
    """Logits of the hazards, where the head starts; float32, shape (bins,)."""
    return torch.tensor(np.log(hazards) - np.log1p(-hazards), dtype=torch.float32)


def nll(
    logits: torch.Tensor, bins: torch.Tensor, event: torch.Tensor, *, alpha: float = 0.0, reduce: bool = True
) -> torch.Tensor:
    """Negative log likelihood of discrete survival, in mean over patients; or (n,) where not reduced.

    With h = sigm(logit) and S(b) the product of 1 - h up to bin b: an event in bin b costs -log S(b - 1) - log h(b), a
    censored patient (1 - alpha) times -log S(b) (MCAT; alpha is 0 in its command line).

    Args:
        logits: (n, bins). bins: int64, (n,). event: bool, (n,).
    """
    hazard = torch.sigmoid(logits)
    survival = torch.cumprod(1 - hazard, dim=1)
    before = torch.cat((torch.ones_like(survival[:, :1]), survival), dim=1)
    at = bins[:, None]

    def log_of(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return torch.log(values.gather(1, index).clamp(min=EPS)).squeeze(1)

    failed = -(log_of(before, at) + log_of(hazard, at))
    free = -(1 - alpha) * log_of(before, at + 1)
    each = torch.where(event, failed, free)
    return each.mean() if reduce else each


def constant_nll(hazards: Floats, bins: Ints, event: npt.NDArray[np.bool_], *, alpha: float = 0.0) -> float:
    """The loss that constant hazards reach on patients: what a trained head must lie below."""
    logits = intercepts(hazards).expand(len(bins), -1)
    return float(nll(logits, torch.tensor(bins), torch.tensor(event), alpha=alpha))


def cox_loss(
    log_hazard: torch.Tensor, months: torch.Tensor, event: torch.Tensor, *, ties: Ties = "efron"
) -> torch.Tensor:
    """Negative log partial likelihood over the number of events, 0 without any.

    Breslow: -sum over events of r - log sum over those at risk of exp r. Efron takes away l / m of the exp r of the m
    events at the same time, l = 0 .. m - 1. Sums of exponentials are taken as logarithms, so that no r overflows.

    Args:
        log_hazard: r, (n,). months: (n,), who is censored at an event's time is at risk. event: bool, (n,).
    """
    if not bool(event.any()):
        return log_hazard.sum() * 0.0
    order = torch.argsort(months, descending=True, stable=True)
    r, t, e = log_hazard[order], months[order], event[order]
    moment, size = torch.unique_consecutive(t, return_inverse=True, return_counts=True)[1:]
    last = torch.cumsum(size, dim=0) - 1
    at_risk = torch.logcumsumexp(r, dim=0)[last][moment][e]
    if ties == "efron":
        at_risk = at_risk + _efron(r[e], moment[e], at_risk)
    return -(r[e] - at_risk).sum() / int(e.sum())


def risk(logits: torch.Tensor) -> torch.Tensor:
    """Higher is worse, shape (n,): minus the sum of S over the bins (MCAT), or the log hazard ratio of a Cox head."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    return -torch.cumprod(1 - torch.sigmoid(logits), dim=1).sum(dim=1)


def _efron(r: torch.Tensor, moment: torch.Tensor, at_risk: torch.Tensor) -> torch.Tensor:
    """log(1 - l / m exp(D - R)) of each event, with D the log sum of exp r of the m events at its time."""
    size = torch.bincount(moment)
    most = torch.full((len(size),), -torch.inf, dtype=r.dtype, device=r.device)
    most = most.scatter_reduce(0, moment, r.detach(), "amax")
    summed = torch.zeros_like(most).index_add(0, moment, torch.exp(r - most[moment]))
    together = torch.log(summed[moment]) + most[moment]
    first = torch.cumsum(size, dim=0) - size
    share = (torch.arange(len(r), device=r.device) - first[moment]) / size[moment]
    return torch.log1p(-share * torch.exp(together - at_risk))
