"""Fitting a prognostic model: Cox, axes, cut-offs, and the curves of the groups they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.prognosis.model import (
    CURVE_MONTHS,
    HORIZONS_MONTHS,
    CutOffRule,
    Endpoint,
    GroupCurve,
    PrognosticModel,
    WithheldHorizon,
)
from lymphoma.survival.baseline import Baseline
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.curves import LEAST_EVENTS, kaplan_meier
from lymphoma.survival.cutoffs import fit_cutoff
from lymphoma.survival.design import Term, columns_of, encode
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.groups import groups_by_cutoffs
from lymphoma.survival.nomogram import Value, axis_values

__all__ = ["CUTOFF_MONTHS", "GROUP_NAMES", "fit_prognostic_model", "group_curve"]

CUTOFF_MONTHS = 24.0
"""Horizon of Youden's cut-off: most events of aggressive lymphoma fall before it (evidence of the papers: 2 years)."""
GROUP_NAMES = {1: ("all",), 2: ("low", "high"), 3: ("low", "intermediate", "high")}
_NO_CUTOFF = ("ONE_CLASS", "NO_SEPARATION", "HORIZON_BEYOND_FOLLOW_UP")
STEPS_A_MONTH = 10
"""The baseline is kept as it stands at each tenth of a month, where it is exact: thousands of event times of a large
cohort would fill a file with steps that nobody can tell apart."""


def fit_prognostic_model(
    endpoint: Endpoint,
    terms: Sequence[Term],
    columns: Sequence[Sequence[Value]],
    follow_up: FollowUp,
    *,
    rule: CutOffRule = "youden_24m",
    out_of_fold: Floats | None = None,
) -> PrognosticModel:
    """Fits on n complete patients.

    Args:
        terms: covariates. columns: n values for each (:func:`lymphoma.prognosis.reading.complete`).
        rule: "youden_24m" cuts once where Youden's index at 24 months, weighted for censoring, is largest; "terciles"
            cuts twice; "none" leaves all patients in one group. Where Youden's index finds nothing better than chance,
            the model has no cut-off.
        out_of_fold: (n,) linear predictors by models that never saw the patient, about the mean covariates of all n.
            Cut-offs and the patients' groups then follow from these; without them from the model's own.

    Raises:
        NotComputable: ``COX_NOT_FITTED``, ``TOO_FEW_EVENTS``, ``COVARIATE_INVALID``, ``NO_EFFECT``.
    """
    cox = fit_cox(columns_of(terms), encode(terms, columns), follow_up, endpoint=endpoint)
    own = cox.linear_predictor(encode(terms, columns))
    score = own if out_of_fold is None else np.asarray(out_of_fold, dtype=np.float64)
    cutoffs = _cutoffs(follow_up, score, rule)
    horizons, withheld = _horizons(follow_up)
    model = PrognosticModel(
        endpoint=endpoint,
        terms=tuple(terms),
        axis_values=axis_values(terms, columns),
        cox=replace(cox, baseline=_thinned(cox.baseline)),
        horizons_months=horizons,
        percentiles=tuple(np.quantile(own, np.linspace(0, 1, 101)).tolist()),
        cutoffs=cutoffs,
        groups=_groups(follow_up, score, cutoffs),
        cutoff_rule=rule if cutoffs else "none",
        grouped_out_of_fold=out_of_fold is not None,
        withheld_horizons=withheld,
    )
    _ = model.nomogram  # refuses here what could not be drawn later
    return model


def _cutoffs(follow_up: FollowUp, score: Floats, rule: CutOffRule) -> tuple[float, ...]:
    if rule == "none":
        return ()
    if rule == "terciles":
        low, high = (float(cut) for cut in np.quantile(score, [1 / 3, 2 / 3]))
        return (low, high) if low < high else ()
    try:
        return (fit_cutoff(follow_up, score, CUTOFF_MONTHS, "ipcw").value,)
    except NotComputable as error:
        if error.code in _NO_CUTOFF:
            return ()
        raise


def _horizons(follow_up: FollowUp) -> tuple[tuple[float, ...], tuple[WithheldHorizon, ...]]:
    """Times at which survival may be said: somebody was followed to them, and 10 events had happened."""
    kept: list[float] = []
    withheld: list[WithheldHorizon] = []
    for months in HORIZONS_MONTHS:
        if months > follow_up.months.max():
            withheld.append(WithheldHorizon(months, "beyond_follow_up"))
        elif follow_up.closed_at(months).events < LEAST_EVENTS:
            withheld.append(WithheldHorizon(months, "too_few_events"))
        else:
            kept.append(months)
    return tuple(kept), tuple(withheld)


def _groups(follow_up: FollowUp, score: Floats, cutoffs: tuple[float, ...]) -> tuple[GroupCurve, ...]:
    names = GROUP_NAMES[len(cutoffs) + 1]
    group = groups_by_cutoffs(score, cutoffs) if cutoffs else np.zeros(len(score), dtype=np.int64)
    return tuple(group_curve(name, follow_up.take(group == number)) for number, name in enumerate(names))


def group_curve(name: str, follow_up: FollowUp) -> GroupCurve:
    """Kaplan-Meier curve of a risk group, at the months of its drawing that were followed."""
    found = kaplan_meier(follow_up)
    months = np.array([month for month in CURVE_MONTHS if month <= follow_up.months.max()])
    step = np.searchsorted(found.months, months, side="right") - 1
    return GroupCurve(
        name,
        follow_up.n,
        follow_up.events,
        tuple(found.survival[step].tolist()),
        tuple(_bound(found.lower[step], found.survival[step])),
        tuple(_bound(found.upper[step], found.survival[step])),
        tuple(found.numbers_at_risk(months).tolist()),
    )


def _bound(bound: Floats, survival: Floats) -> list[float]:
    """Where survival is 1 or 0 its interval on the log(-log) scale is not defined; it is drawn as the curve itself."""
    found: list[float] = np.where(np.isfinite(bound), bound, survival).tolist()
    return found


def _thinned(baseline: Baseline) -> Baseline:
    """The steps at tenths of a month alone: exact there, up to a tenth late between them."""
    tenths = np.unique(np.ceil(baseline.months * STEPS_A_MONTH - 1e-9)) / STEPS_A_MONTH
    tenths = np.unique(np.minimum(tenths, baseline.last_months))
    hazard, variance, shift = baseline.at(tenths)
    return replace(baseline, months=tenths, cumulative_hazard=hazard, variance=variance, shift=shift)
