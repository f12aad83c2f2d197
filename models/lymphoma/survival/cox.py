"""Cox models: fitted by lifelines (Efron), kept as frozen numbers, read as step functions.

lifelines interpolates its survival curves between event times; here they are the step functions that the estimate
is (R's ``survfit`` gives the same values). Intervals are those of the model's estimate at given covariates ("model
uncertainty, not outcome").
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from scipy.linalg import LinAlgWarning
from scipy.stats import chi2, norm

from lymphoma.errors import NotComputable
from lymphoma.survival.baseline import Baseline, Ties, fit_baseline
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["Coefficient", "CoxModel", "LikelihoodRatio", "SurvivalEstimate", "fit_cox"]


@dataclass(frozen=True)
class LikelihoodRatio:
    """Of a model against one without covariates, or of two nested models."""

    chi_squared: float
    degrees_of_freedom: int
    p: float


@dataclass(frozen=True)
class Coefficient:
    """A row of a table of hazard ratios; interval and p by Wald."""

    name: str
    coefficient: float
    standard_error: float
    hazard_ratio: float
    lower: float
    upper: float
    z: float
    p: float


@dataclass(frozen=True, eq=False)
class SurvivalEstimate:
    """Predicted survival of n patients at T times, each (n, T); the interval is the model's uncertainty."""

    survival: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, eq=False)
class CoxModel:
    """A fitted Cox model.

    Attributes:
        endpoint: "pfs", "os", or another word. names: (p,) of the covariates.
        coefficients: (p,) log hazard ratios. covariance: (p, p) of them.
        means: (p,) covariates at which the baseline stands. baseline: with its method for ties.
        n, events: patients it was fitted on. log_likelihood, null_log_likelihood: partial, Efron.
    """

    endpoint: str
    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    means: Floats
    baseline: Baseline
    n: int
    events: int
    log_likelihood: float
    null_log_likelihood: float

    def linear_predictor(self, covariates: npt.ArrayLike) -> Floats:
        """(n,) log hazard against a patient of mean covariates, from covariates (n, p)."""
        lp: Floats = self._centred(covariates) @ self.coefficients
        return lp

    def survival(self, covariates: npt.ArrayLike, months: npt.ArrayLike) -> Floats:
        """S(t | x) = exp(-H0(t) e^lp), shape (n, T), from covariates (n, p) and times (T,).

        Raises:
            NotComputable: ``HORIZON_BEYOND_FOLLOW_UP``.
        """
        hazard, _, _ = self._baseline_at(months)
        return np.exp(-np.exp(self.linear_predictor(covariates))[:, None] * hazard)

    def estimate(self, covariates: npt.ArrayLike, months: npt.ArrayLike, level: float = 0.95) -> SurvivalEstimate:
        """As :meth:`survival`, with an interval on the log(-log) scale, which stays within 0 and 1."""
        x = self._centred(covariates)
        hazard, variance, shift = self._baseline_at(months)
        relative = np.exp(x @ self.coefficients)[:, None]
        gradient = x[:, None, :] * hazard[:, None] - shift
        spread = relative**2 * (variance + np.einsum("ntp,pq,ntq->nt", gradient, self.covariance, gradient))
        cumulative = relative * hazard
        with np.errstate(divide="ignore", invalid="ignore"):
            error = norm.ppf((1 + level) / 2) * np.sqrt(spread) / cumulative
        # Before the first event the cumulative hazard is 0 and the survival 1, without a spread.
        error = np.where(cumulative > 0, error, 0.0)
        lower, upper = np.exp(-cumulative * np.exp(error)), np.exp(-cumulative * np.exp(-error))
        return SurvivalEstimate(np.exp(-cumulative), lower, upper)

    def table(self, level: float = 0.95) -> tuple[Coefficient, ...]:
        """One row per covariate."""
        rows = []
        wide = norm.ppf((1 + level) / 2)
        for name, b, error in zip(self.names, self.coefficients, np.sqrt(np.diag(self.covariance)), strict=True):
            z = b / error
            ratio, lower, upper = (float(np.exp(v)) for v in (b, b - wide * error, b + wide * error))
            p = float(2 * norm.sf(abs(z)))
            rows.append(Coefficient(name, float(b), float(error), ratio, lower, upper, float(z), p))
        return tuple(rows)

    def likelihood_ratio(self, smaller: CoxModel | None = None) -> LikelihoodRatio:
        """Against ``smaller``, a nested model of the same patients, or against no covariates."""
        least = self.null_log_likelihood if smaller is None else smaller.log_likelihood
        freedom = len(self.names) - (0 if smaller is None else len(smaller.names))
        if freedom < 1:
            raise ValueError("the smaller model must have fewer covariates")
        statistic = 2 * (self.log_likelihood - least)
        return LikelihoodRatio(statistic, freedom, float(chi2.sf(max(statistic, 0.0), freedom)))

    def _centred(self, covariates: npt.ArrayLike) -> Floats:
        x = np.asarray(covariates, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.names):
            raise ValueError(f"covariates must have shape (n, {len(self.names)})")
        return x - self.means

    def _baseline_at(self, months: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        times = np.atleast_1d(np.asarray(months, dtype=np.float64))
        if (times > self.baseline.last_months).any():
            raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "no training patient was followed to that time")
        return self.baseline.at(times)


