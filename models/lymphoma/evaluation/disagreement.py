"""Where systems judge a patient differently, in sentences for the first page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

__all__ = ["FAR_APART_POINTS", "NCCN_HIGH_AT_MOST", "NCCN_LOW_AT_LEAST", "Placement", "Side", "disagreements"]

Side = Literal["low", "high"]

FAR_APART_POINTS = 40.0
"""Percentile points between two systems that are worth a sentence. Two scores that correlate by .6, as good systems do,
lie farther apart in about one patient of seven; by chance alone it would be one of three (simulated in the tests)."""
NCCN_LOW_AT_LEAST = 70.0
NCCN_HIGH_AT_MOST = 30.0
"""From which percentile up a patient of low NCCN-IPI, and down to which one of high NCCN-IPI, is judged otherwise: with
nearly half of all patients on either side of the NCCN-IPI, each is 20 points beyond the middle."""


@dataclass(frozen=True)
class Placement:
    """Where a system puts a patient.

    Attributes:
        system: as readers call it, "LAMP". percentile: 0..100 among the patients of its training, None where not known.
        side: its risk group, None where it has none or the group is open.
        withheld: its group may not be said; then its percentile alone counts.
    """

    system: str
    percentile: float | None
    side: Side | None = None
    withheld: bool = False

    @property
    def said_side(self) -> Side | None:
        """The group where it may be said."""
        return None if self.withheld else self.side


def disagreements(placements: Sequence[Placement], nccn_ipi: Side | None = None) -> tuple[str, ...]:
    """Sentences for one endpoint; empty where all agree.

    Args:
        nccn_ipi: "high" from 4 points on (high-intermediate and high), None where missing factors leave it open.
    """
    found = (_apart(placements), _opposite(placements), _against_nccn(placements, nccn_ipi))
    return tuple(sentence for sentence in found if sentence)


def _apart(placements: Sequence[Placement]) -> str:
    """The two that are farthest from each other stand for all: page 1 has room for one sentence."""
    known = [one for one in placements if one.percentile is not None]
    pairs = [(abs((a.percentile or 0.0) - (b.percentile or 0.0)), a, b) for a, b in combinations(known, 2)]
    gap, first, second = max(pairs, key=lambda pair: pair[0], default=(0.0, None, None))
    if first is None or second is None or gap <= FAR_APART_POINTS:
        return ""
    upper, lower = sorted((first, second), key=lambda one: -(one.percentile or 0.0))
    return f"{upper.system} places this patient among {_place(upper)}, {lower.system} among {_place(lower)}."


def _opposite(placements: Sequence[Placement]) -> str:
    high, low = ([one.system for one in placements if one.said_side == side] for side in ("high", "low"))
    if not high or not low:
        return ""
    return f"{_listed(high)} {_finds(high)} high risk, {_listed(low)} low risk."


def _against_nccn(placements: Sequence[Placement], nccn_ipi: Side | None) -> str:
    if nccn_ipi is None:
        return ""
    others = [one for one in placements if _is_against(one, nccn_ipi)]
    if not others:
        return ""
    words = "high-intermediate or high" if nccn_ipi == "high" else "low or low-intermediate"
    told = "; ".join(_told(one) for one in others)
    return f"The NCCN-IPI is {words}, yet {told}."


def _is_against(one: Placement, nccn_ipi: Side) -> bool:
    if one.said_side is not None:
        return one.said_side != nccn_ipi
    if one.percentile is None:
        return False
    return one.percentile >= NCCN_LOW_AT_LEAST if nccn_ipi == "low" else one.percentile <= NCCN_HIGH_AT_MOST


def _told(one: Placement) -> str:
    if one.said_side is not None:
        return f"{one.system} finds {one.said_side} risk"
    return f"{one.system} places this patient among {_place(one)}"


def _place(one: Placement) -> str:
    """The share of patients on this side of him or her, rounded up to tens: no score is exact to one per cent."""
    percentile = one.percentile or 0.0
    upper = percentile >= 50
    share = 100 - percentile if upper else percentile
    tens = max(10, -int(-share // 10) * 10)
    return f"the {'highest' if upper else 'lowest'} {tens} % of its training patients"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _finds(names: Sequence[str]) -> str:
    return "finds" if len(names) == 1 else "find"
