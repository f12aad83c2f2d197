"""Systems that judge a patient differently, said in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from lymphoma.evaluation.disagreement import Placement, Side, disagreements
from lymphoma.survival.groups import NCCN_HIGH_FROM

from nodal.outlook import EndpointFinding, IndexFinding, SystemFinding
from nodal.report.index_words import ENDPOINTS
from nodal.report.system_words import system_title

__all__ = ["differing"]


def differing(systems: Mapping[str, SystemFinding], nccn_ipi: IndexFinding | None) -> tuple[str, ...]:
    """One to three sentences for each endpoint on which the systems differ from each other or from the NCCN-IPI."""
    side = None if nccn_ipi is None else _side_of(nccn_ipi)
    said: list[str] = []
    for endpoint, name in ENDPOINTS.items():
        placed = [
            _placement(system_title(key), system.endpoint[endpoint])
            for key, system in systems.items()
            if endpoint in system.endpoint
        ]
        said += [f"{name.capitalize()}: {sentence}" for sentence in disagreements(placed, side)]
    return tuple(said)


def _side_of(nccn_ipi: IndexFinding) -> Side | None:
    least, most = (points >= NCCN_HIGH_FROM for points in nccn_ipi.range)
    return None if least != most else "high" if least else "low"


def _placement(title: str, one: EndpointFinding) -> Placement:
    low, high = one.percentile
    known = one.group is not None and len(one.groups) > 1
    side: Side | None = None
    if known:
        side = "low" if one.group == one.groups[0] else "high" if one.group == one.groups[-1] else None
    return Placement(title, low if low == high else None, side, one.withheld)
