"""The tables of the risk groups: survival of each, how firm the cut-off is, and what it achieves."""

from __future__ import annotations

from collections.abc import Sequence

from lymphoma.evaluation.result import EndpointResult, RiskGroups
from lymphoma.survival.curves import Rate

from nodal.evaluation.page import Cell, Column, Row, Table
from nodal.evaluation.words import MISSING, Notes, count, interval, p_value, percent, years

__all__ = ["group_table", "threshold_table"]

MODEL = Column("Model", align="left")
TEN_EVENTS = "Withheld: a percentage that rests on fewer than 10 events is not printed."


def group_table(result: EndpointResult) -> Table:
    """Survival of each risk group, hazard ratio, and how firm the cut-off is."""
    notes = Notes()
    months = sorted({rate.months for one in result.results for rates in one.groups.rates for rate in rates})
    columns = (
        Column("Model, group", align="left"),
        Column("Patients", "(events)"),
        *(Column("Survival", f"at {years(at)}") for at in months),
        Column("Hazard ratio", "high to low"),
        Column("Log-rank", "χ², p"),
        Column("Moved", "cut-offs"),
    )
    rows: list[Row] = []
    for one in result.results:
        groups = one.groups
        if groups.problem:
            reason = Cell(f"{MISSING} {notes.mark(groups.problem)}")
            rows.append(Row((Cell(one.model.label), reason, *([Cell(MISSING)] * (len(columns) - 2)))))
            continue
        rows += _group_rows(one.model.label, groups, months, notes)
    before = (
        "Each patient is put into a group by a cut-off that was found without him or her, by Youden's index in the "
        "training fold. Moved: the share of patients whose group is not the same under the cut-offs of all folds; "
        "below it, the least and the highest of these.",
        TEN_EVENTS,
    )
    return Table("", columns, tuple(rows), notes.lines(before))


def _group_rows(label: str, groups: RiskGroups, months: Sequence[float], notes: Notes) -> list[Row]:
    rows = []
    for index, (curve, rates) in enumerate(zip(groups.curves, groups.rates, strict=True)):
        cells = [Cell(f"{label}: {curve.name}" if not index else f"   {curve.name}")]
        cells.append(Cell(count(curve.n), f"({count(curve.events)})"))
        found = {rate.months: rate for rate in rates}
        cells += [_rate(found.get(at)) for at in months]
        cells += _group_tests(groups, notes) if not index else [Cell("")] * 3
        rows.append(Row(tuple(cells)))
    return rows


def _rate(rate: Rate | None) -> Cell:
    if rate is None:
        return Cell(MISSING)
    if rate.survival is None:
        return Cell(percent(None))
    lower, upper = (f"{100 * end:.1f}" if end is not None else MISSING for end in (rate.lower, rate.upper))
    return Cell(percent(rate.survival), f"{lower} to {upper}")


def _group_tests(groups: RiskGroups, notes: Notes) -> list[Cell]:
    test = groups.log_rank
    cutoffs = interval(min(groups.cutoffs), max(groups.cutoffs), 2) if groups.cutoffs else ""
    spread = Cell(MISSING if groups.moved is None else f"{100 * groups.moved:.0f} %", cutoffs)
    return [
        notes.cell(groups.hazard_ratio, 2),
        Cell(f"{test.chi_squared:.1f}", f"p {p_value(test.p)}") if test else Cell(MISSING),
        spread,
    ]


def threshold_table(result: EndpointResult) -> Table:
    """Sensitivity and the rest of the high-risk group, patients weighted for censoring."""
    notes = Notes()
    columns = (MODEL, Column("By"), Column("Sensitivity"), Column("Specificity"), Column("PPV"), Column("NPV"))
    rows = tuple(
        Row(
            (
                Cell("" if index else one.model.label),
                Cell(years(row.months)),
                *(notes.cell(each, 2) for each in (row.sensitivity, row.specificity, row.ppv, row.npv)),
            )
        )
        for one in result.results
        for index, row in enumerate(one.groups.thresholds)
    )
    before = ("Of the high-risk group for an event by the time named, weighted for censoring.",)
    return Table("", columns, rows, notes.lines(before))
