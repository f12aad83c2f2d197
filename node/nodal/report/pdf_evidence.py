"""How far each prognosis system may be believed: its bundle, whom it learned from, how well it ranked them."""

from __future__ import annotations

from nodal.findings import Findings
from nodal.outlook import SystemFinding
from nodal.report.index_words import ENDPOINTS_SHORT
from nodal.report.pdf_figures import figures_table
from nodal.report.pdf_flow import Flow
from nodal.report.pdf_sheet import CAUTION, MUTED
from nodal.report.pdf_words import said, sentence
from nodal.report.system_words import (
    EVIDENCE_SENTENCES,
    SHOWN_SIMULATED,
    SIMULATION_TRAINED,
    shows_simulated,
    system_title,
    trained_words,
    withholds,
)

__all__ = ["evidence_line", "evidence_section", "features_words", "harrell_words", "scores_words"]

LEVELS = (
    "E0: the model learned from virtual patients; of a real patient its score and rank among virtual patients are "
    "printed, no survival and no risk group. E1: it learned from patients of a site and was validated there. E2: it "
    "was validated on patients of another cohort too."
)
LIMITS = (
    "A prediction holds for groups of patients like those the model learned from; it does not say what will happen to "
    "this one. Intervals are those of the model's estimate (model uncertainty, not outcome): a person's course varies "
    "far more widely. Published indices state what was observed in the groups of the study named, under the treatment "
    "of its time. Residual activity in the syringe is not in the images' headers and is not corrected for."
)
_PROBABILITY = "p_"
"""Begins the name of a score that is a share of patients with an event: survival by another name."""


def harrell_words(system: SystemFinding) -> str:
    """ "C-index PFS 0.74 (0.69–0.79)" of each endpoint; empty where the bundle has none."""
    parts = []
    for endpoint, (value, low, high) in system.harrell_c.items():
        interval = f" ({low:.2f}–{high:.2f})" if low is not None and high is not None else ""
        parts.append(f"{ENDPOINTS_SHORT.get(endpoint, endpoint)} {value:.2f}{interval}")
    return f"C-index {', '.join(parts)}" if parts else ""


def evidence_line(name: str, system: SystemFinding) -> str:
    """System, level, whom it learned from and how well it ranked them, in a line."""
    parts = (f"{system_title(name)} {system.version}", EVIDENCE_SENTENCES[system.evidence])
    return " · ".join(part for part in (*parts, trained_words(system), harrell_words(system)) if part)


def features_words(system: SystemFinding) -> str:
    """ "unusual: liver SUV mean": how the scan stands to those the system learned from, and by which features."""
    features = ", ".join(name.replace("_", " ").replace("suv", "SUV") for name in system.in_range_features)
    return f"{_RANGE[system.in_range or 'in']}{f': {features}' if features else ''}"


_RANGE = {"in": "like those it learned from", "unusual": "unusual", "outside": "outside what it learned from"}


def evidence_section(flow: Flow, findings: Findings) -> None:
    """One entry per system, their figures in a table, what the levels mean and what none of them can say."""
    if not findings.systems:
        return
    flow.heading("Prognosis models: evidence and limits", needed=60)
    if shows_simulated(findings):
        flow.paragraph(sentence(SHOWN_SIMULATED), size=7.8, colour=CAUTION, bold=True)
        flow.y += 3
    for name, system in findings.systems.items():
        flow.entry(
            system_title(name), *_evidence(system, withholds(system, virtual=findings.virtual)), label_width=92.0
        )
    figures_table(flow, findings)
    flow.paragraph(LEVELS, size=7.2, colour=MUTED)
    flow.paragraph(LIMITS, size=7.2, colour=MUTED)
    flow.y += 10


def scores_words(system: SystemFinding, held: bool) -> str:
    """ "auto radio 0.6219, ..."; of a system that is held back without the shares of patients with an event."""
    scores = {name: value for name, value in system.scores.items() if not (held and name.startswith(_PROBABILITY))}
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in scores.items())


def _evidence(system: SystemFinding, held: bool) -> list[str]:
    lines = [
        f"Bundle {system.bundle} {system.version}. {EVIDENCE_SENTENCES[system.evidence]}. "
        f"Learned from {trained_words(system)}." + (f" {harrell_words(system)}." if system.harrell_c else "")
    ]
    if system.evidence == "E0":
        lines.append(f"{SIMULATION_TRAINED}.")
    lines += [sentence(remark) for remark in system.remarks]
    if system.in_range is not None:
        lines.append(f"This scan: {features_words(system)}.")
    if system.status == "not_computed":
        lines.append(f"Not computed: {said(system.reason or 'no reason given')} ({system.code}).")
        return lines
    if scores := scores_words(system, held):
        lines.append(f"Scores: {scores}.")
    if system.classes and not held:
        words = [f"{name.replace('_', ' ')} {value}" for name, value in system.classes.items()]
        lines.append(f"Classes: {', '.join(words)}.")
    return lines
