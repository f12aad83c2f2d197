"""Predicted survival as it is printed: whole per cent, for no model knows more."""

from __future__ import annotations

from nodal.outlook import SurvivalAt

__all__ = ["nearest", "survival_phrase", "survival_range", "survival_share"]


def _whole(share: float) -> str:
    """Whole per cent; never 0 or 100, which nobody can predict."""
    value = 100 * share
    if value < 0.5:
        return "<1"
    return ">99" if value > 99.5 else f"{value:.0f}"


def survival_share(share: float) -> str:
    """ "71 %", from a share of 0..1."""
    return f"{_whole(share)} %"


def survival_range(low: float, high: float) -> str:
    """ "61–83 %"; one figure where both ends read alike."""
    ends = _whole(low), _whole(high)
    return f"{ends[0]} %" if ends[0] == ends[1] else f"{ends[0]}–{ends[1]} %"


def survival_phrase(survival: SurvivalAt) -> str:
    """ "71 % (64–78 %)", or "between 61 and 83 % (55–90 %)" where missing covariates leave a range."""
    interval = f"({survival_range(*survival.ci)})"
    if survival.probability is None:
        low, high = survival.range
        return f"between {_whole(low)} and {_whole(high)} % {interval}"
    return f"{survival_share(survival.probability)} {interval}"


def nearest(survival: tuple[SurvivalAt, ...], months: float) -> SurvivalAt | None:
    """The prediction nearest to a time; None where there is none."""
    return min(survival, key=lambda one: abs(one.months - months), default=None)
