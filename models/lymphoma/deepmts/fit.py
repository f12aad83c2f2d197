"""DeepMTS fitted on a cohort: networks over the folds, or one on other patients, and survival from their risk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lymphoma.deepmts.config import DeepMtsConfig
from lymphoma.deepmts.ensemble import score_name
from lymphoma.deepmts.networks import EndpointNetworks, disjoint_network, fold_networks
from lymphoma.deepmts.range import RANGE_NAMES, range_features
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.prognosis.covariates import SCORE, covariate
from lymphoma.prognosis.cross_fit import CrossFit, Progress, cross_fit, fit_each
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.survival_loss import cox_loss
from lymphoma.training.folds import Folds
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["DeepMtsFit", "EndpointFit", "fit_deepmts", "fit_disjoint"]

OTHERWISE = "its networks did not beat equal risks on patients they never saw"


@dataclass(frozen=True, eq=False)
class EndpointFit:
    """The networks of one endpoint, and the model of their out-of-fold risk."""

    networks: EndpointNetworks
    fit: CrossFit

    @property
    def nll(self) -> float:
        """Cox loss of the out-of-fold linear predictors, and not of the networks' own log hazards: those have a scale
        that their survival model mends. :attr:`null_nll` is that of equal risks."""
        return self._loss(torch.tensor(self.fit.out_of_fold))

    @property
    def null_nll(self) -> float:
        return self._loss(torch.zeros(self.networks.follow_up.n, dtype=torch.float64))

    @property
    def trained(self) -> bool:
        """Patients they never saw are ordered better than chance and their outcomes likelier than under equal risks;
        hazards that a discrete head says outright must also be likelier than constant ones."""
        own = self.networks
        outright = own.networks[0].network.shape.head == "discrete"
        return self.fit.beats_chance and self.nll < self.null_nll and (own.nll < own.null_nll or not outright)

    def _loss(self, log_hazard: torch.Tensor) -> float:
        follow_up = self.networks.follow_up
        return float(cox_loss(log_hazard, torch.tensor(follow_up.months), torch.tensor(follow_up.event)))


@dataclass(frozen=True, eq=False)
class DeepMtsFit:
    """All that a bundle is made of.

    Attributes:
        endpoints: those that are trained; where none is, all, and ``trained`` is False.
        left_out: endpoint -> why there is no model of it. statistics: of the range check.
        disjoint: the networks learned from other patients than those whom survival was fitted on.
    """

    config: DeepMtsConfig
    endpoints: tuple[EndpointFit, ...]
    trained: bool
    left_out: Mapping[Endpoint, str]
    statistics: RangeStatistics
    disjoint: bool = False


def fit_deepmts(
    cohort: InputCohort,
    config: DeepMtsConfig,
    *,
    folds: Folds | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> DeepMtsFit:
    """Fits each endpoint over the folds; one that cannot be fitted is left out and said.

    Args:
        folds, folder: as in :func:`lymphoma.deepmts.networks.fold_networks`. progress: (updates done, updates in all).

    Raises:
        CannotDo: with the code of the first endpoint, where none can be fitted; ``STATISTICS_UNFIT``.
    """

    def networks(endpoint: Endpoint, tell: Progress | None) -> EndpointNetworks:
        return fold_networks(cohort, endpoint, config, folds=folds, folder=folder, progress=tell)

    return _fitted(networks, cohort, config, progress, disjoint=False)


def fit_disjoint(
    learn: InputCohort,
    judge: InputCohort,
    config: DeepMtsConfig,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> DeepMtsFit:
    """One network an endpoint, trained on ``learn``; survival fitted on its risk of ``judge``, of whom it saw nobody.

    Raises:
        CannotDo: as :func:`fit_deepmts`. ValueError: a patient stands in both cohorts.
    """

    def networks(endpoint: Endpoint, tell: Progress | None) -> EndpointNetworks:
        return disjoint_network(learn, judge, endpoint, config, folder=folder, progress=tell)

    return _fitted(networks, judge, config, progress, disjoint=True)


def _fitted(
    networks: Callable[[Endpoint, Progress | None], EndpointNetworks],
    cohort: InputCohort,
    config: DeepMtsConfig,
    progress: Progress | None,
    *,
    disjoint: bool,
) -> DeepMtsFit:
    def fit(endpoint: Endpoint, tell: Progress | None) -> EndpointFit:
        found = networks(endpoint, tell)
        return EndpointFit(found, _survival(found, config))

    each = fit_each(config.endpoints, fit, lambda one: one.trained, OTHERWISE, progress)
    return DeepMtsFit(config, each.fits, each.trained, each.left_out, _statistics(cohort, config), disjoint)


def _survival(networks: EndpointNetworks, config: DeepMtsConfig) -> CrossFit:
    """A Cox model of the risk, which is out of fold already; its baseline is Breslow's over all patients as they are,
    not over the balanced batches, whose share of events is one half.

    Raises:
        NotComputable: ``COX_NOT_FITTED``, ``NO_EFFECT``, ``TOO_FEW_EVENTS``.
    """
    return cross_fit(
        networks.endpoint,
        [covariate(f"{SCORE}{score_name(networks.endpoint)}").term],
        [networks.risk.tolist()],
        networks.follow_up,
        networks.parts,
        rule=config.rule,
        resamples=config.resamples,
        seed=config.training.seed,
    )


def _statistics(cohort: InputCohort, config: DeepMtsConfig) -> RangeStatistics:
    pets = cohort.patients.pet
    values = np.array([range_features(cohort.read(at), pet) for at, pet in enumerate(pets)])
    whole = values[np.isfinite(values).all(axis=1)]
    return fit_statistics(RANGE_NAMES, whole, config.training.seed)
