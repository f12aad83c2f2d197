"""Weights that are never negative: ridge Cox over a few scores, the penalty by inner cross-validation.

Minimises -l(w) / events + penalty / 2 |w|^2 over w >= 0, with l Cox's partial log-likelihood (Breslow's ties) of
z-scores times w. It is convex, so L-BFGS-B with bounds finds the one minimum (Byrd, SIAM J Sci Comput 1995;16:1190).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.lasso import partial_log_likelihood

__all__ = ["PENALTIES", "RidgeWeights", "event_folds", "fit_ridge", "ridge_weights"]

PENALTIES: tuple[float, ...] = tuple(float(value) for value in 10.0 ** np.arange(1.0, -3.5, -0.5))
"""Per event, of z-scores, the strongest first: from weights near 0 to none that matters."""
INNER_FOLDS = 5
STOP = {"ftol": 1e-13, "gtol": 1e-9, "maxiter": 500}
"""Tight enough that weights agree with an independent solver to six digits (tests)."""


@dataclass(frozen=True, eq=False)
class RidgeWeights:
    """Attributes: weights: (p,) of z-scores, 0 or more. deviance: (L,) cross-validated, per event, at the penalties."""

    weights: Floats
    penalty: float
    deviance: Floats


def fit_ridge(z: Floats, follow_up: FollowUp, seed: int = 0) -> RidgeWeights:
    """The penalty of the least cross-validated deviance (Verweij, Stat Med 1993;12:2305), then the weights with it.

    Args:
        z: (n, p) z-scores.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` with fewer events than folds.
    """
    if follow_up.events < INNER_FOLDS:
        raise NotComputable("TOO_FEW_EVENTS", f"{follow_up.events} events for {INNER_FOLDS} folds")
    deviance = np.zeros(len(PENALTIES))
    # Thousands of products of a few hundred numbers: waking threads for each takes ten times as long (measured).
    with threadpool_limits(1, "blas"):
        for kept, _ in event_folds(follow_up, INNER_FOLDS, seed):
            train = follow_up.take(kept)
            path = _path(z[kept], train)
            gain = partial_log_likelihood(follow_up, z @ path) - partial_log_likelihood(train, z[kept] @ path)
            deviance -= 2 * gain / follow_up.events
        # Of equal ones the first, that is the strongest.
        best = PENALTIES[int(np.argmin(deviance))]
        return RidgeWeights(ridge_weights(z, follow_up, best), best, deviance)


def ridge_weights(z: Floats, follow_up: FollowUp, penalty: float, start: Floats | None = None) -> Floats:
    """(p,) weights for a given penalty.

    Raises:
        NotComputable: ``COX_NOT_FITTED`` where the search does not end.
    """
    order = np.argsort(-follow_up.months, kind="stable")
    x, months, event = z[order], follow_up.months[order], follow_up.event[order]
    last = np.searchsorted(-months, -months[event], side="right") - 1
    failing, events = x[event].sum(axis=0), follow_up.events

    def objective(w: Floats) -> tuple[float, Floats]:
        lp = x @ w
        top = lp.max()
        weight = np.exp(lp - top)
        total = np.cumsum(weight)[last]
        centre = np.cumsum(weight[:, None] * x, axis=0)[last] / total[:, None]
        loss = (np.log(total) + top).sum() - failing @ w
        slope = centre.sum(axis=0) - failing
        return float(loss / events + penalty / 2 * w @ w), slope / events + penalty * w

    first = np.zeros(z.shape[1]) if start is None else start
    found = minimize(objective, first, jac=True, method="L-BFGS-B", bounds=[(0, None)] * z.shape[1], options=STOP)
    # Status 2 is a line search that can gain no further digit, which is the minimum at this precision.
    if found.status == 1 or not np.isfinite(found.x).all():
        raise NotComputable("COX_NOT_FITTED", "the penalised likelihood has no minimum that can be found")
    weights: Floats = np.asarray(found.x, dtype=np.float64)
    return weights


def event_folds(follow_up: FollowUp, count: int, seed: int) -> list[tuple[Ints, Ints]]:
    """(kept, left out) positions, events spread evenly; the same seed gives the same."""
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros((follow_up.n, 1)), follow_up.event))


def _path(z: Floats, follow_up: FollowUp) -> Floats:
    """Weights (p, L) along the penalties, each search begun where the last ended."""
    columns: list[Floats] = []
    for penalty in PENALTIES:
        columns.append(ridge_weights(z, follow_up, penalty, columns[-1] if columns else None))
    return np.stack(columns, axis=1)
