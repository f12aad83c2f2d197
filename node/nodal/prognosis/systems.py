"""The prognosis systems run on one study: each computed, or not computed with its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from lymphoma.errors import CannotDo, NotComputable
from lymphoma.prognosis.measures import Prospect
from lymphoma.prognosis.model import ENDPOINTS, Prediction, PrognosticModel
from lymphoma.prognosis.reading import values_of
from lymphoma.prognosis.system import PrognosisSystem, Scored, StudyArrays
from lymphoma.training.bundle import Bundle
from lymphoma.training.evidence import Evidence
from lymphoma.training.statistics import in_range

from nodal.errors import Code
from nodal.outlook import EndpointFinding, NomogramFinding, SystemFinding
from nodal.prognosis.nomograms import NOMOGRAM_OF, nomogram_finding, survival_at

__all__ = ["Judged", "about", "endpoint_finding", "judge", "not_judged"]


@dataclass(frozen=True)
class Judged:
    """A system's word on a study; nothing is withheld yet.

    Attributes:
        nomograms: by endpoint. attention: number of a lesion -> weight.
        context: number of a lesion -> organs that it was compared with most, each with its weight.
    """

    finding: SystemFinding
    nomograms: Mapping[str, NomogramFinding] = field(default_factory=dict)
    attention: Mapping[int, float] = field(default_factory=dict)
    context: Mapping[int, tuple[tuple[str, float], ...]] = field(default_factory=dict)


def judge(system: PrognosisSystem, bundle: Bundle, study: StudyArrays) -> Judged:
    """Runs a system with its bundle on a study; what it cannot do becomes its code and sentence."""
    if not bundle.evidence.trained:
        return Judged(not_judged(bundle, Code.NOT_TRAINED, "its training did not beat a model without any input"))
    try:
        scored = system.score(bundle, study)
        return _judged(system, bundle, study, scored)
    except NotComputable as error:
        return Judged(not_judged(bundle, error.code, error.reason))
    except CannotDo as error:
        return Judged(not_judged(bundle, error.code, f"the bundle cannot be used: {error.reason}"))


def not_judged(bundle: Bundle, code: str, reason: str) -> SystemFinding:
    """The entry of a system that was not computed."""
    return replace(about(bundle), status="not_computed", code=str(code), reason=reason)


def _judged(system: PrognosisSystem, bundle: Bundle, study: StudyArrays, scored: Scored) -> Judged:
    verdict = in_range(np.array(scored.features, dtype=np.float64), bundle.statistics)
    known = replace(about(bundle), in_range=verdict.range, in_range_features=verdict.features)
    if verdict.range == "outside":
        what = ", ".join(name.replace("_", " ") for name in verdict.features) or "their combination"
        reason = f"unlike the patients it was trained on: {what}"
        return Judged(replace(known, status="not_computed", code=str(Code.OUT_OF_DISTRIBUTION), reason=reason))
    patient = Prospect(study.clinical, study.pet, scored.scores)
    found: dict[str, EndpointFinding] = {}
    nomograms: dict[str, NomogramFinding] = {}
    for endpoint in ENDPOINTS:
        if (model := bundle.survival(endpoint)) is None:
            continue
        seen = model.predict(patient)
        found[endpoint] = endpoint_finding(model, seen)
        if system.name in NOMOGRAM_OF:
            nomograms[endpoint] = nomogram_finding(system.name, model, values_of(model.terms, patient), seen)
    first = next(iter(found.values()), None)
    percentile = first.percentile[0] if first and first.percentile[0] == first.percentile[1] else None
    finding = replace(known, scores=dict(scored.scores), endpoint=found, percentile=percentile)
    return Judged(finding, nomograms, scored.attention, scored.context)


def endpoint_finding(model: PrognosticModel, seen: Prediction) -> EndpointFinding:
    """A prediction as it is found."""
    low, high = seen.linear_predictor
    return EndpointFinding(
        risk=low if low == high else None,
        risk_range=(low, high),
        percentile=seen.percentile,
        group=seen.group,
        groups=tuple(group.name for group in model.groups),
        survival=tuple(survival_at(one) for one in seen.reading.survival),
    )


def about(bundle: Bundle) -> SystemFinding:
    """Whose bundle it is, and how far it may be believed."""
    own, evidence = bundle.metadata.nodal, bundle.evidence
    outside = (evidence.external.cohort,) if evidence.external else ()
    harrell: dict[str, tuple[float, float | None, float | None]] = {
        endpoint: (metric.value, metric.low, metric.high)
        for endpoint in ENDPOINTS
        for metric in evidence.metrics
        if metric.name == f"{endpoint}_harrell_c"
    }
    return SystemFinding(
        bundle=bundle.metadata.name,
        version=bundle.metadata.version,
        trained_on=own.trained_on,
        evidence=evidence.level,
        status="computed",
        cohorts=tuple(dict.fromkeys((own.cohort, evidence.cohort, *outside))),
        n=evidence.n,
        events=evidence.events,
        harrell_c=harrell,
        remarks=_remarks(evidence),
    )


def _remarks(evidence: Evidence) -> tuple[str, ...]:
    """What a site did with the bundle since its training, each with its cohort."""
    said = []
    if (outside := evidence.external) is not None:
        said += [
            f"{one.endpoint.upper()} validated on {outside.cohort} (n = {one.n}, {one.events} events): "
            f"C-index {one.harrell_c:.2f} ({one.low:.2f} to {one.high:.2f})"
            for one in outside.endpoints
        ]
    for record in {record.endpoint: record for record in evidence.recalibrations}.values():
        made = record.correction
        said.append(
            f"{record.endpoint.upper()} recalibrated on {made.cohort} (n = {made.n}, {made.events} events): "
            f"intercept {made.intercept:.2f}, slope {made.slope:.2f}"
        )
    run = evidence.acceptance
    if run is not None and run.passed:
        said.append(f"Accepted on {run.cohort} (n = {run.n}, {run.events} events) on {run.at[:10]}")
    return tuple(said)