def fit_cox(
    names: Sequence[str], covariates: npt.ArrayLike, follow_up: FollowUp, *, endpoint: str, baseline: Ties = "efron"
) -> CoxModel:
    """Fits by partial likelihood with Efron's ties.

    Args:
        names: (p,) different words. covariates: (n, p), without gaps.
        baseline: method of the baseline hazard; the coefficients are always Efron's.

    Raises:
        NotComputable: ``COX_NOT_FITTED`` where covariates are constant, collinear or separate the events;
            ``TOO_FEW_EVENTS`` with fewer events than covariates.
    """
    x = np.asarray(covariates, dtype=np.float64)
    if x.shape != (follow_up.n, len(names)) or len(set(names)) != len(names) or not names:
        raise ValueError("covariates must have one row per patient and one column per different name")
    if not np.isfinite(x).all():
        raise NotComputable("COX_NOT_FITTED", "a covariate is missing or not a number")
    if follow_up.events < len(names):
        raise NotComputable("TOO_FEW_EVENTS", f"{follow_up.events} events for {len(names)} covariates")
    fitter = _lifelines(x, follow_up)
    coefficients = np.asarray(fitter.params_, dtype=np.float64)
    means = x.mean(axis=0)
    likelihood = float(fitter.log_likelihood_)
    null = likelihood - float(fitter.log_likelihood_ratio_test().test_statistic) / 2
    return CoxModel(
        endpoint,
        tuple(names),
        coefficients,
        np.asarray(fitter.variance_matrix_, dtype=np.float64),
        means,
        fit_baseline(follow_up, x - means, coefficients, baseline),
        follow_up.n,
        follow_up.events,
        likelihood,
        null,
    )


def _lifelines(x: Floats, follow_up: FollowUp) -> CoxPHFitter:
    # Columns get plain names: lifelines reads some words in a formula.
    table = pd.DataFrame(x, columns=[f"x{index}" for index in range(x.shape[1])])
    table["months"], table["event"] = follow_up.months, follow_up.event
    fitter = CoxPHFitter()
    # Both limits are tighter than lifelines' own: its first stop leaves coefficients 1e-6 off the maximum.
    limits = {"precision": 1e-12, "r_precision": 1e-13}
    with warnings.catch_warnings():
        # A likelihood without a maximum is only warned of there; its coefficients mean nothing.
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", LinAlgWarning)
        try:
            fitter.fit(table, "months", "event", fit_options=limits)
        except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError, LinAlgWarning) as error:
            raise NotComputable("COX_NOT_FITTED", "the partial likelihood has no single maximum") from error
    return fitter
