"""Risk groups: the training cohort's Kaplan-Meier curves with the patient's predicted curve over them."""

from __future__ import annotations

from nodal.outlook import Curve, NomogramFinding, SystemFinding
from nodal.report.chart import Chart, RiskTable, Series
from nodal.report.draw_chart import draw_chart
from nodal.report.index_words import ENDPOINTS
from nodal.report.pdf_nomogram import PATIENT
from nodal.report.pdf_sheet import Colour, Document
from nodal.report.pdf_words import capital

__all__ = ["GROUP_COLOURS", "draw_groups", "group_title", "groups_chart", "groups_note"]

GROUP_COLOURS: tuple[Colour, ...] = (
    (0.05, 0.33, 0.42),
    (0.36, 0.55, 0.30),
    (0.80, 0.55, 0.10),
    (0.55, 0.24, 0.05),
)
"""From the best group to the worst, darker than their ground when printed in grey; the patient's own colour is last."""
_YEAR = 12.0
_GRADES = frozenset({"low", "intermediate", "high"})


def group_title(name: str) -> str:
    """ "High risk"; a name that is no grade of risk, such as of a grouping by two scores, stands by itself."""
    return capital(f"{name} risk" if name.rpartition("-")[2] in _GRADES else name)


def groups_chart(finding: NomogramFinding) -> Chart:
    """The chart: a step curve with its band per group, the patient's curve or the two that remain possible."""
    last = max(curve.months[-1] for curve in (*finding.group_curves, *finding.patient_curves))
    ticks = tuple(_YEAR * year for year in range(int(last // _YEAR) + 1))
    groups = tuple(
        Series(
            group_title(curve.name),
            curve.months,
            curve.survival,
            "step",
            curve.lower or None,
            curve.upper or None,
            colour=_colour(index, len(finding.group_curves)),
        )
        for index, curve in enumerate(finding.group_curves)
    )
    names = ("This patient",) if len(finding.patient_curves) == 1 else ("At best", "At worst")
    own = tuple(
        Series(name, curve.months, curve.survival, "line", colour=len(GROUP_COLOURS), emphasis=True)
        for name, curve in zip(names, finding.patient_curves, strict=False)
    )
    rows = tuple((group_title(c.name), tuple(_at_risk(c, tick) for tick in ticks)) for c in finding.group_curves)
    return Chart(
        title="",
        x_label="Months",
        y_label=capital(ENDPOINTS[finding.endpoint]),
        x_range=(0.0, last),
        y_range=(0.0, 1.0),
        series=(*groups, *own),
        x_ticks=ticks,
        y_ticks=(0.0, 0.25, 0.5, 0.75, 1.0),
        percent=True,
        table=RiskTable(ticks, rows),
    )


def _colour(index: int, count: int) -> int:
    """The best group takes the first colour and the worst the last, however many there are."""
    return round(index * (len(GROUP_COLOURS) - 1) / max(count - 1, 1))


def _at_risk(curve: Curve, months: float) -> int:
    """Patients at risk; nobody of the group was followed beyond its curve's end."""
    return dict(zip(curve.months, curve.at_risk, strict=True)).get(months, 0)


def groups_note(finding: NomogramFinding, system: SystemFinding) -> str:
    """Who the groups are."""
    who = "virtual patients" if system.trained_on == "virtual" else "patients"
    cohort = f" of {system.cohorts[0]}" if system.cohorts else ""
    sizes = "; ".join(f"{group_title(c.name)} {c.n}, {c.events} events" for c in finding.group_curves)
    own = f" This patient: {group_title(finding.group)}." if finding.group else " This patient's group stays open."
    if len(finding.patient_curves) > 1:
        own = f" Heavy lines: this patient at best and at worst.{own}"
    return f"Steps: Kaplan-Meier curves of {who}{cohort}, with 95 % bands ({sizes}).{own}"


def draw_groups(sheet: Document, finding: NomogramFinding, x: float, y: float, width: float, height: float) -> None:
    """Draws the chart into a box with its top left corner at (x, y)."""
    draw_chart(sheet, groups_chart(finding), x, y, width, height, palette=(*GROUP_COLOURS, PATIENT))
