"""Simulated follow-up with a known hazard."""

from __future__ import annotations

import numpy as np
from lymphoma.survival.follow_up import Floats, FollowUp

MEDIAN_MONTHS = 60.0


def follow_up_of(log_hazard: Floats, seed: int, censored_from: float = 12.0, to: float = 96.0) -> FollowUp:
    """Exponential times with that log hazard ratio (n,), censored uniformly in time."""
    rng = np.random.default_rng([seed, 99])
    months = rng.exponential(MEDIAN_MONTHS / np.exp(log_hazard))
    censoring = rng.uniform(censored_from, to, len(log_hazard))
    return FollowUp(np.minimum(months, censoring), months <= censoring)
