"""The features of key organs in a plane (Fig. 2D of LAMP): do they tell one organ from another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from lymphoma.prognosis.pooled import PooledFeatures

__all__ = ["KEY_ORGANS", "OrganMap", "organ_map"]

KEY_ORGANS = ("brain", "lung_right", "liver", "spleen", "kidney_left", "vertebrae_L")
"""Large organs of different tissues; six colours can be told apart by everybody."""

MOST_PATIENTS = 100
LEAST_POINTS = 40
PERPLEXITY = 15.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OrganMap:
    """One point for each organ of each patient.

    Attributes:
        organ: (m,), index into ``names``. x, y: (m,), without unit. patients: how many took part.
        silhouette: -1 to 1 of the standardised features themselves, not of the plane; 0 and below tells nothing apart.
    """

    names: tuple[str, ...]
    organ: npt.NDArray[np.int64]
    x: Floats
    y: Floats
    silhouette: float
    patients: int


def organ_map(pooled: Sequence[PooledFeatures], *, seed: int = 0) -> OrganMap | None:
    """t-SNE of the organs' features; the same patients and seed give the same points.

    Args:
        pooled: of patients of one lesion network; the first hundred take part.

    Returns:
        None where fewer than 40 organs, or fewer than two kinds, are there.
    """
    taken = pooled[:MOST_PATIENTS]
    rows: list[npt.NDArray[np.float32]] = []
    organ: list[int] = []
    for one in taken:
        for number, name in enumerate(KEY_ORGANS):
            if name in one.organ_names and one.present[at := one.organ_names.index(name)]:
                rows.append(one.organs[at])
                organ.append(number)
    if len(rows) < LEAST_POINTS or len(set(organ)) < 2:
        return None
    features = StandardScaler().fit_transform(np.array(rows, dtype=np.float64))
    kinds = np.array(organ, dtype=np.int64)
    plane = TSNE(2, perplexity=PERPLEXITY, init="pca", random_state=seed, method="exact").fit_transform(features)
    told = float(silhouette_score(features, kinds))
    x, y = np.asarray(plane, dtype=np.float64).T
    return OrganMap(KEY_ORGANS, kinds, x, y, told, len(taken))
