"""What an evaluation was made from: the cohort by its digest, the bundles by theirs, and where measures come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lymphoma.evaluation.patients import Patients
from lymphoma.training.bundle import Bundle
from lymphoma.training.metadata import contents_digest

from nodal import __version__
from nodal.evaluation.patients import Origins

__all__ = ["BundleJudged", "Provenance", "provenance_of"]


@dataclass(frozen=True)
class BundleJudged:
    """A bundle.

    Attributes:
        level: of its evidence, E0 to E2. out_of_fold: it was trained on this very cohort, and each patient is judged
            by its prediction without him or her.
    """

    name: str
    system: str
    version: str
    sha256: str
    level: str
    trained_on: str
    out_of_fold: bool


@dataclass(frozen=True)
class Provenance:
    """Attributes: cohort_sha256: over the contents of all patients, in whatever order."""

    node_version: str
    cohort_sha256: str
    bundles: tuple[BundleJudged, ...]
    origins: Origins


def provenance_of(patients: Patients, bundles: Sequence[Bundle], origins: Origins) -> Provenance:
    """What is known before the evaluation begins."""
    own = contents_digest(patients.contents)
    judged = tuple(
        BundleJudged(
            one.metadata.name,
            one.metadata.nodal.system,
            one.metadata.version,
            one.digest,
            one.evidence.level,
            one.metadata.nodal.trained_on,
            one.metadata.nodal.cohort_digest == own,
        )
        for one in bundles
    )
    return Provenance(__version__, own, judged, origins)
