"""How good the reviewer is: volumes removed and kept, lesions found, calibration, and the error of TMTV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.segmentation.review_data import KnownCandidates
from lymphoma.segmentation.reviewer import ACCEPTED_FROM, REJECTED_TO

__all__ = ["ReliabilityBin", "ReviewFigures", "review_figures"]

Floats = npt.NDArray[np.float64]

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Of the reliability bins; the decisions' thresholds are among them."""
FOUND = 0.5
"""Share of a lesion's candidate volume that must be accepted for the lesion to count as found."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Candidates of probabilities from ``lowest`` to ``highest``: their mean probability, and what they are."""

    lowest: float
    highest: float
    parts: int
    mean_probability: float
    mean_lesion_share: float


@dataclass(frozen=True)
class ReviewFigures:
    """Over all patients together.

    Attributes:
        lesion_kept, physiological_removed: shares of the volume of lesions, and of healthy uptake, in all candidates;
            accepted ones alone are kept. lesion_kept_to_confirm, physiological_rejected: with those to confirm kept.
        lesions_found: share of the true lesions that any candidate holds (3 mL of SUV >= 4 at least in one component)
            of which half is accepted. to_confirm_parts, to_confirm_volume: shares of all candidates.
        brier, log_loss: in mean over candidates, against the lesion's share.
        tmtv_error_before_ml, tmtv_error_ml: median over patients of the absolute error of TMTV when all candidates
            are taken, and when the accepted are. None without patients.
    """

    patients: int
    parts: int
    lesion_kept: float | None
    lesion_kept_to_confirm: float | None
    physiological_removed: float | None
    physiological_rejected: float | None
    lesions_found: float | None
    to_confirm_parts: float | None
    to_confirm_volume: float | None
    brier: float | None
    log_loss: float | None
    tmtv_error_before_ml: float | None
    tmtv_error_ml: float | None
    reliability: tuple[ReliabilityBin, ...]


def review_figures(patients: Sequence[KnownCandidates], probability: Sequence[Floats]) -> ReviewFigures:
    """Figures of probabilities, one array for each patient in the order of the candidates."""
    if any(len(one) != len(p) for one, p in zip(patients, probability, strict=True)):
        raise ValueError("each candidate has one probability")
    p = np.concatenate([*probability, np.zeros(0)])
    lesion = np.concatenate([*(one.lesion_ml for one in patients), np.zeros(0)])
    other = np.concatenate([*(one.other_ml for one in patients), np.zeros(0)])
    volume = np.concatenate([*(one.volume_ml for one in patients), np.zeros(0)])
    told = lesion + other > 0
    share = lesion / np.maximum(lesion + other, 1e-9)
    accepted, kept = p >= ACCEPTED_FROM, p > REJECTED_TO
    found = [_found(one, each >= ACCEPTED_FROM) for one, each in zip(patients, probability, strict=True)]
    errors = [_errors(one, each >= ACCEPTED_FROM) for one, each in zip(patients, probability, strict=True)]
    sure = np.clip(p[told], 1e-6, 1 - 1e-6)
    loss = -(share[told] * np.log(sure) + (1 - share[told]) * np.log(1 - sure))
    unsure = kept & ~accepted
    return ReviewFigures(
        patients=len(patients),
        parts=len(p),
        lesion_kept=_share(lesion[accepted], lesion),
        lesion_kept_to_confirm=_share(lesion[kept], lesion),
        physiological_removed=_share(other[~accepted], other),
        physiological_rejected=_share(other[~kept], other),
        lesions_found=_mean(np.concatenate([*found, np.zeros(0)])),
        to_confirm_parts=_mean(unsure.astype(float)),
        to_confirm_volume=_share(volume[unsure], volume),
        brier=_mean((sure - share[told]) ** 2),
        log_loss=_mean(loss),
        tmtv_error_before_ml=_median([before for before, _ in errors]),
        tmtv_error_ml=_median([after for _, after in errors]),
        reliability=_reliability(p[told], share[told]),
    )


def _found(one: KnownCandidates, accepted: npt.NDArray[np.bool_]) -> Floats:
    """1 or 0 for each true lesion that any candidate holds."""
    held = one.met_ml.sum(axis=0)
    taken = one.met_ml[accepted].sum(axis=0)
    return np.asarray((taken >= FOUND * held)[held > 0], dtype=np.float64)


def _errors(one: KnownCandidates, accepted: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Absolute error of TMTV before and after; a lesion's spill-out over SUV 4 belongs to its volume."""
    true = float((one.volume_ml - one.other_ml).sum())
    return abs(float(one.volume_ml.sum()) - true), abs(float(one.volume_ml[accepted].sum()) - true)


def _reliability(p: Floats, share: Floats) -> tuple[ReliabilityBin, ...]:
    which = np.clip(np.digitize(p, EDGES) - 1, 0, len(EDGES) - 2)
    return tuple(
        ReliabilityBin(EDGES[at], EDGES[at + 1], int(here.sum()), float(p[here].mean()), float(share[here].mean()))
        for at in range(len(EDGES) - 1)
        if (here := which == at).any()
    )


def _share(part: Floats, whole: Floats) -> float | None:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0 else None


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
