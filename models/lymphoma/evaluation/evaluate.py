"""An evaluation from patients to numbers: :func:`evaluate`.

What is fitted is fitted in training folds; what is shown comes from patients that the fit did not see. All models of
an endpoint are compared on one set of patients, those for whom every one of them can be computed.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from lymphoma.evaluation.added import added_value, comparisons, multiplicity_note
from lymphoma.evaluation.controls import permuted
from lymphoma.evaluation.described import cox_tables, table_one
from lymphoma.evaluation.figures import Figures, draw
from lymphoma.evaluation.measures import (
    Panel,
    Setting,
    accuracy_panel,
    benefit_panel,
    distance_panel,
    ranking_panel,
    slope_panel,
    threshold_panel,
)
from lymphoma.evaluation.modelwise import Judged, model_result
from lymphoma.evaluation.options import Meter, Options, Progress
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.prepared import Prepared, prepare
from lymphoma.evaluation.protocols import described
from lymphoma.evaluation.result import EndpointResult, Evaluation, ModelResult, TableOne
from lymphoma.evaluation.subgroups import centre_panels, subgroups
from lymphoma.prognosis.model import HORIZONS_MONTHS as CALIBRATED_MONTHS
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.curves import median_follow_up_months

__all__ = ["Options", "Progress", "evaluate"]

DISTANCE_RESAMPLES = 250
"""Of the calibration distances: each refits a curve and sorts all patients; the same draws as the first of the rest."""
PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-survival", "lifelines")


def evaluate(patients: Patients, options: Options | None = None, *, progress: Progress | None = None) -> Evaluation:
    """Judges the baselines and every bundle that has scores of these patients.

    Raises:
        NotComputable: ``SCORES_NOT_OUT_OF_FOLD``, ``TOO_FEW_EVENTS``, ``FOLDS_IMPOSSIBLE``,
            ``HORIZON_BEYOND_FOLLOW_UP`` where follow-up does not reach a year in every fold.
    """
    chosen = options or Options()
    meter, count = Meter(progress), len(chosen.endpoints)
    found = tuple(
        _endpoint(patients, endpoint, chosen, meter.part(number / count, (number + 1) / count))
        for number, endpoint in enumerate(chosen.endpoints)
    )
    return Evaluation(
        patients.cohort,
        patients.virtual,
        len(patients),
        len(set(patients.centres)),
        chosen.seed,
        chosen.resamples,
        found,
        tuple((name, version(name)) for name in PACKAGES),
    )


def _endpoint(patients: Patients, endpoint: Endpoint, options: Options, meter: Meter) -> EndpointResult:
    ready = prepare(patients, endpoint, options, meter.part(0.0, 0.25, "fitting models"))
    figures = _figures(ready, options, meter.part(0.25, 0.75))
    results = _results(ready, figures, meter.part(0.75, 0.88, "calibration and groups of each model"))
    differences = comparisons(ready.models, ready.follow_up, ready.repeats, figures)
    by_centre = subgroups([row.key for row in ready.compared], ready.follow_up, ready.tested, ready.centres, figures)
    controls = permuted(
        ready.models,
        ready.follow_up,
        ready.repeats[0].splits,
        permutations=options.permutations,
        seed=options.seed,
        untouched=options.protocol.kind == "as_is",
        progress=meter.part(0.9, 1.0, "permuted outcomes"),
    )
    return EndpointResult(
        endpoint=endpoint,
        protocol=described(options.protocol, ready.repeats[0].splits, ready.follow_up, options.seed),
        n_known=int(ready.known.size),
        n=int(ready.tested.sum()),
        events=int(ready.follow_up.event[ready.tested].sum()),
        follow_up_months=median_follow_up_months(ready.follow_up),
        horizons_months=ready.horizons,
        tau_months=ready.horizons[-1],
        models=ready.rows,
        results=results,
        added=added_value(ready.models, ready.follow_up, ready.repeats, figures, ready.horizons),
        comparisons=differences,
        cox=cox_tables(patients, ready.known, ready.outcome),
        table_ones=_table_ones(patients, ready),
        subgroups=by_centre,
        controls=controls,
        notes=ready.notes,
        multiplicity=multiplicity_note(len(differences)),
    )


def _figures(ready: Prepared, options: Options, meter: Meter) -> Figures:
    """Every figure with its draws; patients are drawn within the folds of the first repeat."""
    keys = tuple(model.key for model in ready.models)
    flat = np.array([model.kind == "null" for model in ready.models])
    settings = [Setting(keys, flat, ready.follow_up, predicted, ready.horizons) for predicted in ready.repeats]
    strata = ready.repeats[0].fold
    figures = draw(
        [_panels(setting, ready.centres) for setting in settings],
        strata,
        resamples=options.resamples,
        seed=options.seed,
        progress=meter.part(0.0, 0.7, "resampling patients"),
    )
    calibrated = [months for months in ready.horizons if months in CALIBRATED_MONTHS]
    fewer = draw(
        [[distance_panel(setting, [months]) for months in calibrated] for setting in settings],
        strata,
        resamples=min(options.resamples, DISTANCE_RESAMPLES),
        seed=options.seed,
        progress=meter.part(0.7, 1.0, "resampling calibration curves"),
    )
    return figures.with_more(fewer)


def _panels(setting: Setting, centres: tuple[str, ...]) -> list[Panel]:
    return [
        ranking_panel(setting),
        accuracy_panel(setting),
        slope_panel(setting),
        threshold_panel(setting),
        benefit_panel(setting),
        *centre_panels(setting, centres),
    ]


def _results(ready: Prepared, figures: Figures, meter: Meter) -> tuple[ModelResult, ...]:
    judged = Judged(ready.follow_up, ready.repeats, figures, ready.horizons)
    found = []
    for row, model in enumerate(ready.compared):
        found.append(model_result(judged, model, row))
        meter(row + 1, len(ready.compared))
    return tuple(found)


def _table_ones(patients: Patients, ready: Prepared) -> tuple[TableOne, ...]:
    by_event = table_one(patients, ready.known, "event", ready.outcome.event)
    if len({patients.centres[i] for i in ready.known}) < 2:
        return (by_event,)
    return by_event, table_one(patients, ready.known, "centre", ready.outcome.event)
