"""Risk groups: by cut-offs, and the four-way grouping of a signature and the NCCN-IPI. A value at a cut-off is HIGH."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt

from lymphoma.survival.follow_up import Ints

__all__ = ["NCCN_HIGH_FROM", "FourWay", "four_way", "groups_by_cutoffs"]

NCCN_HIGH_FROM = 4
"""Points from which the NCCN-IPI is high-intermediate or high."""


class FourWay(Enum):
    """Signature x NCCN-IPI, as the DFR paper divides its patients (J Cancer Res Clin Oncol 2024;150:452, Fig. 4)."""

    LOW_SIGNATURE_LOW_NCCN = "low signature, NCCN-IPI low or low-intermediate"
    LOW_SIGNATURE_HIGH_NCCN = "low signature, NCCN-IPI high-intermediate or high"
    HIGH_SIGNATURE_LOW_NCCN = "high signature, NCCN-IPI low or low-intermediate"
    HIGH_SIGNATURE_HIGH_NCCN = "high signature, NCCN-IPI high-intermediate or high"


def groups_by_cutoffs(scores: npt.ArrayLike, cutoffs: Sequence[float]) -> Ints:
    """Group 0..K of each score (n,) for K ascending cut-offs; a score equal to a cut-off belongs above it."""
    cuts, values = np.asarray(cutoffs, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if cuts.size == 0 or (np.diff(cuts) <= 0).any():
        raise ValueError("cut-offs must ascend")
    if np.isnan(values).any():
        raise ValueError("a score is not a number")
    return np.searchsorted(cuts, values, side="right").astype(np.int64)


def four_way(signature: float, cutoff: float, nccn_least: int, nccn_most: int) -> FourWay | None:
    """The group of a patient; None where missing factors leave the side of the NCCN-IPI open.

    Args:
        nccn_least, nccn_most: range of NCCN-IPI points that the known factors allow.
    """
    if (nccn_least >= NCCN_HIGH_FROM) != (nccn_most >= NCCN_HIGH_FROM):
        return None
    if nccn_least >= NCCN_HIGH_FROM:
        return FourWay.HIGH_SIGNATURE_HIGH_NCCN if signature >= cutoff else FourWay.LOW_SIGNATURE_HIGH_NCCN
    return FourWay.HIGH_SIGNATURE_LOW_NCCN if signature >= cutoff else FourWay.LOW_SIGNATURE_LOW_NCCN
