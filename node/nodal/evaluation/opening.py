"""What the commands on a bundle and a cohort begin with: the bundle, the patients, and whether the two go together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lymphoma.combined.store import combined_of
from lymphoma.errors import BundleRefused
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.training.bundle import Bundle, load_bundle

from nodal.errors import Code, Refused, WrongUsage
from nodal.prognosis.shelf import KNOWN_SYSTEMS

__all__ = ["check_parts", "now", "open_bundle", "refuse_virtual"]


def open_bundle(folder: Path) -> Bundle:
    """Loads a bundle, accepted or not, after all its digests were verified.

    Raises:
        WrongUsage: no such folder. BundleRefused: with the code of the fault.
    """
    if not folder.is_dir():
        raise WrongUsage(f"{folder} is not a folder")
    return load_bundle(folder, KNOWN_SYSTEMS, for_acceptance=True)


def refuse_virtual(bundles: Sequence[Bundle], patients: Patients) -> None:
    """Simulated patients say nothing of a bundle that was trained on patients.

    Raises:
        Refused: COHORT_VIRTUAL.
    """
    for bundle in bundles:
        if patients.virtual and bundle.metadata.nodal.trained_on != "virtual":
            raise Refused(Code.COHORT_VIRTUAL, f"the cohort is virtual, {bundle.metadata.name} is not")


def check_parts(bundle: Bundle, parts: Sequence[Bundle]) -> None:
    """A combined bundle reads the very bundles that it was fitted with.

    Raises:
        WrongUsage: a part is not given. BundleRefused: BUNDLE_DIGEST_MISMATCH, it is another version of it.
    """
    given = {one.metadata.name: one.digest for one in parts}
    for endpoint in ENDPOINTS:
        combined = combined_of(bundle, endpoint)
        for part in combined.parts if combined is not None else ():
            if part.bundle not in given:
                raise WrongUsage(f"{bundle.metadata.name} reads {part.bundle}: name its folder with --part")
            if given[part.bundle] != part.digest:
                what = f"{part.bundle} is not the version that {bundle.metadata.name} was fitted with"
                raise BundleRefused("BUNDLE_DIGEST_MISMATCH", what)


def now() -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
