"""How well features agree between contours of the same lesions: the intraclass correlation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["icc_2_1"]


def icc_2_1(ratings: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """ICC(2,1): two-way random effects, absolute agreement, one rating (Shrout and Fleiss, Psychol Bull 1979;86:420).

    (BMS - EMS) / (BMS + (k - 1) EMS + k (JMS - EMS) / n) of the mean squares between subjects, between raters and of
    the rest. It is the same for a feature and for any linear function of it.

    Args:
        ratings: (k raters, n subjects, ...), k and n at least 2.

    Returns:
        (...): one value a feature; NaN where it is the same everywhere or not finite.

    Raises:
        ValueError: fewer than two raters or subjects.
    """
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim < 2 or min(x.shape[:2]) < 2:
        raise ValueError("agreement needs two raters and two subjects")
    k, n = x.shape[:2]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        subjects, raters, mean = x.mean(axis=0), x.mean(axis=1), x.mean(axis=(0, 1))
        between = k * ((subjects - mean) ** 2).sum(axis=0) / (n - 1)
        judges = n * ((raters - mean) ** 2).sum(axis=0) / (k - 1)
        rest = ((x - subjects[None] - raters[:, None] + mean) ** 2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
        icc = (between - rest) / (between + (k - 1) * rest + k * (judges - rest) / n)
    varies = np.ptp(x, axis=(0, 1)) > 0
    return np.asarray(np.where(varies & np.isfinite(icc), icc, np.nan))
