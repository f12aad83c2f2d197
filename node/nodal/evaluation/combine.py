"""``nodal combine``: several systems' bundles and the IMPI made one bundle, on a site's cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lymphoma.combined import COMBINED
from lymphoma.combined.export import export_combined
from lymphoma.combined.fit import CombinedFit, fit_combined
from lymphoma.combined.model import Part
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.evaluation.combine import MOST_INPUTS
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.scoring import with_scores
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.training.bundle import Bundle

from nodal.errors import Code, Refused, WrongUsage
from nodal.evaluation.opening import open_bundle, refuse_virtual

__all__ = ["Combination", "EndpointCombination", "combine"]


@dataclass(frozen=True)
class EndpointCombination:
    """What became of an endpoint.

    Attributes:
        weights: input -> weight of its z-score; 0 where it adds nothing, absent where it was dropped. rule: "equal" or
            "ridge". sub_models, passed: sets of inputs with and without a model of their own.
        code, reason: where there is no combination; all figures are then None or 0.
    """

    endpoint: Endpoint
    n: int = 0
    events: int = 0
    rule: str | None = None
    weights: tuple[tuple[str, float], ...] = ()
    harrell_c: float | None = None
    low: float | None = None
    high: float | None = None
    sub_models: int = 0
    passed: int = 0
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Combination:
    """A bundle that was made. Attributes: needs_acceptance: a node uses it only after ``nodal qualify`` was passed."""

    bundle: str
    folder: Path
    level: str
    cohort: str
    parts: tuple[str, ...]
    endpoints: tuple[EndpointCombination, ...]
    needs_acceptance: bool


def combine(
    folders: Sequence[Path],
    patients: Patients,
    out: Path,
    *,
    name: str,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Combination:
    """Fits the combination of every endpoint and writes the bundle.

    Args:
        folders: of the bundles, at most one of a system. out: the new bundle's folder. name: of the new bundle.
        progress: called with sub-models done and in all.

    Raises:
        WrongUsage: no bundle, too many, two of one system, or a combined one.
        Refused: COHORT_VIRTUAL. BundleRefused, NotComputable: with the code of the fault.
    """
    if out.exists():
        raise BundleRefused("BUNDLE_EXISTS", f"{out.name} is already there")
    bundles = [open_bundle(folder) for folder in folders]
    _check(bundles)
    refuse_virtual(bundles, patients)
    scored = with_scores(patients, bundles)
    parts = [_part(bundle) for bundle in bundles]
    fits: list[CombinedFit] = []
    said: list[EndpointCombination] = []
    faults: list[NotComputable] = []
    for number, endpoint in enumerate(ENDPOINTS):
        tell = _shifted(progress, number)
        try:
            fits.append(fit_combined(scored, parts, endpoint, seed=seed, progress=tell))
            said.append(_said(fits[-1]))
        except NotComputable as error:
            faults.append(error)
            said.append(EndpointCombination(endpoint, code=error.code, reason=error.reason))
    if not fits:
        raise faults[0]
    made = export_combined(out, fits, bundles, scored, name=name)
    level = made.evidence.level
    named = tuple(part.bundle for part in parts)
    return Combination(name, out, level, patients.cohort, named, tuple(said), level != "E0")


def _check(bundles: Sequence[Bundle]) -> None:
    systems = [bundle.metadata.nodal.system for bundle in bundles]
    if not 0 < len(bundles) < MOST_INPUTS:
        raise WrongUsage(f"between 1 and {MOST_INPUTS - 1} bundles are combined, with the IMPI")
    if COMBINED in systems:
        raise WrongUsage("a combination is no part of another")
    if len(set(systems)) != len(systems):
        raise WrongUsage("two of the bundles belong to one system")
    for bundle in bundles:
        if not bundle.evidence.trained:
            raise Refused(
                Code.NOT_TRAINED, f"the training of {bundle.metadata.name} did not beat a model without input"
            )


def _part(bundle: Bundle) -> Part:
    return Part(bundle.metadata.nodal.system, bundle.metadata.name, bundle.metadata.version, bundle.digest)


def _said(fit: CombinedFit) -> EndpointCombination:
    combined, full = fit.combined, fit.combined.full
    if full is None:
        raise ValueError("a fit has a sub-model of all inputs")
    blend, c = full.blend, full.concordance
    return EndpointCombination(
        endpoint=combined.endpoint,
        n=blend.n,
        events=blend.events,
        rule=blend.rule,
        weights=tuple((name, float(weight)) for name, weight in zip(blend.used, blend.weights, strict=True)),
        harrell_c=c.estimate,
        low=c.lower,
        high=c.upper,
        sub_models=len(combined.sub_models),
        passed=len(combined.passed),
    )


def _shifted(progress: Callable[[int, int], None] | None, number: int) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, of: progress(number * of + done, len(ENDPOINTS) * of)
