"""What the commands on bundles print: every figure with the limit it was held against, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator

from lymphoma.evaluation.recalibrate import CalibrationFigures, RecalibrationResult
from rich.table import Table

from nodal.evaluation.calibrate import CalibrationRun
from nodal.evaluation.qualify import Qualification

__all__ = ["acceptance_table", "calibration_tables"]


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


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
