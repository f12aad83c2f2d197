"""LAMP fitted on a cohort: heads over the folds, survival from their out-of-fold risk, the range of the patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lymphoma.errors import CannotDo, NotComputable
from lymphoma.evaluation.folded import folded_concordance
from lymphoma.lamp.config import HeadsConfig
from lymphoma.lamp.heads import EndpointHeads, fit_heads
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.range import RangeSummary, fit_summary
from lymphoma.lamp.system import score_name
from lymphoma.prognosis.covariates import SCORE, covariate
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.model import Endpoint, PrognosticModel
from lymphoma.survival.bootstrap import Interval
from lymphoma.survival.cox import fit_cox
from lymphoma.training.folds import Folds
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["EndpointFit", "LampFit", "fit_lamp"]

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class EndpointFit:
    """The model of one endpoint and how it did.

    Attributes:
        out_of_fold: (n,) linear predictors by heads and a Cox model that never saw the patient, about the mean risk.
        concordance: Harrell's C within folds, in mean. slope: of a Cox model on ``out_of_fold``; 1 is well calibrated.
    """

    heads: EndpointHeads
    model: PrognosticModel
    out_of_fold: Floats
    concordance: Interval
    slope: Interval

    @property
    def trained(self) -> bool:
        """The heads tell more than constant hazards do, and order patients they never saw better than chance."""
        return self.heads.nll < self.heads.null_nll and self.concordance.lower > 0.5


@dataclass(frozen=True, eq=False)
class LampFit:
    """All that a bundle is made of.

    Attributes:
        endpoints: those that are trained; where none is, all, and ``trained`` is False.
        left_out: endpoint -> why there is no model of it. summary, statistics: of the range check.
    """

    config: HeadsConfig
    endpoints: tuple[EndpointFit, ...]
    trained: bool
    left_out: Mapping[Endpoint, str]
    summary: RangeSummary
    statistics: RangeStatistics


def fit_lamp(
    cohort: LampCohort,
    config: HeadsConfig,
    *,
    folds: Folds | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> LampFit:
    """Fits each endpoint; one that cannot be fitted is left out and said.

    Args:
        folds, folder: as in :func:`lymphoma.lamp.heads.fit_heads`. progress: called with (heads done, heads in all).

    Raises:
        CannotDo: with the code of the first endpoint, where none can be fitted; ``STATISTICS_UNFIT``.
    """
    fits: list[EndpointFit] = []
    left_out: dict[Endpoint, str] = {}
    faults: list[CannotDo] = []
    for number, endpoint in enumerate(config.endpoints):
        tell = _shifted(progress, number, len(config.endpoints))
        try:
            heads = fit_heads(cohort, endpoint, config, folds=folds, folder=folder, progress=tell)
            fits.append(_survival(heads, config))
        except CannotDo as fault:
            faults.append(fault)
            left_out[endpoint] = fault.reason
    if not fits:
        raise faults[0]
    good = [fit for fit in fits if fit.trained]
    for fit in fits if good else ():
        if not fit.trained:
            left_out[fit.heads.endpoint] = "its heads did not beat constant hazards on patients they never saw"
    summary = fit_summary(cohort.pooled)
    pets = cohort.patients.pet
    values = np.array([summary.features(one, pet) for one, pet in zip(cohort.pooled, pets, strict=True)])
    whole = values[np.isfinite(values).all(axis=1)]
    statistics = fit_statistics(summary.names, whole, config.seed)
    return LampFit(config, tuple(good or fits), bool(good), left_out, summary, statistics)


def _survival(heads: EndpointHeads, config: HeadsConfig) -> EndpointFit:
    """A Cox model of the risk, which is out of fold already, with linear predictors that are so too.

    Raises:
        NotComputable: ``COX_NOT_FITTED``, ``NO_EFFECT``, ``TOO_FEW_EVENTS``.
    """
    name = score_name(heads.endpoint)
    x, follow_up = heads.risk[:, None], heads.follow_up
    if float(np.ptp(heads.risk)) == 0.0:
        raise NotComputable("NO_EFFECT", "the heads give every patient the same risk")
    lp = np.empty(len(x))
    for held in heads.parts:
        train = np.setdiff1d(np.arange(len(x)), held)
        cox = fit_cox([name], x[train], follow_up.take(train), endpoint="out of fold")
        lp[held] = (x[held] - x.mean(axis=0)) @ cox.coefficients
    term = covariate(f"{SCORE}{name}").term
    model = fit_prognostic_model(
        heads.endpoint, [term], [heads.risk.tolist()], follow_up, rule=config.rule, out_of_fold=lp
    )
    concordance = folded_concordance(follow_up, heads.risk, heads.parts, resamples=config.resamples, seed=config.seed)
    row = fit_cox(["lp"], lp[:, None], follow_up, endpoint="slope").table()[0]
    wide = row.coefficient - float(np.log(row.lower))
    slope = Interval(row.coefficient, row.coefficient - wide, row.coefficient + wide, 0.95)
    return EndpointFit(heads, model, lp, concordance, slope)


def _shifted(progress: Progress | None, number: int, of: int) -> Progress | None:
    """Progress of one endpoint among several of the same length."""
    if progress is None:
        return None
    return lambda done, steps: progress(number * steps + done, of * steps)
