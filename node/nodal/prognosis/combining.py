"""The combination of systems on one study: its sub-model for what this patient has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lymphoma.combined.model import Combined
from lymphoma.combined.store import combined_of
from lymphoma.errors import BundleRefused
from lymphoma.prognosis.measures import Prospect
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.training.bundle import Bundle

from nodal.errors import Code
from nodal.outlook import EndpointFinding, ImpiFinding
from nodal.prognosis.systems import Judged, about, endpoint_finding, not_judged

__all__ = ["combine"]

IMPI = "impi"


def combine(
    bundle: Bundle,
    patient: Prospect,
    judged: Mapping[str, Judged],
    impi: ImpiFinding | None,
    digests: Mapping[str, str],
) -> Judged:
    """What a combined bundle says of a patient whom its parts have judged.

    Args:
        judged: by system. digests: system -> digest of the bundle that judged; a combination knows no other.
    """
    found: dict[str, EndpointFinding] = {}
    scores: dict[str, float] = {}
    try:
        for endpoint in ENDPOINTS:
            combined = combined_of(bundle, endpoint)
            if combined is None:
                continue
            if (stranger := _stranger(combined, digests)) is not None:
                return Judged(not_judged(bundle, Code.BUNDLE_DIGEST_MISMATCH, stranger))
            score = combined.judge(_linear_predictors(judged, impi, endpoint))
            if score is not None:
                scores |= score.scores
                model = score.sub_model.model
                seen = model.predict(Prospect(patient.clinical, patient.pet, score.scores))
                found[endpoint] = endpoint_finding(model, seen)
    except BundleRefused as error:
        return Judged(not_judged(bundle, error.code, error.reason))
    if not found:
        return Judged(not_judged(bundle, Code.MEASURE_MISSING, "too few of its parts could judge this patient"))
    return Judged(replace(about(bundle), endpoint=found, scores=scores))


def _stranger(combined: Combined, digests: Mapping[str, str]) -> str | None:
    """A bundle of this node that is not the one the combination was fitted with."""
    for part in combined.parts:
        if digests.get(part.system, part.digest) != part.digest:
            return f"was fitted with {part.bundle} {part.version}; this node has another bundle of {part.system}"
    return None


def _linear_predictors(judged: Mapping[str, Judged], impi: ImpiFinding | None, endpoint: Endpoint) -> dict[str, float]:
    """Of the systems that know this patient's to a single number, and of the IMPI."""
    known = {
        name: said.risk
        for name, one in judged.items()
        if (said := one.finding.endpoint.get(endpoint)) is not None and said.risk is not None
    }
    if impi is not None and impi.linear_predictor is not None:
        known[IMPI] = impi.linear_predictor
    return known
