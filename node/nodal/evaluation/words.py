"""Figures as an evaluation prints them: three decimals, a true minus sign, the interval, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from lymphoma.evaluation.result import Estimate
from lymphoma.prognosis.model import Endpoint

from nodal.evaluation.page import Cell

__all__ = ["ENDPOINTS", "MISSING", "WITHHELD", "Notes", "count", "decimal", "interval", "p_value", "percent", "years"]

ENDPOINTS: dict[Endpoint, str] = {"pfs": "Progression-free survival", "os": "Overall survival"}
MISSING = "–"
WITHHELD = "withheld"
LEAST_P = 0.001


def decimal(value: float | None, places: int = 3, *, signed: bool = False) -> str:
    """``0.712``; with ``signed`` a plus above zero. None is a dash; a value that rounds to zero has no sign."""
    if value is None:
        return MISSING
    rounded = round(value, places) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.{places}f}".replace("-", "−")


def interval(lower: float | None, upper: float | None, places: int = 3) -> str:
    """``0.650 to 0.770``; nothing where there is none."""
    return "" if lower is None or upper is None else f"{decimal(lower, places)} to {decimal(upper, places)}"


def p_value(p: float | None) -> str:
    """Three decimals, or below the least that is printed."""
    if p is None:
        return MISSING
    return f"<{LEAST_P}" if p < LEAST_P else f"{p:.3f}"


def percent(share: float | None, places: int = 1) -> str:
    """A share of one as a percentage; None is withheld."""
    return WITHHELD if share is None else f"{100 * share:.{places}f} %"


def count(number: int) -> str:
    """Thousands set apart."""
    return f"{number:,}".replace(",", "\u2009")


def years(months: float) -> str:
    """``1 year``, ``3 years``, ``18 months``."""
    whole = months / 12
    if whole != int(whole):
        return f"{months:g} months"
    return f"{int(whole)} year{'s' * (whole != 1)}"


class Notes:
    """Collects why figures are missing: each reason once, under a letter that stands in the cell."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def mark(self, reason: str) -> str:
        """The letter of a reason, in brackets."""
        if reason not in self._reasons:
            self._reasons.append(reason)
        return f"({_letter(self._reasons.index(reason))})"

    def cell(self, estimate: Estimate, places: int = 3, *, signed: bool = False) -> Cell:
        """A figure with its interval below, or a dash with the letter of its reason."""
        if estimate.value is None:
            return Cell(f"{MISSING} {self.mark(estimate.problem)}" if estimate.problem else MISSING)
        return Cell(
            decimal(estimate.value, places, signed=signed),
            interval(estimate.lower, estimate.upper, places),
        )

    def lines(self, before: Sequence[str] = ()) -> tuple[str, ...]:
        """Other notes, then the reasons."""
        return (*before, *(f"({_letter(i)}) {_sentence(reason)}" for i, reason in enumerate(self._reasons)))


def _letter(index: int) -> str:
    return chr(ord("a") + index) if index < 26 else str(index - 25)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
