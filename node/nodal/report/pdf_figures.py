"""Every figure of the prognosis systems in one table, as far as their evidence lets it be shown."""

from __future__ import annotations

from nodal.findings import Findings
from nodal.outlook import EndpointFinding, SystemFinding
from nodal.report.index_words import ENDPOINTS_SHORT, horizon
from nodal.report.pdf_flow import LEFT, RIGHT, Column, Flow
from nodal.report.pdf_percent import survival_range, survival_share
from nodal.report.pdf_sheet import MUTED
from nodal.report.pdf_words import UNKNOWN, capital
from nodal.report.system_words import INTERVAL_MEANING, system_title

__all__ = ["figures_table", "percentile_words", "risk_words"]

_ROW = 13.4
_MOST_HORIZONS = 3
_FIRST_HORIZON, _HORIZON_WIDTH = LEFT + 262.0, 84.0


def percentile_words(one: EndpointFinding, system: SystemFinding) -> str:
    """ "percentile 83 among virtual patients", or the range that missing covariates leave."""
    low, high = (f"{value:.0f}" for value in one.percentile)
    who = "virtual patients" if system.trained_on == "virtual" else "the patients it learned from"
    return f"percentile {low if low == high else f'{low} to {high}'} among {who}"


def risk_words(one: EndpointFinding) -> str:
    """ "score 0.42", or the range that missing covariates leave."""
    low, high = one.risk_range
    words = f"score {one.risk:.2f}" if one.risk is not None else f"score {low:.2f} to {high:.2f}"
    return words.replace("-", "−")


def figures_table(flow: Flow, findings: Findings) -> None:
    """A row per system and endpoint: score, rank, group, and survival with its interval at each time."""
    rows = [(name, key, one) for name, s in findings.systems.items() for key, one in s.endpoint.items()]
    if not rows:
        return
    months = sorted({s.months for _, _, one in rows if not one.withheld for s in one.survival})[:_MOST_HORIZONS]
    columns = _columns(months)
    flow.y += 4
    flow.ensure(22 + _ROW * min(len(rows), 3))
    flow.table_head(columns)
    for name, endpoint, one in rows:
        if flow.ensure(_ROW):
            flow.table_head(columns)
        flow.table_row(columns, _cells(name, endpoint, one, months), _ROW)
    flow.y += 3
    if months:
        flow.paragraph(f"In brackets: {INTERVAL_MEANING}.", size=7.2, colour=MUTED)
    flow.y += 2


def _columns(months: list[float]) -> list[Column]:
    fixed = [
        Column("Model", "", LEFT, "left", 84.0),
        Column("Endpoint", "", LEFT + 88, "left", 36.0),
        Column("Score", "", LEFT + 162),
        Column("Percentile", "", LEFT + 208),
        Column("Group", "", LEFT + 218, "left", 52.0 if months else 180.0),
    ]
    width = min(_HORIZON_WIDTH, (RIGHT - _FIRST_HORIZON) / max(len(months), 1))
    times = [Column(horizon(m), "survival", RIGHT - width * (len(months) - 1 - n)) for n, m in enumerate(months)]
    return [*fixed, *times]


def _cells(name: str, endpoint: str, one: EndpointFinding, months: list[float]) -> list[str]:
    low, high = (f"{value:.0f}" for value in one.percentile)
    fixed = [
        system_title(name),
        ENDPOINTS_SHORT.get(endpoint, endpoint),
        risk_words(one).removeprefix("score "),
        low if low == high else f"{low}–{high}",
    ]
    if one.withheld:
        return [*fixed, "not shown" if months else "not shown at this evidence level", *(UNKNOWN for _ in months)]
    at = {survival.months: survival for survival in one.survival}
    times = []
    for month in months:
        survival = at.get(month)
        if survival is None:
            times.append(UNKNOWN)
        elif survival.probability is None:
            times.append(survival_range(*survival.range))
        else:
            times.append(f"{survival_share(survival.probability)} ({survival_range(*survival.ci)})")
    return [*fixed, capital(one.group or "open"), *times]
