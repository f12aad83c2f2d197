"""The pictures of an evaluation as data: intervals side by side, calibration, survival of groups, net benefit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lymphoma.evaluation.result import EndpointResult, Estimate, HorizonCalibration, ModelResult
from lymphoma.prognosis.model import CURVE_MONTHS, GroupCurve

from nodal.evaluation.forest import Forest, ForestRow, height_of
from nodal.evaluation.page import Figure
from nodal.evaluation.words import ENDPOINTS, decimal, interval, p_value, years
from nodal.report.chart import Chart, RiskTable, Series

__all__ = [
    "CALIBRATION_KEY",
    "REFERENCE",
    "added_forest",
    "calibration_figures",
    "decision_figures",
    "discrimination_forest",
    "group_figure",
]

REFERENCE = "impi_refitted"
"""The model that the others are held against."""
FULL, HALF, THIRD = 509.0, 247.0, 160.0
"""Widths in points: the page, half and a third of it less the gaps."""
CALIBRATED_BY_FIT = ("null", "measure", "published")
"""Their survival is a Cox model of one number, fitted in the training fold: its calibration is that of the fit, and the
table has its figures."""
CALIBRATION_KEY = (
    "Points: patients in groups of similar predicted survival, against Kaplan-Meier with its 95 % interval. "
    "Line: along all patients, by a flexible curve. Dashed: where predictions come true."
)
TICKS_MONTHS = (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
BESIDE = 3
"""Models in one chart of net benefit beside the reference: more curves than that cannot be followed."""
ROOM_BELOW = 0.3
"""Depth of the net benefit's axis below 0, as a share of its height above."""


def discrimination_forest(result: EndpointResult) -> Figure:
    """Harrell's C of every compared model."""
    rows = tuple(
        _forest_row(one.model.label, one.discrimination.harrell, strong=one.model.key == REFERENCE)
        for one in result.results
    )
    title = f"Harrell's C, {ENDPOINTS[result.endpoint].lower()}"
    return _forest(Forest(title, "C-index, 0.5 is chance", rows, 0.5))


def added_forest(result: EndpointResult) -> Figure | None:
    """Change in Harrell's C over the refitted IMPI; None where no model stands beside it."""
    if not result.added:
        return None
    labels = {model.key: model.label for model in result.models}
    rows = tuple(_forest_row(labels[one.model], one.harrell, signed=True) for one in result.added)
    return _forest(Forest("Change in Harrell's C over the refitted IMPI", "above 0 is better", rows, 0.0))


def _forest(forest: Forest) -> Figure:
    said = "; ".join(f"{row.label}: {row.said}" for row in forest.rows)
    return Figure(forest, FULL, height_of(forest), f"{forest.title}. {said}.")


def _forest_row(label: str, estimate: Estimate, *, signed: bool = False, strong: bool = False) -> ForestRow:
    if estimate.value is None:
        return ForestRow(label, None, None, None, "not computed", strong)
    ends = interval(estimate.lower, estimate.upper)
    said = decimal(estimate.value, signed=signed) + (f" ({ends})" if ends else "")
    return ForestRow(label, estimate.value, estimate.lower, estimate.upper, said, strong)


def calibration_figures(one: ModelResult) -> tuple[Figure, ...]:
    """A picture per horizon, :data:`CALIBRATION_KEY` tells of what; none for :data:`CALIBRATED_BY_FIT`."""
    if one.model.kind in CALIBRATED_BY_FIT:
        return ()
    return tuple(_calibration(one.model.label, at) for at in one.calibration.horizons if at.problem is None)


