"""The tables that judge the models: what each adds, how each ranks, whether its percentages come true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lymphoma.evaluation.result import (
    Added,
    AtHorizon,
    AtThreshold,
    EndpointResult,
    Estimate,
    ModelResult,
    RiskGroups,
    TestResult,
)
from lymphoma.survival.curves import Rate

from nodal.evaluation.page import Cell, Column, Row, Table
from nodal.evaluation.pictures import REFERENCE
from nodal.evaluation.words import MISSING, Notes, count, decimal, interval, p_value, percent, years

__all__ = [
    "added_table",
    "as_published_table",
    "benefit_table",
    "calibration_table",
    "comparison_table",
    "group_table",
    "model_table",
    "threshold_table",
]

MODEL = Column("Model", align="left")
TEN_EVENTS = "Withheld: a percentage that rests on fewer than 10 events is not printed."


def added_table(result: EndpointResult) -> Table:
    """What each model adds to the refitted IMPI."""
    notes = Notes()
    labels = {model.key: model.label for model in result.models}
    thresholds = _thresholds([one.net_benefit for one in result.added])
    columns = (
        MODEL,
        Column("Likelihood ratio", "χ² (df), p"),
        Column("Δ Harrell C"),
        Column("Δ Uno C"),
        *(Column("Δ AUC", f"at {years(months)}") for months in _months(one.auc for one in result.added)),
        Column("Δ IBS", "below 0 is better"),
        *(Column("Δ net benefit", f"at {100 * t:g} % risk") for t in thresholds),
    )
    rows = tuple(_added_row(one, labels[one.model], columns, thresholds, result, notes) for one in result.added)
    return Table(
        "", columns, rows, notes.lines(["Differences to the refitted IMPI, on the same patients and resamples."])
    )


def _added_row(
    one: Added, label: str, columns: Sequence[Column], thresholds: Sequence[float], result: EndpointResult, notes: Notes
) -> Row:
    if one.problem:
        return Row((Cell(label), Cell(f"{MISSING} {notes.mark(one.problem)}"), *([Cell(MISSING)] * (len(columns) - 2))))
    test = one.likelihood_ratio
    ratio = (
        Cell(f"{test.chi_squared:.1f} ({test.degrees_of_freedom})", f"p {p_value(test.p)}") if test else Cell(MISSING)
    )
    benefits = {at.threshold: at.estimate for at in one.net_benefit}
    changes = (
        one.harrell,
        one.uno,
        *(_at(one.auc, months) for months in _months(each.auc for each in result.added)),
        one.integrated_brier,
        *(benefits.get(threshold, Estimate(None)) for threshold in thresholds),
    )
    return Row((Cell(label), ratio, *(notes.cell(change, signed=True) for change in changes)))


def model_table(result: EndpointResult) -> Table:
    """Every model in the fixed order: ranking and accuracy with intervals, those left out with the reason."""
    notes = Notes()
    done = {one.model.key: one for one in result.results}
    columns = (
        Column("Model", "patients (events)", "left"),
        Column("Harrell C"),
        Column("Uno C"),
        *(Column("AUC", f"at {years(months)}") for months in result.horizons_months),
        Column("IBS", "lower is better"),
        Column("Slope", "1 is right"),
    )
    rows = []
    for model in result.models:
        label = Cell(model.label, f"{count(model.n)} ({count(model.events)})")
        one = done.get(model.key)
        if one is None:
            reason = notes.mark(model.problem or "not compared")
            rest = [Cell(f"{MISSING} {reason}"), *([Cell(MISSING)] * (len(columns) - 2))]
        else:
            rest = [notes.cell(value) for value in _judged(one, result)]
        rows.append(Row((label, *rest), "strong" if model.key == REFERENCE else "plain"))
    before = (
        f"All models on the same {count(result.n)} patients with {count(result.events)} events, for whom each of them "
        "can be computed; below its name stands how many a model can be computed for.",
        f"IBS: integrated Brier score to {result.tau_months:g} months. Intervals are 95 % percentile intervals.",
    )
    return Table("", columns, tuple(rows), notes.lines(before))


def _judged(one: ModelResult, result: EndpointResult) -> tuple[Estimate, ...]:
    return (
        one.discrimination.harrell,
        one.discrimination.uno,
        *(_at(one.discrimination.auc, months) for months in result.horizons_months),
        one.accuracy.integrated,
        one.calibration.slope,
    )


def calibration_table(result: EndpointResult) -> Table:
    """Distances between predicted and observed risk, and the test, per model and horizon."""
    notes = Notes()
    columns = (MODEL, Column("At"), Column("ICI"), Column("E50"), Column("E90"), Column("GND χ²", "(df)"), Column("p"))
    rows = []
    for one in result.results:
        for index, at in enumerate(one.calibration.horizons):
            label = Cell("" if index else one.model.label)
            when = Cell(years(at.months))
            if at.problem:
                rows.append(Row((label, when, Cell(f"{MISSING} {notes.mark(at.problem)}"), *([Cell(MISSING)] * 4))))
                continue
            distances = (notes.cell(each) for each in (at.ici, at.e50, at.e90))
            rows.append(Row((label, when, *distances, *_test_cells(at.gnd, notes))))
    before = (
        "ICI, E50, E90: mean, median and 90th percentile of the distance between predicted risk and the risk observed "
        "along a flexible curve. GND: test of Greenwood, Nam and D'Agostino; a small p speaks against the calibration.",
    )
    return Table("", columns, tuple(rows), notes.lines(before))


def _test_cells(test: TestResult, notes: Notes) -> tuple[Cell, Cell]:
    if test.statistic is None:
        return Cell(f"{MISSING} {notes.mark(test.problem)}" if test.problem else MISSING), Cell(MISSING)
    return Cell(f"{test.statistic:.1f} ({test.degrees_of_freedom})"), Cell(p_value(test.p))


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


def benefit_table(result: EndpointResult) -> Table:
    """Net benefit at a few thresholds."""
    notes = Notes()
    thresholds = _thresholds([one.decision.chosen for one in result.results])
    columns = (MODEL, *(Column("Net benefit", f"at {100 * threshold:g} % risk") for threshold in thresholds))
    rows = []
    for one in result.results:
        if one.decision.problem:
            reason = Cell(f"{MISSING} {notes.mark(one.decision.problem)}")
            rows.append(Row((Cell(one.model.label), *([reason] * len(thresholds)))))
            continue
        chosen = {at.threshold: at.estimate for at in one.decision.chosen}
        cells = (notes.cell(chosen.get(threshold, Estimate(None))) for threshold in thresholds)
        rows.append(Row((Cell(one.model.label), *cells), "strong" if one.model.key == REFERENCE else "plain"))
    before = ("Events gained per patient, less the others acted on at the odds of the threshold.",)
    return Table("", columns, tuple(rows), notes.lines(before))


def comparison_table(result: EndpointResult) -> Table:
    """Differences of C between models, with the wording that they allow."""
    notes = Notes()
    labels = {model.key: model.label for model in result.models}
    columns = (
        Column("Comparison", align="left"),
        Column("Δ Harrell C"),
        Column("p", "bootstrap"),
        Column("p", "Holm"),
        Column("p", "Kang"),
        Column("What may be said", align="left"),
    )
    rows = tuple(
        Row(
            (
                Cell(f"{labels[one.first]} against {labels[one.second]}"),
                notes.cell(one.difference, signed=True),
                Cell(p_value(one.difference.p)),
                Cell(p_value(one.p_holm)),
                Cell(p_value(one.kang.p if one.kang else None)),
                Cell(one.verdict.sentence),
            )
        )
        for one in result.comparisons
    )
    return Table("", columns, rows, notes.lines([result.multiplicity]))


def as_published_table(result: EndpointResult) -> Table:
    """The naive figures of the papers."""
    notes = Notes()
    columns = (
        MODEL, Column("By"), Column("Naive AUC", "DeLong interval"), Column("Hosmer-Lemeshow", "χ² (df)"), Column("p"),
        Column("Sensitivity"), Column("Specificity"), Column("PPV"), Column("NPV"),
    )  # fmt: skip
    rows = tuple(
        Row(
            (
                Cell("" if index else one.model.label),
                Cell(years(at.months)),
                notes.cell(at.auc),
                *_test_cells(at.hosmer_lemeshow, notes),
                *(Cell(decimal(each, 2)) for each in (at.sensitivity, at.specificity, at.ppv, at.npv)),
            )
        )
        for one in result.results
        for index, at in enumerate(one.as_published.horizons)
    )
    return Table("", columns, rows, notes.lines())


def _at(values: Sequence[AtHorizon], months: float) -> Estimate:
    return next((one.estimate for one in values if one.months == months), Estimate(None))


def _months(lists: Iterable[Sequence[AtHorizon]]) -> list[float]:
    return sorted({at.months for values in lists for at in values})


def _thresholds(lists: Iterable[Sequence[AtThreshold]]) -> list[float]:
    return sorted({at.threshold for values in lists for at in values})
