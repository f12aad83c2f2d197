"""Made-up patients as the head reads them: lesions, five organs, and a hazard that follows the worst lesion."""

from __future__ import annotations

import numpy as np
from lymphoma.lamp.bags import LesionBags, bag_of, pad_bags
from lymphoma.lamp.task import LearningSet
from lymphoma.survival.follow_up import FollowUp

ORGANS = 5


def one_patient(
    rng: np.random.Generator, count: int, present: tuple[bool, ...] = (True,) * ORGANS, features: int = 128
) -> LesionBags:
    """A patient with ``count`` lesions."""
    lesions, organs = rng.normal(size=(count, features)), rng.normal(size=(ORGANS, features))
    return bag_of(lesions, organs, np.array(present), rng.normal(size=3).tolist())


def patients(seed: int, count: int, features: int = 128) -> LesionBags:
    """``count`` patients with 1 to 6 lesions each, one organ missing in some."""
    rng = np.random.default_rng([seed, 77])
    sizes = rng.integers(1, 7, count)
    there = [(True, bool(missing > 0.3), True, True, True) for missing in rng.random(count)]
    return pad_bags([one_patient(rng, int(size), organs, features) for size, organs in zip(sizes, there, strict=True)])


def learning(seed: int, count: int, features: int = 128, effect: float = 1.5) -> LearningSet:
    """Patients with outcomes: the log hazard ratio is ``effect`` times the largest first feature of a lesion."""
    bags = patients(seed, count, features)
    worst = np.where(bags.is_lesion.numpy(), bags.lesions[..., 0].numpy(), -np.inf).max(axis=1)
    rng = np.random.default_rng([seed, 78])
    months = 30.0 * rng.exponential(size=count) * np.exp(-effect * (worst - 0.9))
    end = rng.uniform(12.0, 72.0, count)
    return LearningSet(bags, FollowUp(np.maximum(np.minimum(months, end), 0.05), months <= end))
