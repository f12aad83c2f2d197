"""An evaluation from patients to numbers: :func:`evaluate`.

What is fitted is fitted in training folds; what is shown comes from patients that the fit did not see. All models of
an endpoint are compared on one set of patients, those for whom every one of them can be computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.evaluation.added import added_value, comparisons, multiplicity_note
from lymphoma.evaluation.baselines import Candidate, candidates
from lymphoma.evaluation.controls import permuted
from lymphoma.evaluation.described import cox_tables, table_one
from lymphoma.evaluation.figures import Figures, draw
from lymphoma.evaluation.fitting import HORIZONS_MONTHS, Predictions, fit_model, predictions, usable_horizons
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
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.protocols import Protocol, Split, described, make_splits
from lymphoma.evaluation.result import EndpointResult, Evaluation, Model, TableOne
from lymphoma.evaluation.subgroups import centre_panels, subgroups
from lymphoma.prognosis.model import HORIZONS_MONTHS as CALIBRATED_MONTHS
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.curves import LEAST_EVENTS, median_follow_up_months
from lymphoma.survival.follow_up import FollowUp, Ints

__all__ = ["Options", "Progress", "evaluate", "evaluate_endpoint"]

LEAST_SHARE = 0.5
"""A model that can be computed for a smaller share of patients is left out, lest it shrink the set of all [A]."""
DISTANCE_RESAMPLES = 250
"""Of the calibration distances: each refits a curve and sorts all patients; the same draws as the first of the rest."""
PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-survival", "lifelines")

Progress = Callable[[int, int, str], None]
"""Called with parts done, parts in all, and what is being done."""


@dataclass(frozen=True)
class Options:
    """How an evaluation is run.

    Attributes:
        resamples: of the bootstrap. permutations: of the control; 0 leaves it out.
    """

    protocol: Protocol = Protocol()
    endpoints: tuple[Endpoint, ...] = ("pfs", "os")
    resamples: int = 1000
    permutations: int = 0
    seed: int = 0


@dataclass(frozen=True)
class _Meter:
    """A part of the whole progress, ``first`` to ``last`` of 0..1."""

    report: Progress | None
    first: float
    last: float

    def __call__(self, done: int, of: int, words: str) -> None:
        if self.report is not None:
            share = self.first + (self.last - self.first) * done / max(of, 1)
            self.report(round(1000 * share), 1000, words)

    def part(self, first: float, last: float) -> _Meter:
        """A part of this part."""
        width = self.last - self.first
        return _Meter(self.report, self.first + width * first, self.first + width * last)


def evaluate(patients: Patients, options: Options | None = None, *, progress: Progress | None = None) -> Evaluation:
    """Judges the baselines and every bundle that has scores of these patients.

    Raises:
        NotComputable: ``SCORES_NOT_OUT_OF_FOLD``, ``TOO_FEW_EVENTS``, ``FOLDS_IMPOSSIBLE``,
            ``HORIZON_BEYOND_FOLLOW_UP`` where follow-up does not reach a year in every fold.
    """
    chosen = options or Options()
    meter, count = _Meter(progress, 0.0, 1.0), len(chosen.endpoints)
    found = tuple(
        evaluate_endpoint(patients, endpoint, chosen, meter.part(number / count, (number + 1) / count))
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


def evaluate_endpoint(patients: Patients, endpoint: Endpoint, options: Options, meter: _Meter) -> EndpointResult:
    """One endpoint of :func:`evaluate`."""
    known = patients.known(endpoint)
    if known.size < 2:
        raise NotComputable("TOO_FEW_EVENTS", "the outcome is known of fewer than two patients")
    offered = [model.take(known) for model in candidates(patients, endpoint)]
    outcome = patients.follow_up(endpoint, known)
    common, thin = _common(offered)
    index, follow_up = known[common], outcome.take(common)
    if follow_up.events < LEAST_EVENTS:
        raise NotComputable(
            "TOO_FEW_EVENTS", f"fewer than {LEAST_EVENTS} events among the patients that all models fit"
        )
    repeats = make_splits(options.protocol, patients, endpoint, index, options.seed)
    horizons = usable_horizons(follow_up, [split for splits in repeats for split in splits])
    if not horizons:
        raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "no fold has events and patients still followed at a year")
    rows = [model.take(np.flatnonzero(common)) for model in offered if model.key not in thin]
    untouched = options.protocol.kind == "as_is"
    fitted = _fit(rows, follow_up, repeats, horizons, untouched, meter.part(0.0, 0.25))
    models = _models(offered, outcome, {**thin, **fitted.problems})
    kept = [model for model in rows if model.key not in fitted.problems]
    centres = [patients.centres[i] for i in index]
    figures = _figures(kept, follow_up, fitted.repeats, horizons, centres, options, meter.part(0.25, 0.8))
    judged = Judged(follow_up, fitted.repeats, figures, horizons)
    compared = [model for model in models if model.compared]
    tested = fitted.repeats[0].fold >= 0
    differences = comparisons(kept, follow_up, fitted.repeats, figures)
    meter.part(0.8, 0.9)(1, 1, "tables")
    return EndpointResult(
        endpoint=endpoint,
        protocol=described(options.protocol, repeats[0], follow_up, options.seed),
        n_known=int(known.size),
        n=int(tested.sum()),
        events=int(follow_up.event[tested].sum()),
        follow_up_months=median_follow_up_months(follow_up),
        horizons_months=horizons,
        tau_months=horizons[-1],
        models=models,
        results=tuple(model_result(judged, model, row) for row, model in enumerate(compared)),
        added=added_value(kept, follow_up, fitted.repeats, figures, horizons),
        comparisons=differences,
        cox=cox_tables(patients, index, follow_up),
        table_ones=_table_ones(patients, index, follow_up),
        subgroups=subgroups([model.key for model in kept], follow_up, tested, centres, figures),
        controls=permuted(
            kept,
            follow_up,
            repeats[0],
            permutations=options.permutations,
            seed=options.seed,
            untouched=untouched,
            progress=lambda done, of: meter.part(0.9, 1.0)(done, of, "permuted outcomes"),
        ),
        notes=_notes(known.size, common, horizons, models),
        multiplicity=multiplicity_note(len(differences)),
    )


@dataclass(frozen=True, eq=False)
class _AllFitted:
    """Predictions per repeat of the models without a problem, and the problems by key."""

    repeats: tuple[Predictions, ...]
    problems: dict[str, str]


def _common(models: Sequence[Candidate]) -> tuple[npt.NDArray[np.bool_], dict[str, str]]:
    """Mask of the patients that all models fit, and the models left out because too few patients fit them."""
    thin = {}
    mask = np.ones(len(models[0].values), dtype=np.bool_)
    for model in models:
        share = float(model.known.mean())
        if share < LEAST_SHARE:
            thin[model.key] = f"what it needs is known of {100 * share:.0f} % of the patients"
        else:
            mask &= model.known
    return mask, thin


def _fit(
    models: Sequence[Candidate],
    follow_up: FollowUp,
    repeats: Sequence[Sequence[Split]],
    horizons: tuple[float, ...],
    untouched: bool,
    meter: _Meter,
) -> _AllFitted:
    times = np.arange(1.0, horizons[-1] + 1)
    problems: dict[str, str] = {}
    found = []
    for model in models:
        try:
            found.append([fit_model(model, follow_up, splits, times, untouched=untouched) for splits in repeats])
        except NotComputable as problem:
            problems[model.key] = problem.reason
        meter(len(found) + len(problems), len(models), "fitting models")
    made = tuple(
        predictions([one[number] for one in found], splits, times, follow_up.n) for number, splits in enumerate(repeats)
    )
    return _AllFitted(made, problems)


def _figures(
    models: Sequence[Candidate],
    follow_up: FollowUp,
    repeats: Sequence[Predictions],
    horizons: tuple[float, ...],
    centres: Sequence[str],
    options: Options,
    meter: _Meter,
) -> Figures:
    """Every figure with its draws; patients are drawn within the folds of the first repeat."""
    keys = tuple(model.key for model in models)
    flat = np.array([model.kind == "null" for model in models])
    settings = [Setting(keys, flat, follow_up, predicted, horizons) for predicted in repeats]
    main = [_panels(setting, centres) for setting in settings]
    strata, seed = repeats[0].fold, options.seed
    first = meter.part(0.0, 0.7)
    figures = draw(
        main,
        strata,
        resamples=options.resamples,
        seed=seed,
        progress=lambda done, of: first(done, of, "resampling patients"),
    )
    second = meter.part(0.7, 1.0)
    fewer = draw(
        [[distance_panel(setting, [m for m in horizons if m in CALIBRATED_MONTHS])] for setting in settings],
        strata,
        resamples=min(options.resamples, DISTANCE_RESAMPLES),
        seed=seed,
        progress=lambda done, of: second(done, of, "resampling calibration curves"),
    )
    return figures.with_more(fewer)


def _panels(setting: Setting, centres: Sequence[str]) -> list[Panel]:
    return [
        ranking_panel(setting),
        accuracy_panel(setting),
        slope_panel(setting),
        threshold_panel(setting),
        benefit_panel(setting),
        *centre_panels(setting, centres),
    ]


def _models(models: Sequence[Candidate], outcome: FollowUp, problems: dict[str, str]) -> tuple[Model, ...]:
    """The rows of the table, each with the patients that it could be computed for."""
    return tuple(
        Model(
            model.key,
            model.label,
            model.kind,
            model.needs,
            int(model.known.sum()),
            int(outcome.event[model.known].sum()),
            model.key not in problems,
            problems.get(model.key),
        )
        for model in models
    )


def _table_ones(patients: Patients, index: Ints, follow_up: FollowUp) -> tuple[TableOne, ...]:
    by_event = table_one(patients, index, "event", follow_up.event)
    if len({patients.centres[i] for i in index}) < 2:
        return (by_event,)
    return by_event, table_one(patients, index, "centre", follow_up.event)


def _notes(
    known: int, common: npt.NDArray[np.bool_], horizons: tuple[float, ...], models: Sequence[Model]
) -> tuple[str, ...]:
    """What was left out, in sentences."""
    notes = []
    if left := known - int(common.sum()):
        notes.append(
            f"{left} of {known} patients with a known outcome lack something that one of the compared models needs "
            "and are in no comparison; nothing was imputed."
        )
    if short := [f"{months:.0f}" for months in HORIZONS_MONTHS if months not in horizons]:
        notes.append(f"Follow-up does not reach {', '.join(short)} months in every fold; nothing is said there.")
    notes.extend(f"{model.label} was left out: {model.problem}." for model in models if not model.compared)
    notes.append("Intervals are over patients, drawn within their test fold; the fitted models are kept as they are.")
    return tuple(notes)
