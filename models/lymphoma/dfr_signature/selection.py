"""Ten of a thousand features: repeatable ones, by their mutual information with the event, on training data only."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass
from sklearn.feature_selection import mutual_info_classif

from lymphoma.dfr_signature.repeatability import icc_2_1
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.survival.follow_up import Bools, Floats, Ints

__all__ = ["FeatureSelection", "SelectionSettings", "fit_selection"]

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
LAYOUT, KIND = 1, "dfr_selection"
NEIGHBOURS = 3
"""Of the estimate of mutual information (Kraskov; Ross 2014), as scikit-learn has it."""
LEAST_OF_A_KIND = NEIGHBOURS + 1
"""Patients with, and without, the event below which their nearest neighbours of the same kind are not there."""
LEAST_SPREAD = 1e-6
"""A column whose standard deviation is less than this share of its size is constant but for float32's rounding."""


@dataclass(frozen=True, config=STRICT)
class SelectionSettings:
    """How features are selected; the defaults are the paper's but for the seed.

    Attributes:
        features: how many. least_icc: what a feature's ICC must exceed. seed: of the noise that breaks ties between
            equal values in the estimate of mutual information.
    """

    features: Annotated[int, Field(gt=0)] = 10
    least_icc: Annotated[float, Field(ge=-1, lt=1)] = 0.8
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, config=STRICT)
class FeatureSelection:
    """The selected features, most informative first: tuples of one length.

    Attributes:
        columns: in the features offered. means, spreads: of the training patients, for the z-score. icc: above
            ``settings.least_icc``. information: mutual information with the event, nat.
        offered: features given. repeatable: how many of them passed the ICC.
    """

    columns: tuple[int, ...]
    means: tuple[float, ...]
    spreads: tuple[Annotated[float, Field(gt=0)], ...]
    icc: tuple[float, ...]
    information: tuple[float, ...]
    offered: int
    repeatable: int
    settings: SelectionSettings

    def apply(self, features: npt.ArrayLike) -> Floats:
        """z-scores of the selected features, (n, 10), of features (n, p).

        Raises:
            ValueError: p is not what the selection was fitted on.
            NotComputable: ``VALUES_NOT_FINITE``.
        """
        x = np.asarray(features, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.offered:
            raise ValueError(f"the selection was fitted on {self.offered} features")
        chosen = x[:, list(self.columns)]
        if not np.isfinite(chosen).all():
            raise NotComputable("VALUES_NOT_FINITE", "a selected feature is not a number")
        return np.asarray((chosen - self.means) / self.spreads)

    def to_json(self) -> str:
        """As JSON; every float comes back bit for bit."""
        return json.dumps({"layout": LAYOUT, "kind": KIND, **asdict(self)}, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> FeatureSelection:
        """The selection again.

        Raises:
            BundleRefused: ``BUNDLE_UNREADABLE``, ``BUNDLE_NEWER_LAYOUT``.
        """
        try:
            content = json.loads(text)
            layout = content.pop("layout")
            if content.pop("kind") != KIND or not isinstance(layout, int):
                raise ValueError("another kind of file")
        except (ValueError, KeyError, AttributeError, TypeError) as fault:
            raise BundleRefused("BUNDLE_UNREADABLE", "the file holds no selection of features") from fault
        if layout > LAYOUT:
            raise BundleRefused("BUNDLE_NEWER_LAYOUT", f"the file has layout {layout}, this version reads {LAYOUT}")
        try:
            found: FeatureSelection = _STORED.validate_python(content)
        except ValueError as fault:
            raise BundleRefused("BUNDLE_UNREADABLE", "the selection of features is not whole") from fault
        if not found._fits():
            raise BundleRefused("BUNDLE_UNREADABLE", "the selection of features contradicts itself")
        return found

    def _fits(self) -> bool:
        lists = (self.columns, self.means, self.spreads, self.icc, self.information)
        inside = all(0 <= one < self.offered for one in self.columns)
        return {len(one) for one in lists} == {self.settings.features} and inside


_STORED = TypeAdapter(FeatureSelection)


def fit_selection(
    features: npt.ArrayLike,
    repeats: npt.ArrayLike,
    event: npt.ArrayLike,
    settings: SelectionSettings | None = None,
    known: npt.ArrayLike | None = None,
) -> FeatureSelection:
    """Selects on training patients; give it no others.

    z-score, ICC(2,1) over the drawn and the perturbed contours, mutual information (scikit-learn), the first ten; of
    equal ones the lower column comes first. A column that is constant or not finite in some patient is not repeatable.

    Args:
        features: (n, p) by the contour as drawn. repeats: (r, n, p) by r perturbed ones, r at least 1. event: (n,).
        known: (n,) patients whose ``event`` is known, who alone count for the mutual information; None: all. It has no
            weights: those of a label by inverse probability of censoring are left to the signature [A].

    Raises:
        ValueError: the shapes do not agree.
        NotComputable: ``TOO_FEW_REPEATABLE``: fewer than ten features; ``TOO_FEW_EVENTS``: fewer than four patients
            with or without the event.
    """
    settings = settings or SelectionSettings()
    x, again = np.asarray(features, dtype=np.float64), np.asarray(repeats, dtype=np.float64)
    label = np.asarray(event, dtype=np.bool_)
    taught = np.ones(len(x), dtype=np.bool_) if known is None else np.asarray(known, dtype=np.bool_)
    if x.ndim != 2 or again.shape[1:] != x.shape or label.shape != (len(x),) or taught.shape != (len(x),):
        raise ValueError("features (n, p), repeats (r, n, p), event and known (n,) do not agree")
    if min((label & taught).sum(), (~label & taught).sum()) < LEAST_OF_A_KIND:
        raise NotComputable("TOO_FEW_EVENTS", f"fewer than {LEAST_OF_A_KIND} patients with, or without, the event")
    icc = icc_2_1(np.concatenate([x[None], again]))
    kept = _repeatable(x, icc, settings.least_icc)
    if len(kept) < settings.features:
        raise NotComputable(
            "TOO_FEW_REPEATABLE",
            f"{len(kept)} features have an ICC above {settings.least_icc:g}, {settings.features} are needed",
        )
    means, spreads = x[:, kept].mean(axis=0), x[:, kept].std(axis=0)
    information = _information((x[:, kept] - means) / spreads, label, taught, settings.seed)
    first = np.argsort(-information, kind="stable")[: settings.features]
    return FeatureSelection(
        columns=tuple(kept[first].tolist()),
        means=tuple(means[first].tolist()),
        spreads=tuple(spreads[first].tolist()),
        icc=tuple(icc[kept[first]].tolist()),
        information=tuple(information[first].tolist()),
        offered=x.shape[1],
        repeatable=len(kept),
        settings=settings,
    )


def _repeatable(x: Floats, icc: Floats, least: float) -> Ints:
    """Columns in ascending order."""
    finite = np.isfinite(x).all(axis=0)
    spread = np.where(finite, x.std(axis=0, where=np.isfinite(x)), 0.0)
    varies = spread > LEAST_SPREAD * np.abs(np.where(finite, x, 0.0)).max(axis=0)
    return np.asarray(np.flatnonzero(finite & varies & (np.nan_to_num(icc, nan=-1.0) > least)), dtype=np.int64)


def _information(z: Floats, event: Bools, known: Bools, seed: int) -> Floats:
    found = mutual_info_classif(
        z[known], event[known], discrete_features=False, n_neighbors=NEIGHBOURS, random_state=seed
    )
    return np.asarray(found, dtype=np.float64)
