"""LAMP as a system: pooled features of lesions and organs -> risk of each endpoint, and what the attention fell on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.lamp.ensemble import Setup, Word, bag_of_patient, ensemble_of, setup_of
from lymphoma.lamp.range import RangeSummary
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.prognosis.system import Scored, StudyArrays
from lymphoma.training.bundle import Bundle

__all__ = ["RANGE_NETWORK", "SYSTEM", "TOP_ORGANS", "LampSystem", "score_name"]

RANGE_NETWORK = "range"
"""Name of the tensors of :class:`lymphoma.lamp.range.RangeSummary` in a bundle."""
TOP_ORGANS = 3
"""Organs named beside a lesion; softmax over forty organs leaves little to those after."""


def score_name(endpoint: str) -> str:
    """``lamp_pfs``, ``lamp_os``."""
    return f"lamp_{endpoint}"


@dataclass(frozen=True)
class LampSystem:
    """A :class:`lymphoma.prognosis.system.PrognosisSystem`. Its instances are the accepted lesions."""

    name: str = "lamp"
    needs_lesions: bool = True
    needs_whole_body: bool = True

    def score(self, bundle: Bundle, study: StudyArrays) -> Scored:
        """Pools the features of the final lesion map and judges them.

        Attention and organs are those of progression-free survival, the first endpoint that the bundle has.

        Raises:
            NotComputable: ``NOT_INSTALLED`` without a lesion network; ``BUNDLE_MISMATCH`` where it is not the one, or
                the organs are not those, that the bundle learned from; ``NO_AVID_LESION``; ``MEASURE_MISSING``; the
                codes of the pooler.
            BundleRefused: a part of the bundle cannot be read.
        """
        if study.pooler is None:
            raise NotComputable("NOT_INSTALLED", "reads features of the lesion network, and none is installed")
        setup = setup_of(bundle)
        _same(setup, study.pooler.network, None)
        pooled = study.pooler.pool(study.lesion_map)
        _same(setup, pooled.network, pooled.organ_names)
        pooled, numbers = _accepted(pooled, study.accepted)
        bag = bag_of_patient(pooled, study.pet, setup.shape)
        words = {one: ensemble_of(bundle, setup, one).judge(bag) for one in ENDPOINTS if one in setup.heads}
        summary = RangeSummary.from_tensors(bundle.weights(RANGE_NETWORK))
        first = next(iter(words.values()))
        return Scored(
            {score_name(endpoint): float(word.risk[0]) for endpoint, word in words.items()},
            summary.features(pooled, study.pet),
            _attention(first, numbers),
            _context(first, numbers, setup.organ_names),
        )


def _same(setup: Setup, network: str, organ_names: tuple[str, ...] | None) -> None:
    if network != setup.network:
        raise NotComputable(
            "BUNDLE_MISMATCH", "learned from the features of another lesion network than the one installed"
        )
    if organ_names is not None and organ_names != setup.organ_names:
        raise NotComputable("BUNDLE_MISMATCH", "learned with other organs than the anatomy engine finds")


def _accepted(pooled: PooledFeatures, accepted: tuple[int, ...] | None) -> tuple[PooledFeatures, npt.NDArray[np.int64]]:
    """Features of the lesions that count, and their numbers."""
    everyone = np.arange(1, len(pooled.lesions) + 1)
    numbers = everyone if accepted is None else everyone[np.isin(everyone, accepted)]
    return replace(pooled, lesions=pooled.lesions[numbers - 1], lesion_map=""), numbers


def _attention(word: Word, numbers: npt.NDArray[np.int64]) -> dict[int, float]:
    if word.attention is None:
        return {}
    return {int(number): float(weight) for number, weight in zip(numbers, word.attention[0], strict=True)}


def _context(
    word: Word, numbers: npt.NDArray[np.int64], names: tuple[str, ...]
) -> Mapping[int, tuple[tuple[str, float], ...]]:
    if word.organs is None:
        return {}
    found = {}
    for number, weights in zip(numbers, word.organs[0], strict=True):
        first = np.argsort(-weights, kind="stable")[:TOP_ORGANS]
        found[int(number)] = tuple((names[at], float(weights[at])) for at in first if weights[at] > 0)
    return found


SYSTEM = LampSystem()
