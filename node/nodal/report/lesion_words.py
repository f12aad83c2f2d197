"""Lesions and candidates in words: how each stands, how sure that is, what a model looked at; SEG, SR and PDF alike."""

from __future__ import annotations

from collections.abc import Mapping

from nodal.findings import Findings, Lesion, RejectedCandidate
from nodal.report.system_words import EVIDENCE_SENTENCES, SIMULATION_TRAINED, system_title

__all__ = [
    "ATTENTION_MEANING",
    "RANGE_WORDS",
    "TO_CONFIRM",
    "attending",
    "features_words",
    "judged_by_words",
    "organ_name",
    "organs_words",
    "percent_of",
    "probability_words",
    "rejected_words",
    "status_words",
    "unconfirmed",
]

TO_CONFIRM = "to be confirmed"

RANGE_WORDS: Mapping[str, str] = {
    "in": "Like the scans that the networks of organs and lesions learned from",
    "unusual": "Unusual for the networks of organs and lesions",
    "outside": "Unlike the scans that the networks of organs and lesions learned from",
}
"""How a scan stands to the training data, by the word of the range check."""

ATTENTION_MEANING = (
    "Attention is not causation: it says how a model weighed the lesions when it computed its score, not what makes "
    "the risk"
)
"""Stands wherever attention does."""


def status_words(lesion: Lesion) -> str:
    """ "accepted", "to be confirmed", or "accepted by a person"."""
    if lesion.status == "to_confirm":
        return TO_CONFIRM
    return "accepted by a person" if lesion.decided_by == "person" else "accepted"


def percent_of(share: float) -> str:
    """A share as whole percent; one that is not quite none or all does not become it by rounding."""
    if 0 < share < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def probability_words(p_lesion: float | None) -> str:
    """ "probability of a lesion 52 %"; empty where nobody judged."""
    return "" if p_lesion is None else f"probability of a lesion {percent_of(p_lesion)}"


def rejected_words(candidate: RejectedCandidate) -> str:
    """ "412.5 mL, SUVmax 18.2 in brain, probability of a lesion 2 %"."""
    organ = f" in {organ_name(candidate.organ)}" if candidate.organ else ""
    parts = [f"{candidate.volume_ml:.1f} mL, SUVmax {candidate.suv_max:.1f}{organ}"]
    parts += [words] if (words := probability_words(candidate.p_lesion)) else []
    parts += ["left out by a person"] if candidate.decided_by == "person" else []
    return ", ".join(parts)


def organ_name(organ: str) -> str:
    """An organ as a reader calls it."""
    return organ.replace("_", " ")


def organs_words(organs: tuple[tuple[str, float], ...], most: int | None = None) -> str:
    """ "spleen 31 %, liver 12 %", the highest weight first.

    Args:
        most: so many organs; None for all that were kept.
    """
    return ", ".join(f"{organ_name(name)} {percent_of(weight)}" for name, weight in organs[:most])


def features_words(names: tuple[str, ...]) -> str:
    """ "liver SUV mean, voxel size": features of the range check as readers call them."""
    return ", ".join(name.replace("_", " ").replace("suv", "SUV") for name in names)


def judged_by_words(findings: Findings) -> str:
    """By what kind of bundle candidates were judged; empty where none took part."""
    level = findings.segmentation.evidence
    if level is None:
        return ""
    limits = f". {SIMULATION_TRAINED}" if level == "E0" else ""
    return f"Candidates judged by a network of level {EVIDENCE_SENTENCES[level]}{limits}"


def unconfirmed(findings: Findings) -> tuple[Lesion, ...]:
    """The lesions that a person must look at."""
    return tuple(lesion for lesion in findings.lesions if lesion.status == "to_confirm")


def attending(findings: Findings) -> tuple[str, ...]:
    """The systems that say how they weighed the lesions, by their titles' order."""
    names = {name for lesion in findings.lesions for name in lesion.attention}
    return tuple(sorted(names, key=system_title))
