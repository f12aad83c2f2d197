"""What may leave for a destination: systems above its limit and figures that the evidence level withholds are taken
out, and what is not sent is said.

The limit (``accepts``) decides what leaves, the evidence level what is shown; a virtual study lifts only the latter,
so that it is not asked for here.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import replace

from nodal.errors import Code
from nodal.findings import Findings, NotComputed
from nodal.outlook import EndpointFinding, NomogramFinding, SystemFinding
from nodal.report.system_words import system_title, withholds
from nodal.settings import Accepts

__all__ = ["NOT_SENT", "release"]

NOT_SENT = "not sent to this destination"

_ORDER: tuple[Accepts, ...] = ("measurements", "locally_trained", "simulation_trained")
# Lowest limit that lets a system of this evidence level through.
_NEEDED: dict[str, Accepts] = {"E0": "simulation_trained", "E1": "locally_trained", "E2": "locally_trained"}
# A score of this name is a probability of an event: a survival percentage in other words.
_PROBABILITY_PREFIX = "p_"


def release(findings: Findings, accepts: Accepts) -> Findings:
    """The findings that a destination may see.

    Measures, published indices and suggestions always leave. A system above ``accepts`` goes with all that rests on
    it: its nomograms, its attention and the organs it names, its bundle, and the sentences on disagreement that name
    it; ``not_computed`` says "not sent to this destination" for it. A system that was not computed has nothing to hold
    back and stays listed by its own reason. Of a system whose survival is withheld, neither group nor survival nor a
    mark on a nomogram leaves, to any destination.
    """
    above = {name for name, system in findings.systems.items() if not _allowed(system, accepts)}
    kept = _without(findings, above) if above else findings
    return _without_withheld(kept)


def _allowed(system: SystemFinding, accepts: Accepts) -> bool:
    return _ORDER.index(accepts) >= _ORDER.index(_NEEDED[system.evidence])


def _without(findings: Findings, above: Set[str]) -> Findings:
    """The findings without these systems and what rests on them."""
    systems = {name: system for name, system in findings.systems.items() if name not in above}
    computed = sorted(name for name in above if findings.systems[name].status == "computed")
    used = {(system.bundle, system.version) for system in systems.values()}
    gone = {(findings.systems[name].bundle, findings.systems[name].version) for name in above} - used
    nomograms = {
        name: {endpoint: drawn for endpoint, drawn in by_endpoint.items() if drawn.system in systems}
        for name, by_endpoint in findings.nomograms.items()
    }
    return replace(
        findings,
        systems=systems,
        nomograms={name: by_endpoint for name, by_endpoint in nomograms.items() if by_endpoint},
        lesions=tuple(
            replace(
                lesion,
                attention={name: a for name, a in lesion.attention.items() if name in systems},
                context={name: organs for name, organs in lesion.context.items() if name in systems},
            )
            for lesion in findings.lesions
        ),
        disagreements=tuple(text for text in findings.disagreements if _tells_only(text, systems.keys(), above)),
        provenance=replace(
            findings.provenance,
            bundles=tuple(used for used in findings.provenance.bundles if (used.name, used.version) not in gone),
        ),
        not_computed=(
            *findings.not_computed,
            *(NotComputed(f"systems.{name}", Code.NOT_SENT, NOT_SENT) for name in computed),
        ),
    )


def _tells_only(text: str, kept: Set[str], above: Set[str]) -> bool:
    """Whether a sentence on disagreement speaks of systems that leave, and of no other.

    A sentence that names nobody known could speak of anybody: it stays behind.
    """

    def named(systems: Set[str]) -> bool:
        words = (re.escape(word) for name in systems for word in (name, system_title(name)))
        return re.search(rf"\b({'|'.join(words)})\b", text, re.IGNORECASE) is not None if systems else False

    return named(kept) and not named(above)


def _without_withheld(findings: Findings) -> Findings:
    """The findings without what the evidence level withholds; the same object where nothing is withheld."""
    systems = {name: _shown(system, findings.virtual) for name, system in findings.systems.items()}
    nomograms = {
        name: {endpoint: _unmarked(drawn) if drawn.withheld else drawn for endpoint, drawn in by_endpoint.items()}
        for name, by_endpoint in findings.nomograms.items()
    }
    if systems == findings.systems and nomograms == findings.nomograms:
        return findings
    return replace(findings, systems=systems, nomograms=nomograms)


def _shown(system: SystemFinding, virtual: bool) -> SystemFinding:
    """A system without groups, survival, classes and scores that are probabilities, where these are withheld."""
    if not withholds(system, virtual=virtual):
        return system
    scores = {name: score for name, score in system.scores.items() if not name.startswith(_PROBABILITY_PREFIX)}
    endpoints = {name: _riskless(one) if one.withheld else one for name, one in system.endpoint.items()}
    return replace(system, scores=scores, classes={}, endpoint=endpoints)


def _riskless(endpoint: EndpointFinding) -> EndpointFinding:
    return replace(endpoint, group=None, groups=(), survival=())


def _unmarked(nomogram: NomogramFinding) -> NomogramFinding:
    """The axes alone: no value, no total, no survival, no curve of the patient or of groups."""
    ends = (nomogram.total_ticks[0], nomogram.total_ticks[-1]) if nomogram.total_ticks else (0.0, 0.0)
    return replace(
        nomogram,
        points=tuple(replace(one, value=None, points=None) for one in nomogram.points),
        total_points=None,
        total_range=ends,
        survival=(),
        group=None,
        group_curves=(),
        patient_curves=(),
    )
