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
    TestResult,
)

from nodal.evaluation.page import Cell, Column, Row, Table
from nodal.evaluation.pictures import REFERENCE
from nodal.evaluation.words import MISSING, Notes, count, decimal, p_value, years

__all__ = [
    "added_benefit_table",
    "added_table",
    "as_published_table",
    "benefit_table",
    "calibration_table",
    "comparison_table",
    "model_table",
]

MODEL = Column("Model", align="left")
ADDED_NOTE = (
    "Differences to the refitted IMPI, on the same patients and resamples. LR: likelihood ratio of the model's score "
    "beside its covariates."
)


def added_table(result: EndpointResult) -> Table:
    """What each model adds to the refitted IMPI."""
    notes = Notes()
    labels = {model.key: model.label for model in result.models}
    columns = (
        MODEL,
        Column("LR χ²", "(df), p"),
        Column("Δ Harrell C"),
        Column("Δ Uno C"),
        *(Column("Δ AUC", f"at {years(months)}") for months in _months(one.auc for one in result.added)),
        Column("Δ IBS", "< 0 is better"),
    )
    rows = tuple(_added_row(one, labels[one.model], columns, result, notes) for one in result.added)
    return Table("", columns, rows, notes.lines([ADDED_NOTE]))


def _added_row(one: Added, label: str, columns: Sequence[Column], result: EndpointResult, notes: Notes) -> Row:
    if one.problem:
        return Row((Cell(label), Cell(f"{MISSING} {notes.mark(one.problem)}"), *([Cell(MISSING)] * (len(columns) - 2))))
    test = one.likelihood_ratio
    ratio = (
        Cell(f"{test.chi_squared:.1f} ({test.degrees_of_freedom})", f"p {p_value(test.p)}") if test else Cell(MISSING)
    )
    changes = (
        one.harrell,
        one.uno,
        *(_at(one.auc, months) for months in _months(each.auc for each in result.added)),
        one.integrated_brier,
    )
    return Row((Cell(label), ratio, *(notes.cell(change, signed=True) for change in changes)))


def added_benefit_table(result: EndpointResult) -> Table:
    """The change of net benefit at a few thresholds."""
    notes = Notes()
    labels = {model.key: model.label for model in result.models}
    thresholds = _thresholds([one.net_benefit for one in result.added])
    columns = (MODEL, *(Column("Δ net benefit", f"at {100 * threshold:g} % risk") for threshold in thresholds))
    rows = []
    for one in result.added:
        found = {at.threshold: at.estimate for at in one.net_benefit}
        changes = (notes.cell(found.get(threshold, Estimate(None)), signed=True) for threshold in thresholds)
        rows.append(Row((Cell(labels[one.model]), *changes)))
    return Table("", columns, tuple(rows), notes.lines())


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
