"""Concordance of out-of-fold scores: within each fold, then in mean, as risks of different models are not compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lymphoma.survival.bootstrap import Interval, bootstrap, interval
from lymphoma.survival.concordance import harrell_of_resamples
from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["folded_concordance"]


def folded_concordance(
    follow_up: FollowUp,
    risk: Floats,
    parts: Sequence[Ints],
    *,
    resamples: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Interval:
    """Harrell's C with its 95 % interval over resampled patients.

    Args:
        risk: (n,) higher is worse. parts: positions of the patients that each fold held out; one without a comparable
            pair is passed over.
    """
    each = [harrell_of_resamples(follow_up.take(part), risk[part][:, None]) for part in parts]

    def mean(counts: Floats) -> Floats:
        found = [statistic(np.ascontiguousarray(counts[part])) for statistic, part in zip(each, parts, strict=True)]
        average: Floats = np.nanmean(found, axis=0)
        return average

    estimate = float(mean(np.ones((follow_up.n, 1)))[0, 0])
    draws = bootstrap(follow_up.n, mean, resamples=resamples, seed=seed, progress=progress)
    return interval(estimate, draws[:, 0])
