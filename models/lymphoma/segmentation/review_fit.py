"""Learning the reviewer: boosted trees on candidates of known nature, calibrated on patients they did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from lymphoma.errors import NotComputable
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES
from lymphoma.segmentation.review_data import KnownCandidates, stacked
from lymphoma.segmentation.reviewer import Judge, Reviewer, Tree

__all__ = ["FOLDS", "fit_judge", "fit_reviewer", "out_of_fold"]

Floats = npt.NDArray[np.float64]

FOLDS = 5
TREES, DEPTH, RATE = 200, 3, 0.05
LEAF_SHARE = 0.004
"""Of all candidates that a leaf must hold at least: a rule that rests on a handful is none."""
LEAST_PARTS = 50
"""Candidates of either kind, below which nothing is fitted."""
UNLIMITED = 1e6
"""Inverse penalty of Platt's curve: two numbers need no shrinkage."""


def fit_reviewer(patients: Sequence[KnownCandidates], seed: int = 0) -> Reviewer:
    """Both models, with and without the network's look.

    Raises:
        NotComputable: TOO_FEW_EVENTS, too few patients or too few candidates of either kind.
    """
    seen, _ = fit_judge(patients, (*PLAIN_FEATURES, *NETWORK_FEATURES), seed)
    unseen, _ = fit_judge(patients, PLAIN_FEATURES, seed)
    return Reviewer(seen, unseen)


def fit_judge(
    patients: Sequence[KnownCandidates], features: tuple[str, ...], seed: int = 0
) -> tuple[Judge, tuple[Floats, ...]]:
    """One model, and calibrated probabilities of the same candidates by models that saw none of their patient.

    Returns:
        the model; of each patient the probabilities of his or her candidates.

    Raises:
        NotComputable: TOO_FEW_EVENTS.
    """
    values, share, volume_ml, patient = stacked(patients, features)
    if len(patients) < FOLDS or min((share >= 0.5).sum(), (share < 0.5).sum()) < LEAST_PARTS:
        raise NotComputable(
            "TOO_FEW_EVENTS", f"{len(patients)} patients with {len(share)} candidates are too few to learn a reviewer"
        )
    rough = _judge(values, share, volume_ml, features, len(patients), seed)
    folds = list(GroupKFold(FOLDS, shuffle=True, random_state=seed).split(values, groups=patient))
    scores = np.zeros(len(share))
    parted = []
    for train, test in folds:
        one = _judge(values[train], share[train], volume_ml[train], features, len(set(patient[train])), seed)
        scores[test] = one.score(values[test])
        parted.append(one)
    slope, intercept = _platt(scores, share)
    judge = replace(rough, slope=slope, intercept=intercept)
    unseen = [np.zeros(len(one)) for one in patients]
    for one, (_, test) in zip(parted, folds, strict=True):
        calibrated = replace(one, slope=slope, intercept=intercept)
        for at in sorted(set(patient[test].astype(int).tolist())):
            unseen[at] = calibrated.probability(patients[at].features(features))
    return judge, tuple(unseen)


def out_of_fold(patients: Sequence[KnownCandidates], features: tuple[str, ...], seed: int = 0) -> tuple[Floats, ...]:
    """The probabilities of :func:`fit_judge` alone."""
    return fit_judge(patients, features, seed)[1]


def _judge(
    values: Floats, share: Floats, volume_ml: Floats, features: tuple[str, ...], patients: int, seed: int
) -> Judge:
    """Trees on soft labels: each candidate stands once as lesion and once as none, weighed by its share.

    Its whole weight is the square root of its volume in mL: a wrong bladder costs more than a wrong voxel cluster, and
    small lesions still count [A].
    """
    model = GradientBoostingClassifier(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        subsample=0.6,
        max_features=0.3,
        min_samples_leaf=max(3, round(LEAF_SHARE * 2 * len(share))),
        random_state=seed,
    )
    weight = np.sqrt(np.maximum(volume_ml, 1e-3))
    twice = np.concatenate([values, values])
    label = np.repeat([1, 0], len(share))
    weights = np.concatenate([weight * share, weight * (1.0 - share)])
    used = weights > 0
    model.fit(twice[used], label[used], sample_weight=weights[used] / weights[used].mean())
    trees = tuple(_tree(one.tree_) for one in model.estimators_[:, 0])
    start = float(model.decision_function(values[:1])[0] - sum(tree.predict(values[:1])[0] for tree in trees))
    return Judge(
        features=features,
        start=start,
        trees=trees,
        slope=1.0,
        intercept=0.0,
        lowest=tuple(values.min(axis=0).tolist()),
        highest=tuple(values.max(axis=0).tolist()),
        spread=tuple(values.std(axis=0).tolist()),
        patients=patients,
        parts=len(share),
    )


def _tree(grown: object) -> Tree:
    """A tree of scikit-learn in our own form; the learning rate goes into the leaves."""
    feature = np.asarray(getattr(grown, "feature"))  # noqa: B009 - a compiled class without types
    left, right = (np.asarray(getattr(grown, name)) for name in ("children_left", "children_right"))
    value = np.asarray(getattr(grown, "value"))[:, 0, 0] * RATE  # noqa: B009
    leaf = left < 0
    threshold = np.where(leaf, 0.0, np.asarray(getattr(grown, "threshold")))  # noqa: B009
    return Tree(
        feature=tuple(np.where(leaf, -1, feature).tolist()),
        threshold=tuple(threshold.tolist()),
        left=tuple(left.tolist()),
        right=tuple(right.tolist()),
        value=tuple(np.where(leaf, value, 0.0).tolist()),
    )


def _platt(scores: Floats, share: Floats) -> tuple[float, float]:
    """Slope and intercept of the logistic curve through scores of unseen candidates (Platt 1999)."""
    curve = LogisticRegression(C=UNLIMITED)
    twice = np.concatenate([scores, scores])[:, None]
    curve.fit(twice, np.repeat([1, 0], len(scores)), sample_weight=np.concatenate([share, 1.0 - share]))
    return float(curve.coef_[0, 0]), float(curve.intercept_[0])
