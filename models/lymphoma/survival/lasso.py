"""Lasso-Cox: a path of penalties by Coxnet (scikit-survival), the penalty chosen by cross-validated likelihood.

As glmnet does it: z-scores inside, folds balanced by events, the partial likelihood of a left-out fold as that of
all patients less that of those kept (Verweij, Stat Med 1993;12:2305), and the penalty of the least deviance.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold
from sksurv.linear_model import CoxnetSurvivalAnalysis

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["LassoCox", "fit_lasso", "partial_log_likelihood"]


@dataclass(frozen=True, eq=False)
class LassoCox:
    """A chosen penalty and the whole path.

    Attributes:
        names: (p,). means, scales: (p,) of the z-scores; a constant column has scale 1 and coefficient 0.
        coefficients: (p,) of the z-scores, 0 where not selected.
        penalty: lambda with the least deviance. penalties: (L,) descending.
        deviance, deviance_error: (L,) cross-validated, per event, and its standard error over folds.
    """

    names: tuple[str, ...]
    means: Floats
    scales: Floats
    coefficients: Floats
    penalty: float
    penalties: Floats
    deviance: Floats
    deviance_error: Floats

    @property
    def selected(self) -> tuple[str, ...]:
        """Names with a coefficient other than 0; may be empty."""
        return tuple(name for name, b in zip(self.names, self.coefficients, strict=True) if b != 0)

    def linear_predictor(self, covariates: npt.ArrayLike) -> Floats:
        """(n,) score of covariates (n, p)."""
        score: Floats = (np.asarray(covariates, dtype=np.float64) - self.means) / self.scales @ self.coefficients
        return score


def fit_lasso(
    names: Sequence[str],
    covariates: npt.ArrayLike,
    follow_up: FollowUp,
    *,
    folds: int = 10,
    seed: int = 0,
    penalties: int = 100,
    least_ratio: float = 0.01,
) -> LassoCox:
    """Fits the path and chooses the penalty by inner cross-validation.

    Args:
        covariates: (n, p), p may exceed n.
        penalties: longest path, from the least penalty that selects nothing down to ``least_ratio`` times it; it
            ends earlier where a smaller penalty no longer fits better.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` with fewer events than folds, ``COX_NOT_FITTED``.
    """
    x = np.asarray(covariates, dtype=np.float64)
    if x.shape != (follow_up.n, len(names)):
        raise ValueError("covariates must have one row per patient and one column per name")
    if not np.isfinite(x).all():
        raise NotComputable("COX_NOT_FITTED", "a covariate is missing or not a number")
    if follow_up.events < folds:
        raise NotComputable("TOO_FEW_EVENTS", f"{follow_up.events} events for {folds} folds")
    means, scales = _scaling(x)
    z = (x - means) / scales
    lambdas, path = _path(z, follow_up, None, penalties, least_ratio)
    deviance, error = _cross_validate(x, follow_up, lambdas, folds, seed)
    best = int(np.argmin(deviance))
    return LassoCox(tuple(names), means, scales, path[:, best], float(lambdas[best]), lambdas, deviance, error)


def partial_log_likelihood(follow_up: FollowUp, scores: Floats) -> Floats:
    """Cox's partial log-likelihood, Breslow's ties, of linear predictors (n, L); shape (L,)."""
    order = np.argsort(-follow_up.months, kind="stable")
    months, event, lp = follow_up.months[order], follow_up.event[order], scores[order]
    # From the last time on: log of the sum over everybody still at risk, without overflow.
    at_risk = np.logaddexp.accumulate(lp, axis=0)
    last = np.searchsorted(-months, -months[event], side="right") - 1
    total: Floats = (lp[event] - at_risk[last]).sum(axis=0)
    return total


def _cross_validate(x: Floats, follow_up: FollowUp, lambdas: Floats, folds: int, seed: int) -> tuple[Floats, Floats]:
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    gains, events = [], []
    for kept, left in splitter.split(x, follow_up.event):
        means, scales = _scaling(x[kept])
        train = follow_up.take(kept)
        _, path = _path((x[kept] - means) / scales, train, lambdas, lambdas.size, 0.0)
        scores = (x - means) / scales @ path
        gains.append(partial_log_likelihood(follow_up, scores) - partial_log_likelihood(train, scores[kept]))
        events.append(int(follow_up.event[left].sum()))
    weight = np.asarray(events, dtype=np.float64)
    per_event = -2 * np.stack(gains) / weight[:, None]
    mean: Floats = np.average(per_event, axis=0, weights=weight)
    spread = np.average((per_event - mean) ** 2, axis=0, weights=weight)
    return mean, np.sqrt(spread / (folds - 1))


def _path(z: Floats, follow_up: FollowUp, lambdas: Floats | None, count: int, ratio: float) -> tuple[Floats, Floats]:
    """Penalties (L,) and coefficients (p, L); the path is as long as asked for, its end repeated if Coxnet stops."""
    fitter = CoxnetSurvivalAnalysis(
        alphas=lambdas, n_alphas=count, alpha_min_ratio=ratio or 0.01, l1_ratio=1.0, tol=1e-9, max_iter=1_000_000
    )
    with warnings.catch_warnings():
        # It warns where a penalty selects nothing, which is an answer; the path begins there.
        warnings.filterwarnings("ignore", "all coefficients are zero", UserWarning)
        try:
            fitter.fit(z, follow_up.structured())
        except (ValueError, ArithmeticError) as error:
            raise NotComputable("COX_NOT_FITTED", "the penalised likelihood cannot be fitted") from error
    coefficients = np.asarray(fitter.coef_, dtype=np.float64)
    if lambdas is not None and coefficients.shape[1] < lambdas.size:
        missing = lambdas.size - coefficients.shape[1]
        coefficients = np.concatenate([coefficients, np.repeat(coefficients[:, -1:], missing, axis=1)], axis=1)
    return np.asarray(fitter.alphas_, dtype=np.float64) if lambdas is None else lambdas, coefficients


def _scaling(x: Floats) -> tuple[Floats, Floats]:
    scales = x.std(axis=0)
    return x.mean(axis=0), np.where(scales > 0, scales, 1.0)
