"""LAMP fitted on a cohort: heads over the folds, survival from their out-of-fold risk, the range of the patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.lamp.config import HeadsConfig
from lymphoma.lamp.heads import EndpointHeads, fit_heads
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.range import RangeSummary, fit_summary
from lymphoma.lamp.system import score_name
from lymphoma.prognosis.covariates import SCORE, covariate
from lymphoma.prognosis.cross_fit import CrossFit, Progress, cross_fit, fit_each
from lymphoma.prognosis.model import Endpoint
from lymphoma.training.folds import Folds
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["EndpointFit", "LampFit", "fit_lamp"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EndpointFit:
    """The heads of one endpoint, and the model of their out-of-fold risk."""

    heads: EndpointHeads
    fit: CrossFit

    @property
    def trained(self) -> bool:
        """The heads tell more than constant hazards do, and order patients they never saw better than chance."""
        return self.heads.nll < self.heads.null_nll and self.fit.beats_chance


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

    def fit(endpoint: Endpoint, tell: Progress | None) -> EndpointFit:
        heads = fit_heads(cohort, endpoint, config, folds=folds, folder=folder, progress=tell)
        return EndpointFit(heads, _survival(heads, config))

    otherwise = "its heads did not beat constant hazards on patients they never saw"
    each = fit_each(config.endpoints, fit, lambda one: one.trained, otherwise, progress)
    summary = fit_summary(cohort.pooled)
    pets = cohort.patients.pet
    values = np.array([summary.features(one, pet) for one, pet in zip(cohort.pooled, pets, strict=True)])
    whole = values[np.isfinite(values).all(axis=1)]
    statistics = fit_statistics(summary.names, whole, config.seed)
    return LampFit(config, each.fits, each.trained, each.left_out, summary, statistics)


def _survival(heads: EndpointHeads, config: HeadsConfig) -> CrossFit:
    """A Cox model of the risk, which is out of fold already, with linear predictors that are so too.

    Raises:
        NotComputable: ``COX_NOT_FITTED``, ``NO_EFFECT``, ``TOO_FEW_EVENTS``.
    """
    if float(np.ptp(heads.risk)) == 0.0:
        raise NotComputable("NO_EFFECT", "the heads give every patient the same risk")
    return cross_fit(
        heads.endpoint,
        [covariate(f"{SCORE}{score_name(heads.endpoint)}").term],
        [heads.risk.tolist()],
        heads.follow_up,
        heads.parts,
        rule=config.rule,
        resamples=config.resamples,
        seed=config.seed,
    )
