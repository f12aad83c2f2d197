"""What the commands on bundles print: every figure with the limit it was held against, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator

from lymphoma.evaluation.recalibrate import CalibrationFigures, RecalibrationResult
from rich.table import Table

from nodal.evaluation.calibrate import CalibrationRun
from nodal.evaluation.combine import Combination
from nodal.evaluation.qualify import Qualification

__all__ = ["acceptance_table", "calibration_tables", "combination_table"]


def calibration_tables(run: CalibrationRun) -> Iterator[Table]:
    """One table per endpoint: before and after the correction."""
    for one in run.endpoints:
        title = f"{one.endpoint.upper()}, {run.bundle} on {run.cohort}"
        if one.result is None:
            table = Table(title=title)
            table.add_column("not corrected")
            table.add_row(f"{one.code}: {one.reason}")
            yield table
            continue
        yield _calibration(title, one.result)


def _calibration(title: str, result: RecalibrationResult) -> Table:
    fit = result.recalibration
    said = f"{title}\nintercept {fit.intercept:.3f}, slope {fit.slope:.3f}; {fit.n} patients, {fit.events} events"
    table = Table(title=said, caption="after: each fifth of the patients corrected by what the others gave")
    for heading in ("figure", "before", "after"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for (name, before), (_, after) in zip(_rows(result.before), _rows(result.after), strict=True):
        table.add_row(name, before, after)
    return table


def _rows(found: CalibrationFigures) -> Iterator[tuple[str, str]]:
    yield "slope", f"{found.slope:.3f} ({found.slope_low:.3f} to {found.slope_high:.3f})"
    yield "expected/observed events", f"{found.expected_over_observed:.3f}"
    for one in found.horizons:
        at = f"{one.months:g} months"
        yield f"by {at}", _number(one.expected_over_observed)
        yield f"ICI at {at}", _number(one.ici)


def acceptance_table(found: Qualification) -> Table:
    """Every check of a run with its limit."""
    acceptance = found.acceptance
    word = "passed" if acceptance.passed else "NOT passed"
    use = "its level stays" if found.level == "E0" else "enabled" if found.enabled else "disabled"
    table = Table(title=f"{found.bundle} ({found.level}, {use}) on {acceptance.cohort}: {word}")
    for heading in ("check", "value", "limit", ""):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for check in acceptance.checks:
        table.add_row(check.name, _number(check.value), check.limit, "passed" if check.passed else "failed")
    return table


def combination_table(found: Combination) -> Table:
    """Weights and concordance of each endpoint."""
    table = Table(title=f"{found.bundle} ({found.level}): {', '.join(found.parts)} and the IMPI on {found.cohort}")
    for heading in ("endpoint", "patients", "events", "weights", "C (95 % interval)", "sub-models"):
        table.add_column(heading)
    for one in found.endpoints:
        if one.code is not None:
            table.add_row(one.endpoint, "", "", f"{one.code}: {one.reason}", "", "")
            continue
        weights = ", ".join(f"{name} {weight:.3f}" for name, weight in one.weights)
        c = f"{_number(one.harrell_c)} ({_number(one.low)} to {_number(one.high)})"
        made = f"{one.sub_models} of {one.sub_models + one.passed}"
        table.add_row(one.endpoint, str(one.n), str(one.events), f"{one.rule}: {weights}", c, made)
    return table


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
