"""From a cohort to predictions: the patients that all models fit, the folds, and every model fitted in every fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.evaluation.baselines import Candidate, candidates
from lymphoma.evaluation.fitting import HORIZONS_MONTHS, Predictions, fit_model, predictions, usable_horizons
from lymphoma.evaluation.options import Meter, Options
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.protocols import Split, make_splits
from lymphoma.evaluation.result import Model
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.curves import LEAST_EVENTS
from lymphoma.survival.follow_up import FollowUp, Ints

__all__ = ["Prepared", "prepare"]

LEAST_SHARE = 0.5
"""A model that can be computed for a smaller share of patients is left out, lest it shrink the set of all [A]."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One endpoint, fitted.

    Attributes:
        known: positions of the patients with a known outcome, ``outcome`` theirs.
        index: positions of the common set, ``follow_up`` theirs, ``centres`` their centres.
        rows: all models, as the result names them. models: those that are compared.
        repeats: their predictions. horizons: within follow-up in every fold. notes: what was left out.
    """

    known: Ints
    outcome: FollowUp
    index: Ints
    follow_up: FollowUp
    centres: tuple[str, ...]
    rows: tuple[Model, ...]
    models: tuple[Candidate, ...]
    repeats: tuple[Predictions, ...]
    horizons: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def compared(self) -> tuple[Model, ...]:
        """The rows of ``models``."""
        return tuple(row for row in self.rows if row.compared)

    @property
    def tested(self) -> npt.NDArray[np.bool_]:
        """(n,) of the common set, in the first repeat."""
        return self.repeats[0].fold >= 0


def prepare(patients: Patients, endpoint: Endpoint, options: Options, meter: Meter) -> Prepared:
    """Everything that is fitted.

    Raises:
        NotComputable: ``SCORES_NOT_OUT_OF_FOLD``, ``TOO_FEW_EVENTS``, ``FOLDS_IMPOSSIBLE``,
            ``HORIZON_BEYOND_FOLLOW_UP``.
    """
    known = patients.known(endpoint)
    if known.size < 2:
        raise NotComputable("TOO_FEW_EVENTS", "the outcome is known of fewer than two patients")
    offered = [model.take(known) for model in candidates(patients, endpoint)]
    outcome = patients.follow_up(endpoint, known)
    common, problems = _common(offered)
    index, follow_up = known[common], _events(outcome, common)
    repeats = make_splits(options.protocol, patients, endpoint, index, options.seed)
    horizons = usable_horizons(follow_up, [split for splits in repeats for split in splits])
    if not horizons:
        raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "no year at which every fold has events and patients beyond")
    models = [model.take(np.flatnonzero(common)) for model in offered if model.key not in problems]
    untouched = options.protocol.kind == "as_is"
    made, failed = _fit(models, follow_up, repeats, horizons, untouched, meter)
    problems |= failed
    rows = _rows(offered, outcome, problems)
    return Prepared(
        known,
        outcome,
        index,
        follow_up,
        tuple(patients.centres[i] for i in index),
        rows,
        tuple(model for model in models if model.key not in failed),
        made,
        horizons,
        _notes(known.size, index.size, horizons, rows),
    )


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


def _events(outcome: FollowUp, common: npt.NDArray[np.bool_]) -> FollowUp:
    if outcome.event[common].sum() < LEAST_EVENTS:
        raise NotComputable(
            "TOO_FEW_EVENTS", f"fewer than {LEAST_EVENTS} events among the patients that all models fit"
        )
    return outcome.take(common)


def _fit(
    models: Sequence[Candidate],
    follow_up: FollowUp,
    repeats: Sequence[Sequence[Split]],
    horizons: tuple[float, ...],
    untouched: bool,
    meter: Meter,
) -> tuple[tuple[Predictions, ...], dict[str, str]]:
    """Predictions per repeat of the models that could be fitted in every fold, and why the others could not."""
    times = np.arange(1.0, horizons[-1] + 1)
    problems: dict[str, str] = {}
    found = []
    for model in models:
        try:
            found.append([fit_model(model, follow_up, splits, times, untouched=untouched) for splits in repeats])
        except NotComputable as problem:
            problems[model.key] = problem.reason
        meter(len(found) + len(problems), len(models))
    made = tuple(
        predictions([one[number] for one in found], splits, times, follow_up.n) for number, splits in enumerate(repeats)
    )
    return made, problems


def _rows(models: Sequence[Candidate], outcome: FollowUp, problems: dict[str, str]) -> tuple[Model, ...]:
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


def _notes(known: int, common: int, horizons: tuple[float, ...], rows: Sequence[Model]) -> tuple[str, ...]:
    notes = []
    if known > common:
        notes.append(
            f"{known - common} of {known} patients with a known outcome lack something that one of the compared "
            "models needs and are in no comparison; nothing was imputed."
        )
    if short := [f"{months:.0f}" for months in HORIZONS_MONTHS if months not in horizons]:
        notes.append(
            f"At {', '.join(short)} months a test fold has no event before or nobody followed beyond; nothing is said "
            "there."
        )
    notes.extend(f"{row.label} was left out: {row.problem}." for row in rows if not row.compared)
    notes.append("Intervals are over patients, drawn within their test fold; the fitted models are kept as they are.")
    return tuple(notes)
