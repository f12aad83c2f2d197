"""The reviewer: a calibrated probability that a candidate is a lesion, and the text it is kept as.

Boosted trees, read from JSON and evaluated here with NumPy: no pickle, nothing that runs code. The sum of the trees is
made a probability by Platt's logistic curve, fitted on patients that the trees did not see. Where a number of a part
lies beyond all that was seen while learning, the log-odds shrink: what is unknown becomes "to confirm".
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from lymphoma.errors import BundleRefused
from lymphoma.segmentation.delineation import Status
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES, Description

__all__ = ["ACCEPTED_FROM", "REJECTED_TO", "REVIEW_WORD", "Judge", "Reviewer", "Tree", "status_of"]

Floats = npt.NDArray[np.float64]

REVIEW_WORD = "review"
"""Under which a bundle keeps the text."""
ACCEPTED_FROM, REJECTED_TO = 0.7, 0.3
SUREST = 0.995
"""No part is surer than this, nor surer to be none: some hundred patients cannot show more [A]."""
MARGIN = 0.5
"""Standard deviations by which the next hundred patients may exceed these without being strange [A]."""
LEAST_SPREAD = 0.1
"""Shares and logarithms of ratios that never changed while learning: a change of a tenth is one deviation [A]."""
_LAYOUT = 1


@dataclass(frozen=True)
class Tree:
    """One regression tree; entry 0 is its root.

    Attributes:
        feature: what a node looks at, -1 at a leaf. threshold: at most this goes to ``left``, else to ``right``.
        value: of a leaf, in log-odds.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def __post_init__(self) -> None:
        sizes = {len(one) for one in (self.feature, self.threshold, self.left, self.right, self.value)}
        inner = [number for number, feature in enumerate(self.feature) if feature >= 0]
        onwards = all(number < child < len(self.feature) for number in inner for child in self._children(number))
        if len(sizes) != 1 or not self.feature or not onwards:
            raise ValueError("a tree whose nodes do not lead to leaves")

    def _children(self, number: int) -> tuple[int, int]:
        return self.left[number], self.right[number]

    @cached_property
    def _nodes(self) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
        return (
            np.array(self.feature),
            np.array(self.threshold),
            np.array(self.left),
            np.array(self.right),
            np.array(self.value),
        )

    def predict(self, values: Floats) -> Floats:
        """Of rows of features, shape (n, f) to (n,)."""
        feature, threshold, left, right, value = self._nodes
        at = np.zeros(len(values), dtype=np.int64)
        while (inner := feature[at] >= 0).any():
            now = at[inner]
            # the features are float32 where the tree was grown; the same comparison must be made here
            goes_left = values[inner, feature[now]].astype(np.float32) <= threshold[now]
            at[inner] = np.where(goes_left, left[now], right[now])
        return np.asarray(value[at])


@dataclass(frozen=True)
class Judge:
    """One fitted model.

    Attributes:
        features: names, in the order of the columns. start: log-odds before any tree. slope, intercept: of Platt's
            curve. lowest, highest: of each feature while learning; spread: its standard deviation.
        patients, parts: that it learned from.
    """

    features: tuple[str, ...]
    start: float
    trees: tuple[Tree, ...]
    slope: float
    intercept: float
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    spread: tuple[float, ...]
    patients: int
    parts: int

    def __post_init__(self) -> None:
        width = len(self.features)
        used = max((feature for tree in self.trees for feature in tree.feature), default=-1)
        if {len(self.lowest), len(self.highest), len(self.spread)} != {width} or used >= width:
            raise ValueError("the model's parts do not fit together")

    def score(self, values: Floats) -> Floats:
        """Log-odds of the trees alone, shape (n, f) to (n,)."""
        total = np.full(len(values), self.start)
        for tree in self.trees:
            total += tree.predict(values)
        return total

    def beyond(self, values: Floats) -> Floats:
        """How far the farthest feature lies outside of what was seen, in its standard deviations, less a margin that a
        larger sample would have filled; shape (n,)."""
        low, high, spread = (np.array(one) for one in (self.lowest, self.highest, self.spread))
        excess = np.maximum(low - values, values - high) / np.maximum(spread, LEAST_SPREAD)
        return np.asarray(np.maximum(excess.max(axis=1, initial=0.0) - MARGIN, 0.0))

    def probability(self, values: Floats) -> Floats:
        """Of being a lesion, shape (n, f) to (n,); one standard deviation beyond all that was seen halves the
        log-odds.

        Raises:
            ValueError: another number of features, or one that is not finite.
        """
        if values.ndim != 2 or values.shape[1] != len(self.features) or not np.isfinite(values).all():
            raise ValueError(f"{len(self.features)} finite features are needed, not {values.shape}")
        log_odds = (self.slope * self.score(values) + self.intercept) / (1.0 + self.beyond(values))
        return np.clip(1.0 / (1.0 + np.exp(-log_odds)), 1.0 - SUREST, SUREST)


@dataclass(frozen=True)
class Reviewer:
    """A model for parts that a lesion network has looked at, and one for those that none has."""

    seen: Judge
    unseen: Judge

    def __post_init__(self) -> None:
        if self.seen.features != (*PLAIN_FEATURES, *NETWORK_FEATURES) or self.unseen.features != PLAIN_FEATURES:
            raise ValueError("the reviewer looks at other features than are described")

    def probability(self, described: Description) -> Floats:
        """Of each part, shape (n,)."""
        if not described.parts:
            return np.zeros(0)
        if described.network is None:
            return self.unseen.probability(described.plain)
        return self.seen.probability(np.concatenate([described.plain, described.network], axis=1))

    def to_json(self) -> str:
        """The text that :meth:`from_json` reads."""
        return json.dumps({"layout": _LAYOUT, **asdict(self)}, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Reviewer:
        """Reads :meth:`to_json`.

        Raises:
            BundleRefused: BUNDLE_UNREADABLE, another layout, other features, or no such text.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise BundleRefused("BUNDLE_UNREADABLE", "the reviewer's text is no JSON") from error
        layout = content.get("layout") if isinstance(content, dict) else None
        if layout != _LAYOUT:
            raise BundleRefused("BUNDLE_UNREADABLE", f"the reviewer has layout {layout}, not {_LAYOUT}")
        try:
            return _READER.validate_python({key: value for key, value in content.items() if key != "layout"})
        except ValueError as error:
            raise BundleRefused("BUNDLE_UNREADABLE", "the reviewer's text is none of this version") from error


def status_of(probability: float) -> Status:
    """What a probability makes of a candidate where no person has spoken."""
    if probability >= ACCEPTED_FROM:
        return "accepted"
    return "rejected" if probability <= REJECTED_TO else "to_confirm"


_READER = TypeAdapter(Reviewer)
