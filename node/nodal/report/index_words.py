"""The published indices in words: names, points, groups, endpoints and sources, the same in SR and PDF."""

from __future__ import annotations

from collections.abc import Mapping

from nodal.outlook import ImpiFinding, IndexFinding, Indices, PublishedRate
from nodal.report.clinical_words import factors

__all__ = [
    "ENDPOINTS",
    "ENDPOINTS_SHORT",
    "IMPI_NAME",
    "INDEX_TITLES",
    "endpoint_at",
    "group_words",
    "headline_rates",
    "horizon",
    "impi_words",
    "index_sentence",
    "listing",
    "missing_words",
    "percent",
    "percent_range",
    "points_words",
    "shown_indices",
    "spread",
]

INDEX_TITLES: Mapping[str, str] = {
    "ipi": "International Prognostic Index",
    "aa_ipi": "Age-adjusted International Prognostic Index",
    "r_ipi": "Revised International Prognostic Index",
    "nccn_ipi": "NCCN International Prognostic Index",
    "cns_ipi": "Central Nervous System International Prognostic Index",
    "impi": "International Metabolic Prognostic Index",
}
"""Full names by the fields of :class:`nodal.findings.Indices`; the short name is the finding's own."""

IMPI_NAME = "IMPI"

ENDPOINTS: Mapping[str, str] = {
    "os": "overall survival",
    "pfs": "progression-free survival",
    "rfs": "relapse-free survival",
    "complete_remission": "complete remission",
    "cns_relapse": "relapse in the central nervous system",
}
ENDPOINTS_SHORT: Mapping[str, str] = {
    "os": "OS",
    "pfs": "PFS",
    "rfs": "RFS",
    "complete_remission": "CR",
    "cns_relapse": "CNS relapse",
}

_MONTHS_A_YEAR = 12
# Patients are treated with rituximab today: figures from before it stand second.
_TODAY = "rituximab"


def shown_indices(indices: Indices) -> tuple[tuple[str, IndexFinding], ...]:
    """(field, finding) of every point index that was computed, in the order of the fields."""
    every = {
        "ipi": indices.ipi,
        "aa_ipi": indices.aa_ipi,
        "r_ipi": indices.r_ipi,
        "nccn_ipi": indices.nccn_ipi,
        "cns_ipi": indices.cns_ipi,
    }
    return tuple((field, finding) for field, finding in every.items() if finding is not None)


def horizon(months: float) -> str:
    """Months before the name of an endpoint: "5-year", or "18-month" where it is no whole year."""
    years = months / _MONTHS_A_YEAR
    return f"{years:.0f}-year" if years.is_integer() else f"{months:g}-month"


def endpoint_at(endpoint: str, months: float | None, *, short: bool = False) -> str:
    """An endpoint at its horizon: "5-year overall survival", "5-year OS"; unknown names stay as given.

    Args:
        months: None gives the endpoint alone.
    """
    name = (ENDPOINTS_SHORT if short else ENDPOINTS).get(endpoint, endpoint)
    return name if months is None else f"{horizon(months)} {name}"


def percent(share: float) -> str:
    """A share of 0..1 as "73 %"; below 10 % and in its last tenth of a percent with one decimal, as published."""
    value = round(100 * share, 1)
    return f"{value:.0f} %" if value >= 10 and value.is_integer() else f"{value:.1f} %"


def percent_range(low: float, high: float) -> str:
    """Two shares of 0..1: "61 to 83 %"."""
    return f"{percent(low).removesuffix(' %')} to {percent(high)}"


def listing(names: tuple[str, ...], last: str = "and") -> str:
    """Names in a row: "LDH", "LDH and stage", "LDH, ECOG and stage"."""
    return f" {last} ".join((*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]))


def spread(low: float, high: float, digits: int = 2) -> str:
    """Two ends as "0.79 to 1.12", or the one number where both ends are the same."""
    ends = (f"{low:.{digits}f}", f"{high:.{digits}f}")
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def points_words(finding: IndexFinding) -> str:
    """The points as "3 of 5", or "2 to 4 of 5" where a missing factor leaves the points open."""
    least, most = finding.range
    points = f"{finding.points}" if finding.points is not None else f"{least} to {most}"
    return f"{points} of {finding.most_points}"


def group_words(finding: IndexFinding) -> str:
    """The group as "high-intermediate", or "low or low-intermediate" where the points leave the group open."""
    return finding.group or listing(finding.open_groups, "or")


def missing_words(finding: IndexFinding | ImpiFinding) -> str:
    """What is missing, "LDH and stage not known"; empty where nothing is."""
    return f"{listing(factors(finding.missing))} not known" if finding.missing else ""


def headline_rates(finding: IndexFinding) -> tuple[PublishedRate, ...]:
    """One rate for each endpoint, for a reader in a hurry: today's treatment first, then the longest follow-up."""
    best: dict[str, PublishedRate] = {}
    for rate in finding.survival:
        known = best.get(rate.endpoint)
        if known is None or _weight(rate) > _weight(known):
            best[rate.endpoint] = rate
    return tuple(best[endpoint] for endpoint in ("os", "pfs", "cns_relapse") if endpoint in best)


def _weight(rate: PublishedRate) -> tuple[bool, int]:
    return _TODAY in rate.source, rate.months or 0


def index_sentence(finding: IndexFinding) -> str:
    """An index in a sentence: "IPI 3 of 5 points, high-intermediate risk"; open ones with what is missing.

    The groups of the R-IPI are called good and poor, so that "risk" does not follow them.
    """
    risk = "" if "good" in group_words(finding) or "poor" in group_words(finding) else " risk"
    text = f"{finding.name} {points_words(finding)} points, {group_words(finding)}{risk}"
    missing = missing_words(finding)
    return f"{text}; {missing}" if missing else text


def impi_words(finding: ImpiFinding) -> str:
    """The linear predictor or its range, its percentile where there is a cohort, and what is not published."""
    low, high = finding.range
    text = f"{IMPI_NAME} linear predictor {spread(low, high)}"
    if finding.percentile is not None and finding.cohort:
        text = f"{text}, percentile {spread(*finding.percentile, digits=0)} of {finding.cohort}"
    missing = missing_words(finding)
    return (
        f"{text}{f'; {missing}' if missing else ''}; its baseline survival is not published, so that no share follows"
    )
