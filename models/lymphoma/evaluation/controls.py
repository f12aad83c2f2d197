"""Permuted outcomes: whatever a model finds then is chance or a leak.

Each permutation deals the outcomes out anew and fits every model in every training fold anew. One permutation of a
small cohort scatters from 0.4 to 0.6, so that only the mean over many says something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.baselines import Candidate
from lymphoma.evaluation.fitting import fit_model
from lymphoma.evaluation.protocols import Split
from lymphoma.evaluation.ranking import ComparablePairs
from lymphoma.evaluation.result import Control
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["permuted"]

STREAM = 59
"""Random stream of permutations."""


def permuted(
    models: Sequence[Candidate],
    follow_up: FollowUp,
    splits: Sequence[Split],
    *,
    permutations: int,
    seed: int,
    untouched: bool,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Control, ...]:
    """Harrell's C of every model on permuted outcomes, the null model left out; nothing for no permutations.

    The folds stay as they are, so that a permutation can give a fold fewer events than it had.
    """
    asked = [model for model in models if model.kind != "null"]
    found = np.full((permutations, len(asked)), np.nan)
    for number in range(permutations):
        order = np.random.default_rng([seed, STREAM, number]).permutation(follow_up.n)
        shuffled = follow_up.take(order)
        for column, model in enumerate(asked):
            found[number, column] = _mean_c(model, shuffled, splits, untouched)
        if progress is not None:
            progress(number + 1, permutations)
    return tuple(_summary(model.key, found[:, column]) for column, model in enumerate(asked)) if permutations else ()


def _mean_c(model: Candidate, follow_up: FollowUp, splits: Sequence[Split], untouched: bool) -> float:
    try:
        score = (
            model.values[:, 0]
            if model.ranks_as_it_is
            else fit_model(model, follow_up, splits, np.zeros(0), untouched=untouched).score
        )
    except NotComputable:
        return float("nan")
    values = []
    for split in splits:
        test = follow_up.take(split.test)
        pairs = ComparablePairs(test, np.zeros(test.n))
        values.append(pairs.concordance(score[None, split.test], np.ones((test.n, 1)))[0][0, 0])
    return float(np.mean(values))


def _summary(key: str, values: Floats) -> Control:
    there = values[np.isfinite(values)]
    if not there.size:
        nothing = float("nan")
        return Control(key, 0, nothing, nothing, nothing, nothing, nothing)
    sd = float(there.std(ddof=1)) if there.size > 1 else 0.0
    error = sd / float(np.sqrt(there.size))
    return Control(key, int(there.size), float(there.mean()), error, sd, float(there.min()), float(there.max()))
