"""A model's nomogram with the patient on it, as findings that can be drawn."""

from __future__ import annotations

from typing import cast

import numpy as np
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.model import CURVE_MONTHS, GroupCurve, Prediction, PrognosticModel
from lymphoma.survival.design import Term
from lymphoma.survival.nomogram import Axis, SurvivalReading, Value

from nodal.outlook import Curve, NomogramAxis, NomogramFinding, NomogramPoints, SurvivalAt, SurvivalAxisFinding

__all__ = ["NOMOGRAM_OF", "label_of", "nomogram_finding", "said", "survival_at"]

NOMOGRAM_OF = {"deepmts": "mtdlr", "dfr_signature": "dfr_combined", "site": "site"}
"""System -> name of its nomogram; the others' risk follows from one score, of which a nomogram would say nothing."""


def nomogram_finding(
    system: str, model: PrognosticModel, values: tuple[Value | None, ...], seen: Prediction
) -> NomogramFinding:
    """The nomogram of one endpoint.

    Args:
        values: of the patient, one per covariate of the model, None where not known.
    """
    nomogram, reading = model.nomogram, seen.reading
    whole = not reading.missing
    return NomogramFinding(
        system=system,
        endpoint=model.endpoint,
        points=tuple(
            NomogramPoints(axis.term.name, None if value is None else said(value), points)
            for axis, value, points in zip(nomogram.axes, values, reading.points, strict=True)
        ),
        total_points=reading.least_total if whole else None,
        total_range=(reading.least_total, reading.most_total),
        survival=tuple(survival_at(one) for one in reading.survival),
        missing=reading.missing,
        outside=reading.outside,
        axes=tuple(_axis(axis) for axis in nomogram.axes),
        points_ticks=nomogram.points_ticks,
        total_ticks=nomogram.total_ticks,
        survival_axes=tuple(
            SurvivalAxisFinding(axis.months, tuple((tick.survival, tick.total_points) for tick in axis.ticks))
            for axis in nomogram.survival
        ),
        group=seen.group,
        group_curves=tuple(_group_curve(group) for group in model.groups),
        patient_curves=_patient_curves(seen, whole),
    )


def survival_at(reading: SurvivalReading) -> SurvivalAt:
    """One reading; without a single probability where missing covariates leave a range."""
    low, high = sorted((reading.least, reading.most))
    return SurvivalAt(reading.months, low if low == high else None, (low, high), (reading.lower, reading.upper))


def label_of(term: Term) -> str:
    """A covariate as readers know it, with its unit."""
    known = COVARIATES.get(term.name)
    label = known.label if known else term.name.removeprefix("score:").replace("_", " ")
    unit = getattr(term, "unit", "")
    return f"{label}, {unit}" if unit else label


def said(value: Value) -> str:
    """A value of a covariate as text; numbers without needless digits."""
    return value if isinstance(value, str) else f"{value:.4g}"


def _axis(axis: Axis) -> NomogramAxis:
    ticks = tuple((said(tick.value), tick.points) for tick in axis.ticks)
    return NomogramAxis(axis.term.name, label_of(axis.term), ticks)


def _group_curve(group: GroupCurve) -> Curve:
    months = CURVE_MONTHS[: len(group.survival)]
    return Curve(
        group.name, months, group.survival, group.lower, group.upper, group.at_risk, n=group.n, events=group.events
    )


def _patient_curves(seen: Prediction, whole: bool) -> tuple[Curve, ...]:
    names = ("this patient",) if whole else ("this patient, at best", "this patient, at worst")
    curves = []
    for name, row in zip(names, seen.curve, strict=False):
        known = np.isfinite(row)
        months = tuple(float(month) for month in np.array(CURVE_MONTHS)[known])
        curves.append(Curve(name, months, tuple(cast(list[float], row[known].tolist()))))
    return tuple(curves)
