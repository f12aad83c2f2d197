"""What is known of how well a bundle works, and whether it may speak."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from lymphoma.prognosis.model import Recalibration

__all__ = [
    "Acceptance",
    "Check",
    "CohortEvidence",
    "EndpointEvidence",
    "Evidence",
    "MetricEstimate",
    "RecalibrationRecord",
    "calibration_digest",
]


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
class EndpointEvidence:
    """How well one endpoint's model orders the patients of a cohort.

    Attributes:
        n, events: patients and events. harrell_c, low, high: with its 95 % interval.
        out_of_fold: each patient was judged by a model that never saw him or her; always so in an external cohort.
    """

    endpoint: Literal["pfs", "os"]
    n: int
    events: int
    harrell_c: float
    low: float
    high: float
    out_of_fold: bool


@dataclass(frozen=True)
class CohortEvidence:
    """The figures of one cohort by endpoint.

    Attributes:
        cohort: its name. cohort_digest: of :func:`lymphoma.training.metadata.cohort_digest`.
    """

    cohort: str
    cohort_digest: str
    endpoints: tuple[EndpointEvidence, ...]

    def of(self, endpoint: Literal["pfs", "os"]) -> EndpointEvidence | None:
        """The figures of one endpoint; None where there are none."""
        return next((one for one in self.endpoints if one.endpoint == endpoint), None)


@dataclass(frozen=True)
class RecalibrationRecord:
    """A correction of one endpoint's model on a cohort; the last one of an endpoint holds.

    Attributes:
        correction: with the cohort's name, patients and events. cohort_digest: as in :class:`CohortEvidence`.
        by: who ran it. at: ISO 8601 in UTC.
    """

    endpoint: Literal["pfs", "os"]
    correction: Recalibration
    cohort_digest: str
    by: str
    at: str


@dataclass(frozen=True)
class Check:
    """One thing that an acceptance run looked at.

    Attributes:
        value: what was found, None where it could not be computed. limit: that it was held against, in words.
    """

    name: str
    value: float | None
    limit: str
    passed: bool


@dataclass(frozen=True)
class Acceptance:
    """A site's acceptance run on a bundle.

    Attributes:
        bundle_digest: :attr:`lymphoma.training.bundle.Bundle.digest` of the bundle that was run.
        calibration_digest: :func:`calibration_digest` of the corrections that it had; the bundle's digest has them not.
        cohort, cohort_digest, n, events: that it was run on. checks: all that was looked at.
        by: who answers for it. at: ISO 8601 in UTC. signature: over all other fields, hexadecimal.
    """

    passed: bool
    bundle_digest: str
    cohort: str = ""
    cohort_digest: str = ""
    n: int = 0
    events: int = 0
    checks: tuple[Check, ...] = ()
    by: str = ""
    at: str = ""
    signature: str = ""
    calibration_digest: str = ""


@dataclass(frozen=True)
class Evidence:
    """Level and figures.

    Attributes:
        level: E0 trained on virtual patients, E1 on the site's cohort and internally validated, E2 and externally
            validated. cohort: name of the cohort the metrics are of. n, events: patients and events in it.
        trained: whether the training beat its null; a bundle that did not says so whatever its metrics.
        internal: figures of the training cohort, out of fold. external: of a cohort that the training never saw; E2
            names both.
        recalibrations: in the order they were made.
    """

    level: Literal["E0", "E1", "E2"]
    cohort: str
    n: int
    events: int | None
    trained: bool
    metrics: tuple[MetricEstimate, ...] = ()
    acceptance: Acceptance | None = None
    internal: CohortEvidence | None = None
    external: CohortEvidence | None = None
    recalibrations: tuple[RecalibrationRecord, ...] = ()


def calibration_digest(recalibrations: Sequence[RecalibrationRecord]) -> str:
    """SHA-256 over the corrections of a bundle, which change what it says of a patient; empty without one."""
    if not recalibrations:
        return ""
    content = json.dumps([asdict(one) for one in recalibrations], sort_keys=True, allow_nan=False)
    return hashlib.sha256(content.encode()).hexdigest()