def _calibration(label: str, at: HorizonCalibration) -> Figure:
    shown = [group for group in at.groups if group.observed is not None]
    hidden = len(at.groups) - len(shown)
    curve = Series(
        "",
        [1 - risk for risk in reversed(at.curve_predicted)],
        [1 - risk for risk in reversed(at.curve_observed)],
        colour=0,
    )
    groups = Series(
        "",
        [group.predicted for group in shown],
        [_known(group.observed) for group in shown],
        "points",
        [_known(group.lower) for group in shown],
        [_known(group.upper) for group in shown],
        0,
    )
    ideal = Series("", (0.0, 1.0), (0.0, 1.0), "dashed")
    series = (ideal, *([curve] if curve.x else []), *([groups] if shown else []))
    note = f"{hidden} of {len(at.groups)} groups withheld: fewer than 10 events." if hidden else ""
    chart = Chart(
        f"At {years(at.months)}", "Predicted survival", "Observed survival", (0.0, 1.0), (0.0, 1.0), series,
        SHARES, SHARES, percent=True, note=note, x_percent=True,
    )  # fmt: skip
    words = ", ".join(f"{group.predicted:.2f} against {_known(group.observed):.2f}" for group in shown)
    return Figure(chart, THIRD, 168.0, f"Calibration of {label} at {years(at.months)}; predicted survival: {words}.")


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def group_figure(one: ModelResult) -> Figure | None:
    """Kaplan-Meier curves of the groups with numbers at risk and log-rank.

    None where there are no groups, and for a single measure, whose figures stand in the table.
    """
    groups = one.groups
    if not groups.curves or one.model.kind == "measure":
        return None
    reach = max(len(curve.survival) for curve in groups.curves) - 1
    last = max(12.0, 12.0 * math.ceil(CURVE_MONTHS[max(reach, 0)] / 12))
    ticks = tuple(tick for tick in TICKS_MONTHS if tick <= last)
    series = tuple(_curve(curve, index) for index, curve in enumerate(groups.curves))
    table = RiskTable(ticks, tuple((_named(curve), _at_risk(curve, ticks)) for curve in groups.curves))
    chart = Chart(
        one.model.label, "Months", "Without event, with 95 % interval", (0.0, last), (0.0, 1.0), series, ticks, SHARES,
        percent=True, table=table, note=_tests(one),
    )  # fmt: skip
    sizes = ", ".join(f"{curve.name} {curve.n} patients, {curve.events} events" for curve in groups.curves)
    return Figure(chart, HALF, 232.0, f"Kaplan-Meier curves by {one.model.label}: {sizes}. {_tests(one)}")


def _named(curve: GroupCurve) -> str:
    return curve.name[:1].upper() + curve.name[1:]


def _curve(curve: GroupCurve, index: int) -> Series:
    months = CURVE_MONTHS[: len(curve.survival)]
    return Series(_named(curve), months, curve.survival, "step", curve.lower, curve.upper, index)


def _at_risk(curve: GroupCurve, ticks: Sequence[float]) -> tuple[int, ...]:
    """Nobody is at risk where the list has ended."""
    numbers = dict(zip(CURVE_MONTHS, curve.at_risk, strict=False))
    return tuple(numbers.get(tick, 0) for tick in ticks)


def _tests(one: ModelResult) -> str:
    parts = []
    if test := one.groups.log_rank:
        parts.append(f"Log-rank χ² {test.chi_squared:.1f}, p {_with_sign(p_value(test.p))}.")
    ratio = one.groups.hazard_ratio
    if ratio.value is not None:
        ends = interval(ratio.lower, ratio.upper, 2)
        parts.append(f"Hazard ratio {decimal(ratio.value, 2)}" + (f" ({ends})." if ends else "."))
    return " ".join(parts)


def _with_sign(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def decision_figures(result: EndpointResult) -> tuple[Figure, ...]:
    """Net benefit, the reference in every picture with at most three others."""
    judged = [one for one in result.results if one.decision.problem is None and one.model.kind != "null"]
    reference = [one for one in judged if one.model.key == REFERENCE]
    others = [one for one in judged if one.model.key != REFERENCE]
    chunks = [others[start : start + BESIDE] for start in range(0, len(others), BESIDE)] or [[]]
    return tuple(_decision([*reference, *chunk]) for chunk in chunks if reference or chunk)


def _decision(models: Sequence[ModelResult]) -> Figure:
    first = models[0].decision
    everybody = [_known(value) for value in first.everybody]
    curves = tuple(
        Series(one.model.label, one.decision.thresholds, [_known(v) for v in one.decision.model], colour=index)
        for index, one in enumerate(models)
    )
    ends = (first.thresholds[0], first.thresholds[-1])
    series = (Series("Act on all", first.thresholds, everybody), Series("Act on nobody", ends, (0.0, 0.0), "dashed"))
    most = max((v for one in (*curves, series[0]) for v in one.y if math.isfinite(v)), default=0.0)
    top = 1.08 * most if most > 0 else 0.1
    chart = Chart(
        f"By {years(first.months)}", "Threshold of the predicted risk", "Net benefit per patient",
        (0.0, ends[1]), (-ROOM_BELOW * top, top), (*series, *curves), x_percent=True,
    )  # fmt: skip
    names = ", ".join(one.model.label for one in models)
    return Figure(
        chart, HALF, 222.0, f"Net benefit by {years(first.months)} of {names}, of acting on all and on nobody."
    )
