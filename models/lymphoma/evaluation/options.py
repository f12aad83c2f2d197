"""How an evaluation is run, and how it tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lymphoma.evaluation.protocols import Protocol
from lymphoma.prognosis.model import Endpoint

__all__ = ["Meter", "Options", "Progress"]

Progress = Callable[[int, int, str], None]
"""Called with parts done, parts in all, and what is being done."""
PARTS = 1000


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Attributes:
        resamples: of the bootstrap. permutations: of the control; 0 leaves it out.
    """

    protocol: Protocol = Protocol()
    endpoints: tuple[Endpoint, ...] = ("pfs", "os")
    resamples: int = 1000
    permutations: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Meter:
    """A part of the whole, from ``first`` to ``last`` of 0..1."""

    report: Progress | None
    words: str = ""
    first: float = 0.0
    last: float = 1.0

    def __call__(self, done: int, of: int) -> None:
        """So much of this part is done."""
        if self.report is not None:
            share = self.first + (self.last - self.first) * done / max(of, 1)
            self.report(round(PARTS * share), PARTS, self.words)

    def part(self, first: float, last: float, words: str = "") -> Meter:
        """A part of this part."""
        width = self.last - self.first
        return Meter(self.report, words or self.words, self.first + width * first, self.first + width * last)
