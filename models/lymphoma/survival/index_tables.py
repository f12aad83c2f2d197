"""The published indices as data: groups of points and the survival reported for them.

Shares are 0..1. Each rate names its source; none of them is interpolated to another time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["AA_IPI", "CNS_IPI", "IPI", "NCCN_IPI", "R_IPI", "IndexGroup", "IndexTable", "Rate"]

Endpoint = Literal["complete_remission", "os", "pfs", "rfs", "cns_relapse"]

_IPI_1993 = "International NHL Prognostic Factors Project, N Engl J Med 1993;329:987 (n=2031)"
_RUPPERT = "Ruppert, Blood 2020;135:2041 (n=2124, rituximab)"
_CNS_DERIVED = "Schmitz, J Clin Oncol 2016;34:3150, German studies"
_CNS_BCCA = "Schmitz, J Clin Oncol 2016;34:3150, British Columbia"
_GELTAMO = "GELTAMO validation of the NCCN-IPI"


@dataclass(frozen=True)
class Rate:
    """A share of patients as published.

    Attributes:
        months: of follow-up; None for complete remission. interval: 95 % interval where it was published.
        share: 0..1, of those free of the event; for "cns_relapse" and "complete_remission" of those with it.
    """

    endpoint: Endpoint
    months: int | None
    share: float
    source: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class IndexGroup:
    """Patients with ``least`` to ``most`` points."""

    name: str
    least: int
    most: int
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class IndexTable:
    """An index: its groups from the best to the worst, and its highest score."""

    name: str
    groups: tuple[IndexGroup, ...]

    @property
    def most_points(self) -> int:
        """The highest possible score."""
        return self.groups[-1].most

    def group_of(self, points: int) -> IndexGroup:
        """The group with this score.

        Raises:
            ValueError: no score of this index.
        """
        for group in self.groups:
            if group.least <= points <= group.most:
                return group
        raise ValueError(f"{self.name} has no {points} points")


def _rates(
    source: str, endpoint: Endpoint, months: int | None, percents: tuple[float, ...]
) -> tuple[tuple[Rate, ...], ...]:
    """The rates of one endpoint, a tuple with one rate for each group."""
    return tuple((Rate(endpoint, months, round(percent / 100, 4), source),) for percent in percents)


def _table(name: str, groups: tuple[tuple[str, int, int], ...], *published: tuple[tuple[Rate, ...], ...]) -> IndexTable:
    return IndexTable(
        name,
        tuple(
            IndexGroup(group, least, most, tuple(rate for rates in published for rate in rates[number]))
            for number, (group, least, most) in enumerate(groups)
        ),
    )


_FOUR = (("low", 0, 1), ("low-intermediate", 2, 2), ("high-intermediate", 3, 3), ("high", 4, 5))

IPI = _table(
    "IPI",
    _FOUR,
    _rates(_IPI_1993, "complete_remission", None, (87, 67, 55, 44)),
    _rates(_IPI_1993, "os", 24, (84, 66, 54, 34)),
    _rates(_IPI_1993, "os", 60, (73, 51, 43, 26)),
    _rates(_IPI_1993, "rfs", 24, (79, 66, 59, 58)),
    _rates(_IPI_1993, "rfs", 60, (70, 50, 49, 40)),
    _rates(_RUPPERT, "pfs", 60, (81, 67, 58, 46)),
    _rates(_RUPPERT, "os", 60, (88, 76, 67, 54)),
)
AA_IPI = _table(
    "aaIPI",
    (("low", 0, 0), ("low-intermediate", 1, 1), ("high-intermediate", 2, 2), ("high", 3, 3)),
    _rates(_IPI_1993, "os", 60, (83, 69, 46, 32)),
)
R_IPI = _table(
    "R-IPI",
    (("very good", 0, 0), ("good", 1, 2), ("poor", 3, 5)),
    _rates(_RUPPERT, "pfs", 60, (87, 74, 53)),
    _rates(_RUPPERT, "os", 60, (93, 81, 61)),
)
NCCN_IPI = _table(
    "NCCN-IPI",
    (("low", 0, 1), ("low-intermediate", 2, 3), ("high-intermediate", 4, 5), ("high", 6, 8)),
    _rates(_RUPPERT, "pfs", 60, (86, 75, 54, 43)),
    _rates(_RUPPERT, "os", 60, (92, 84, 63, 49)),
    _rates(_GELTAMO, "os", 60, (93, 83, 67, 49)),
)
CNS_IPI = _table(
    "CNS-IPI",
    (("low", 0, 1), ("intermediate", 2, 3), ("high", 4, 6)),
    (
        (Rate("cns_relapse", 24, 0.006, _CNS_DERIVED, (0.0, 0.012)),),
        (Rate("cns_relapse", 24, 0.034, _CNS_DERIVED, (0.022, 0.044)),),
        (Rate("cns_relapse", 24, 0.102, _CNS_DERIVED, (0.063, 0.141)),),
    ),
    _rates(_CNS_BCCA, "cns_relapse", 24, (0.8, 3.9, 12.0)),
)
