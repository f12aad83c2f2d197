"""What may leave for a destination: systems above its limit are taken out, and their absence is said."""

from __future__ import annotations

from dataclasses import replace

from nodal.errors import Code
from nodal.findings import Findings, NotComputed, SystemFinding
from nodal.settings import Accepts

__all__ = ["release"]

_ORDER: tuple[Accepts, ...] = ("measurements", "locally_trained", "simulation_trained")
# Lowest limit that lets a system of this evidence level through.
_NEEDED: dict[str, Accepts] = {"E0": "simulation_trained", "E1": "locally_trained", "E2": "locally_trained"}


def _allowed(system: SystemFinding, accepts: Accepts) -> bool:
    return _ORDER.index(accepts) >= _ORDER.index(_NEEDED[system.evidence])


def release(findings: Findings, accepts: Accepts) -> Findings:
    """The findings that a destination may see.

    Measures and published indices always leave. A system above ``accepts`` is removed with every nomogram (a
    nomogram may rest on its score), and ``not_computed`` says "not sent to this destination" for it.
    """
    withheld = sorted(name for name, system in findings.systems.items() if not _allowed(system, accepts))
    if not withheld:
        return findings
    said = tuple(NotComputed(name, Code.NOT_SENT, "not sent to this destination") for name in withheld)
    return replace(
        findings,
        systems={name: system for name, system in findings.systems.items() if name not in withheld},
        nomograms={},
        lesions=tuple(
            replace(lesion, attention={name: a for name, a in lesion.attention.items() if name not in withheld})
            for lesion in findings.lesions
        ),
        not_computed=(*findings.not_computed, *said),
    )
