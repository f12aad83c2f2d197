"""The system fitted on patients: networks over the folds, or one network on others; survival from their log odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.multitask_unet.config import MultitaskConfig
from lymphoma.multitask_unet.learning import FittedNetwork, known_events, log_odds_of, train_network
from lymphoma.multitask_unet.loss import event_loss
from lymphoma.multitask_unet.range import NAMES, range_features
from lymphoma.multitask_unet.system import SCORE_NAME
from lymphoma.prognosis.covariates import SCORE, covariate
from lymphoma.prognosis.cross_fit import CrossFit, Progress, cross_fit, fit_each
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import Bools, Floats, Ints
from lymphoma.training.config import RunConfig
from lymphoma.training.folds import Folds
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["EndpointFit", "EventFigures", "MultitaskFit", "fit_disjoint", "fit_multitask_unet"]


@dataclass(frozen=True)
class EventFigures:
    """How the chance of an event within 24 months did on patients no network saw, by naive figures.

    Attributes:
        patients, events: with a known kind. excluded: censored before.
        auc: area under the ROC curve. nll, null_nll: Eq. 1, and of a constant .5.
    """

    patients: int
    events: int
    excluded: int
    auc: float
    nll: float
    null_nll: float

    @property
    def learned(self) -> bool:
        """The networks tell more than a constant does."""
        return self.nll < self.null_nll


@dataclass(frozen=True, eq=False)
class EndpointFit:
    """The survival model of one endpoint. index: positions in the judged cohort of the patients it was fitted on."""

    index: Ints
    survival: CrossFit


@dataclass(frozen=True, eq=False)
class MultitaskFit:
    """All that a bundle is made of.

    Attributes:
        networks: one a fold, or the one that learned on others. log_odds: (n,) of the judged cohort by a network that
            never saw the patient; NaN for a patient whose progression-free survival is not known.
        endpoints: those that are trained; where none is, all, and ``trained`` is False.
        left_out: endpoint -> why there is no model of it. statistics: of the range check.
        learned_on: name of the other cohort that the one network learned on; empty for folds.
    """

    config: MultitaskConfig
    networks: tuple[FittedNetwork, ...]
    log_odds: Floats
    events: EventFigures
    endpoints: tuple[EndpointFit, ...]
    trained: bool
    left_out: Mapping[Endpoint, str]
    statistics: RangeStatistics
    learned_on: str = ""


def fit_multitask_unet(
    cohort: InputCohort,
    config: MultitaskConfig,
    *,
    folds: Folds | None = None,
    folder: Path | None = None,
    run: RunConfig | None = None,
    progress: Progress | None = None,
) -> MultitaskFit:
    """The published protocol: a network a fold, each judged on the patients of its fold.

    Args:
        folds: by patient id; None makes ``config.folds`` of them. folder: where the runs lie, so that a fit that was
            killed goes on; it belongs to one cohort and configuration. progress: with (networks done, in all).

    Raises:
        CannotDo: with the code of the first endpoint, where none can be fitted; ``ONE_CLASS``, ``FOLDS_IMPOSSIBLE``,
            ``STATISTICS_UNFIT``; of the training.
    """
    patients = cohort.patients
    known = patients.known("pfs")
    split = folds or folds_of(patients, known, config.folds, config.seed, "pfs")
    parts = [known[held] for held in held_out(split, [patients.ids[i] for i in known])]
    networks: list[FittedNetwork] = []
    log_odds = np.full(len(cohort), np.nan)
    for number, held in enumerate(parts, start=1):
        name = f"fold_{number}"
        where = None if folder is None else folder / name
        rest = np.setdiff1d(known, held)
        networks.append(train_network(cohort, rest, config, name, folder=where, run=run))
        log_odds[held] = log_odds_of(networks[-1], cohort, held)
        if progress is not None:
            progress(number, len(parts))
    return _judged(cohort, config, networks, log_odds, parts)


def fit_disjoint(
    learn: InputCohort,
    judge: InputCohort,
    config: MultitaskConfig,
    *,
    folder: Path | None = None,
    run: RunConfig | None = None,
    progress: Progress | None = None,
) -> MultitaskFit:
    """One network trained on ``learn``, survival fitted on its log odds of ``judge``, whom it never saw.

    The folds of ``judge`` part its survival models alone.

    Raises:
        CannotDo: as :func:`fit_multitask_unet`; ``FOLDS_IMPOSSIBLE`` also where a patient stands in both cohorts.
    """
    if set(learn.patients.contents) & set(judge.patients.contents):
        raise NotComputable("FOLDS_IMPOSSIBLE", "a patient stands among both those learned on and those judged")
    network = train_network(learn, learn.patients.known("pfs"), config, "network", folder=folder, run=run)
    known = judge.patients.known("pfs")
    log_odds = np.full(len(judge), np.nan)
    log_odds[known] = log_odds_of(network, judge, known)
    if progress is not None:
        progress(1, 1)
    split = folds_of(judge.patients, known, config.folds, config.seed, "pfs")
    parts = [known[held] for held in held_out(split, [judge.patients.ids[i] for i in known])]
    return _judged(judge, config, [network], log_odds, parts, learn.patients.cohort)


def _judged(
    cohort: InputCohort,
    config: MultitaskConfig,
    networks: Sequence[FittedNetwork],
    log_odds: Floats,
    parts: Sequence[Ints],
    learned_on: str = "",
) -> MultitaskFit:
    events = _event_figures(cohort, config, networks, log_odds, parts)

    def fit(endpoint: Endpoint, progress: Progress | None) -> EndpointFit:
        return _survival(cohort, config, endpoint, log_odds, parts, progress)

    otherwise = "the networks did not do better than chance on patients they never saw"
    each = fit_each(config.endpoints, fit, lambda one: events.learned and one.survival.beats_chance, otherwise)
    values = np.array([range_features(cohort.read(i)) for i in range(len(cohort))])
    statistics = fit_statistics(NAMES, values[np.isfinite(values).all(axis=1)], config.seed)
    return MultitaskFit(
        config, tuple(networks), log_odds, events, each.fits, each.trained, each.left_out, statistics, learned_on
    )


def _survival(
    cohort: InputCohort,
    config: MultitaskConfig,
    endpoint: Endpoint,
    log_odds: Floats,
    parts: Sequence[Ints],
    progress: Progress | None,
) -> EndpointFit:
    """The log odds are out of fold already.

    Raises:
        NotComputable: ``NO_EFFECT``, and as :func:`lymphoma.prognosis.cross_fit.cross_fit`.
    """
    known = cohort.patients.known(endpoint)
    index = known[np.isfinite(log_odds[known])]
    score = log_odds[index]
    if len(score) == 0 or float(np.ptp(score)) == 0.0:
        raise NotComputable("NO_EFFECT", "the networks give every patient the same chance")
    within = [np.flatnonzero(np.isin(index, held)) for held in parts]
    found = cross_fit(
        endpoint,
        [covariate(f"{SCORE}{SCORE_NAME}").term],
        [score.tolist()],
        cohort.patients.follow_up(endpoint, index),
        [one for one in within if len(one)],
        rule=config.rule,
        resamples=config.resamples,
        seed=config.seed,
        progress=progress,
    )
    return EndpointFit(index, found)


def _event_figures(
    cohort: InputCohort,
    config: MultitaskConfig,
    networks: Sequence[FittedNetwork],
    log_odds: Floats,
    parts: Sequence[Ints],
) -> EventFigures:
    """Eq. 1 under each network's own class weights, which its chance is brought back to."""
    shift = np.full(len(cohort), networks[0].shift)
    if len(networks) == len(parts):
        for network, held in zip(networks, parts, strict=True):
            shift[held] = network.shift
    judged = known_events(cohort, np.sort(np.concatenate(parts)), config)
    probability = 1 / (1 + np.exp(-(log_odds - shift)[judged.at]))
    weight = judged.weight * _class_weight(judged.event, shift[judged.at])
    return EventFigures(
        len(judged),
        int(judged.event.sum()),
        judged.excluded,
        float(roc_auc_score(judged.event, log_odds[judged.at])),
        _loss(probability, judged.event, weight),
        _loss(np.full(len(judged), 0.5), judged.event, weight),
    )


def _class_weight(event: Bools, shift: Floats) -> Floats:
    """w_p or w_n of each patient from log(w_n / w_p)."""
    free = 1 / (1 + np.exp(-shift))
    return np.where(event, 1 - free, free)


def _loss(probability: Floats, event: Bools, weight: Floats) -> float:
    return float(event_loss(*(torch.tensor(one, dtype=torch.float32) for one in (probability, event, weight))))
