"""The tables that tell of the patients: covariates, Table 1, centres, folds, and the controls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lymphoma.evaluation.result import CoxTables, EndpointResult, TableOne, TableOneRow
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.survival.cox import Coefficient
from lymphoma.survival.cox_tables import TermRow
from lymphoma.survival.design import Categorical, Continuous

from nodal.evaluation.page import Cell, Column, Row, Table
from nodal.evaluation.words import MISSING, Notes, count, decimal, interval, p_value

__all__ = ["control_table", "covariate_table", "fold_table", "one_table", "subgroup_table"]

STEPS = {"age_years": 10, "suv_max": 10, "suv_peak": 10, "lesion_count": 5, "dmax_mm": 100, "dmax_bulk_mm": 100,
         "sdmax_per_m": 0.1}  # fmt: skip
"""Of what a printed hazard ratio is, in units of the covariate: per millimetre it would read as 1.00."""
TESTS = {
    "t": "Welch's t",
    "mann_whitney": "Mann-Whitney",
    "kruskal": "Kruskal-Wallis",
    "chi_squared": "χ²",
    "fisher": "Fisher's exact",
}


def covariate_table(cox: CoxTables) -> Table:
    """Hazard ratios of each covariate alone and of those named beforehand together."""
    notes = Notes()
    columns = (
        Column("Covariate", align="left"),
        Column("Patients"),
        Column("Hazard ratio", "alone"),
        Column("p"),
        Column("LR χ²", "(df), p"),
        Column("Hazard ratio", "together"),
        Column("p"),
        Column("LR χ²", "(df), p"),
    )
    together = {row.name: row for row in cox.multivariate}
    rows: list[Row] = []
    for alone, n in zip(cox.univariate, cox.univariate_n, strict=True):
        rows += _covariate(alone, together.get(alone.name), n, notes)
    size = f"Together: {count(cox.n)} patients, {count(cox.events)} events; chosen beforehand, not by p."
    named = ", ".join(_covariate_label(name) for name in cox.left_out)
    left_out = (f"No room, or too seldom known, for the model of all together: {named}.",) if named else ()
    problem = (cox.problem,) if cox.problem else ()
    reading = "Hazard ratios with Wald intervals, for the step named; LR: likelihood ratio of the covariate as a whole."
    return Table("", columns, tuple(rows), notes.lines([size, reading, *left_out, *problem]))


def _covariate(alone: TermRow, together: TermRow | None, n: int, notes: Notes) -> list[Row]:
    names = [_named(alone.name, index) for index in range(max(len(alone.coefficients), 1))]
    if alone.problem:
        alone_cells = [[Cell(f"{MISSING} {notes.mark(alone.problem)}"), Cell(MISSING), Cell(MISSING)]]
    else:
        alone_cells = _term(alone)
    together_cells = _term(together) if together else [[Cell(""), Cell(""), Cell("")] for _ in names]
    return [
        Row((Cell(name), Cell(count(n) if not index else ""), *alone_cells[index], *together_cells[index]))
        for index, name in enumerate(names)
    ]


def _covariate_label(name: str) -> str:
    return COVARIATES[name].label if name in COVARIATES else name


def _named(name: str, index: int) -> str:
    """``Stage: III-IV to I-II``, ``TMTV, doubled``, ``Dmax, per 100 mm``."""
    term = COVARIATES[name].term if name in COVARIATES else None
    label = _covariate_label(name)
    if isinstance(term, Categorical):
        return f"{label}: {term.levels[index + 1]} to {term.levels[0]}"
    if isinstance(term, Continuous) and term.scale == "log":
        return f"{label}, doubled"
    unit, step = term.unit if term is not None else "", STEPS.get(name, 1)
    if step == 1:
        return f"{label}, per {unit.removesuffix('s')}" if unit else f"{label}, each"
    return f"{label}, per {step:g} {unit}".rstrip()


def _hazard_ratio(name: str, one: Coefficient) -> Cell:
    """Of the step that is named beside it: the ratio of one unit to that power."""
    term = COVARIATES[name].term if name in COVARIATES else None
    doubled = isinstance(term, Continuous) and term.scale == "log"
    power = math.log(2) if doubled else STEPS.get(name, 1)
    ratio, lower, upper = (end**power for end in (one.hazard_ratio, one.lower, one.upper))
    return Cell(decimal(ratio, 2), interval(lower, upper, 2))


def _term(row: TermRow) -> list[list[Cell]]:
    test = row.likelihood_ratio
    ratio = (
        Cell(f"{test.chi_squared:.1f} ({test.degrees_of_freedom})", f"p {p_value(test.p)}") if test else Cell(MISSING)
    )
    return [
        [
            _hazard_ratio(row.name, one),
            Cell(p_value(one.p)),
            ratio if not index else Cell(""),
        ]
        for index, one in enumerate(row.coefficients)
    ]


def one_table(table: TableOne) -> Table:
    """What the patients are like, by event or by centre."""
    notes = Notes()
    sizes = [f"n = {count(size)}" for size in table.sizes]
    columns = (
        Column("", align="left"),
        *(Column(name[:1].upper() + name[1:], size) for name, size in zip(table.columns, sizes, strict=True)),
        Column("p", "test"),
    )
    rows: list[Row] = []
    for row in table.rows:
        rows += _levels(row, notes) if row.levels else [_number(row, notes)]
        if any(row.missing):
            unknown = [Cell(count(missing)) for missing in row.missing]
            rows.append(Row((Cell("   unknown"), *unknown, Cell(""))))
    before = ("Numbers: median, with quartiles below. Levels: patients, with their share of those known below.",)
    by = {"event": "By event", "centre": "By centre"}[table.by]
    return Table(by, columns, tuple(rows), notes.lines(before))


def _label(row: TableOneRow) -> str:
    return f"{row.label}, {row.unit}" if row.unit else row.label


def _verdict(row: TableOneRow, notes: Notes) -> Cell:
    if row.p is None:
        return Cell(f"{MISSING} {notes.mark(row.problem)}" if row.problem else MISSING)
    return Cell(p_value(row.p), TESTS.get(row.test or "", row.test or ""))


def _number(row: TableOneRow, notes: Notes) -> Row:
    cells = (
        Cell(_figure(middle), f"{_figure(low)} to {_figure(high)}" if middle is not None else "")
        for middle, low, high in zip(row.medians, row.lower_quartiles, row.upper_quartiles, strict=True)
    )
    return Row((Cell(_label(row)), *cells, _verdict(row, notes)))


def _figure(value: float | None) -> str:
    """About three significant figures."""
    return MISSING if value is None else decimal(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)


def _levels(row: TableOneRow, notes: Notes) -> list[Row]:
    rows = [Row((Cell(_label(row)), *([Cell("")] * len(row.known)), _verdict(row, notes)))]
    for index, level in enumerate(row.levels):
        cells = [_share(counts[index], known) for counts, known in zip(row.counts, row.known, strict=True)]
        rows.append(Row((Cell(f"   {level}"), *cells, Cell(""))))
    return rows


def _share(number: int, known: int) -> Cell:
    return Cell(count(number), f"{100 * number / known:.0f} %" if known else "")


def subgroup_table(result: EndpointResult) -> Table:
    """C and calibration slope by centre."""
    notes = Notes()
    labels = {model.key: model.label for model in result.models}
    columns = (Column("Centre, model", align="left"), Column("Harrell C"), Column("Slope", "1 is right"))
    rows: list[Row] = []
    for group in result.subgroups:
        rows.append(Row((Cell(f"{group.name}: {count(group.n)} patients, {count(group.events)} events"),), "group"))
        rows += [
            Row((Cell(f"   {labels[row.model]}"), notes.cell(row.harrell), notes.cell(row.slope, 2)))
            for row in group.rows
        ]
    return Table("", columns, tuple(rows), notes.lines())


def control_table(result: EndpointResult) -> Table:
    """Models on permuted outcomes."""
    labels = {model.key: model.label for model in result.models}
    columns = (
        Column("Model", align="left"),
        Column("Permutations"),
        Column("Mean C", "standard error"),
        Column("SD", "of one"),
        Column("Least"),
        Column("Highest"),
    )
    rows = tuple(
        Row(
            (
                Cell(labels[one.model]),
                Cell(count(one.permutations)),
                Cell(decimal(one.mean), f"± {decimal(one.standard_error)}"),
                *(Cell(decimal(each)) for each in (one.sd, one.lower, one.upper)),
            )
        )
        for one in result.controls
    )
    note = (
        "Outcomes were exchanged between patients and each model fitted anew: a mean away from 0.5 would show a leak."
    )
    return Table("", columns, rows, (note,))


def fold_table(results: Sequence[EndpointResult]) -> Table:
    """Sizes of the folds."""
    columns = (
        Column("Test fold", align="left"),
        Column("Training patients", "(events)"),
        Column("Test patients", "(events)"),
    )
    rows: list[Row] = []
    for result in results:
        rows += [
            Row(
                (
                    Cell(fold.name),
                    Cell(count(fold.train_n), f"({count(fold.train_events)})"),
                    Cell(count(fold.test_n), f"({count(fold.test_events)})"),
                )
            )
            for fold in result.protocol.folds
        ]
    return Table("", columns, tuple(rows))
