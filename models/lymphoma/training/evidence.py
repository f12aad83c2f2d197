"""What is known of how well a bundle works, and whether it may speak (evidence.md 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Acceptance", "Evidence", "MetricEstimate"]


@dataclass(frozen=True)
class MetricEstimate:
    """A metric with its 95 % interval; None where none was computed.

    Attributes:
        name: with endpoint and unit, ``pfs_harrell_c``. cohort: the one it was measured on.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    cohort: str


@dataclass(frozen=True)
class Acceptance:
    """A site's acceptance run on a bundle.

    Attributes:
        bundle_digest: :attr:`lymphoma.training.bundle.Bundle.digest` of the bundle that was run.
    """

    passed: bool
    bundle_digest: str


@dataclass(frozen=True)
class Evidence:
    """Level and figures.

    Attributes:
        level: E0 trained on virtual patients, E1 on the site's cohort and internally validated, E2 and externally
            validated. cohort: name of the cohort the metrics are of. n, events: patients and events in it.
        trained: whether the training beat its null; a bundle that did not says so whatever its metrics.
    """

    level: Literal["E0", "E1", "E2"]
    cohort: str
    n: int
    events: int | None
    trained: bool
    metrics: tuple[MetricEstimate, ...] = ()
    acceptance: Acceptance | None = None
