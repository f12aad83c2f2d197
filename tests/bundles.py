"""Small cohorts of virtual feature patients, and the site's clinical PET model fitted on one, for any test.

``feature_cohort(folder)`` writes a cohort folder as ``nodal simulate --features-only`` does; ``site_bundle(folder)``
gives a bundle that loads: "E0" as a virtual cohort makes it, "E1" the same fit labelled as if its patients were real,
with a passed acceptance run (unsigned).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from lymphoma.evaluation.patients import Patients
from lymphoma.site.export import SiteFit, export_site, fit_site
from lymphoma.training.bundle import Bundle, write_evidence
from lymphoma.training.evidence import Acceptance, Check
from nodal.cohort.about import About
from nodal.evaluation.patients import patients_of
from nodal.simulate import Mechanism, Order, simulate

SEED = 5_000_000
"""Of the first patient; none of the project's own sets begins here."""
PATIENTS = 600


def feature_cohort(
    folder: Path,
    patients: int = PATIENTS,
    *,
    seed: int = SEED,
    mode: str = "mixed",
    sigma: float = 1.0,
    virtual: bool = True,
) -> Path:
    """Writes a cohort folder without images (about 1 s for 600).

    Args:
        virtual: False labels the cohort as one of real patients, for tests of what only such a cohort may do.
    """
    order = Order(range(seed, seed + patients), folder, "hospital", "none", mechanism=Mechanism(mode, sigma))
    simulate(order)
    if not virtual:
        About(f"{folder.name} hospital").write(folder)
    return folder


@cache
def feature_patients(patients: int = PATIENTS, seed: int = SEED, mode: str = "mixed") -> Patients:
    """The patients of such a cohort, made once."""
    with TemporaryDirectory() as folder:
        return patients_of(feature_cohort(Path(folder) / "virtual", patients, seed=seed, mode=mode))


@cache
def site_fit(patients: int = PATIENTS, seed: int = SEED) -> SiteFit:
    """The clinical PET model of such a cohort, fitted once."""
    return fit_site(feature_patients(patients, seed), resamples=200)


def site_bundle(folder: Path, level: Literal["E0", "E1"] = "E0", *, accepted: bool = True) -> Bundle:
    """Writes a bundle of system "site" into ``folder`` (which must not be there).

    Args:
        accepted: of "E1": with a passed acceptance run; without it the bundle is refused when it is loaded.
    """
    patients = replace(feature_patients(), virtual=level == "E0")
    bundle = export_site(folder, site_fit(), patients, name=f"site {level}", generator="A")
    if level == "E0" or not accepted:
        return bundle
    checks = (Check("events", float(bundle.evidence.events or 0), "100 or more", True),)
    acceptance = Acceptance(
        passed=True,
        bundle_digest=bundle.digest,
        cohort=patients.cohort,
        cohort_digest=bundle.metadata.nodal.cohort_digest,
        n=bundle.evidence.n,
        events=bundle.evidence.events or 0,
        checks=checks,
        by="test",
        at="2026-01-01T00:00:00Z",
    )
    return write_evidence(bundle, replace(bundle.evidence, acceptance=acceptance))
