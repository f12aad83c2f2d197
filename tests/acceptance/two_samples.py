"""Whether sampled features can be told from measured ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.sites import GROUPS, ORGANS
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

__all__ = ["pooled_features", "pooled_names", "two_sample_auc"]

Floats = npt.NDArray[np.float64]
_LESION = ("volume_ml", "suv_max", "suv_peak", "suv_mean", "suv_cv", "hu_mean", "hu_sd", "height", "lateral", "depth")
_ORGAN = ("suv_mean", "suv_sd", "hu_mean", "hu_sd", "volume_ml")


def pooled_features(table: FeatureTable) -> Floats:
    """One row a patient: lesion features pooled by mean, maximum and sum, organ features, counts by site, Dmax."""
    columns: list[npt.ArrayLike] = []
    for name in _LESION:
        values = getattr(table.lesions, name)
        columns += [table.mean(values), table.pooled(values, np.maximum), table.pooled(values, np.add)]
    columns += [table.pooled(table.lesions.group == group, np.add, 0.0) for group in range(len(GROUPS))]
    columns += [table.counts, table.dmax_mm, table.sdmax_per_m]
    for name in _ORGAN:
        columns += list(getattr(table.organs, name).T)
    return np.nan_to_num(np.column_stack(columns).astype(np.float64), nan=-1.0)


def pooled_names() -> list[str]:
    """Names of the columns of :func:`pooled_features`."""
    lesions = [f"{how} {name}" for name in _LESION for how in ("mean", "max", "sum")]
    organs = [f"{organ.name} {name}" for name in _ORGAN for organ in ORGANS]
    return [*lesions, *(f"lesions {group}" for group in GROUPS), "count", "dmax_mm", "sdmax_per_m", *organs]


def two_sample_auc(
    first: FeatureTable, second: FeatureTable, *, seed: int = 0, folds: int = 5, trees: int = 400
) -> float:
    """Cross-validated AUC of a random forest that tells the two tables apart; 0.5 where it cannot."""
    features = np.concatenate((pooled_features(first), pooled_features(second)))
    labels = np.repeat([0, 1], [len(first), len(second)])
    forest = RandomForestClassifier(trees, min_samples_leaf=3, max_features="sqrt", random_state=seed)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    scores = cross_val_predict(forest, features, labels, cv=split, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, scores))
