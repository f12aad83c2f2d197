"""Where a run stands, apart from its tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from lymphoma.errors import TrainingFailed
from lymphoma.training.config import ValidationConfig

__all__ = ["Metrics", "RunState"]

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class RunState:
    """The counters of a run.

    Attributes:
        step: updates done (a skipped one counts). leg_start: updates done before the present leg; 0 in the first.
        best_step, best_metrics: of the validation that chose the kept weights. stale: validations since then.
        skipped: updates left out because loss or gradient was not finite; skipped_in_a_row: just now.
    """

    step: int = 0
    leg_start: int = 0
    best_step: int | None = None
    best_metrics: Metrics = field(default_factory=dict)
    stale: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0

    def after_update(self, finite: bool) -> Self:
        """One update further."""
        return replace(
            self,
            step=self.step + 1,
            skipped=self.skipped + (not finite),
            skipped_in_a_row=0 if finite else self.skipped_in_a_row + 1,
        )

    def next_leg(self) -> Self:
        """The same run in its next leg."""
        return replace(self, leg_start=self.step, skipped_in_a_row=0)

    def after_validation(self, metrics: Metrics, rule: ValidationConfig) -> Self:
        """Takes note of a validation; ``best_step`` equals ``step`` afterwards where its weights are to be kept.

        A metric that is not finite is never better; without a metric the last weights are the ones kept.

        Raises:
            TrainingFailed: ``METRIC_MISSING``: the task does not give the metric the configuration names.
        """
        if rule.metric is None:
            return replace(self, best_step=self.step, best_metrics=metrics, stale=0)
        if rule.metric not in metrics:
            raise TrainingFailed("METRIC_MISSING", f"the task gives no metric {rule.metric}, but {sorted(metrics)}")
        sign = 1.0 if rule.direction == "max" else -1.0
        value = sign * metrics[rule.metric]
        best = sign * self.best_metrics[rule.metric] if self.best_step is not None else -math.inf
        if math.isfinite(value) and value > best:
            return replace(self, best_step=self.step, best_metrics=metrics, stale=0)
        return replace(self, stale=self.stale + 1)
