"""The prognosis systems in words: names, evidence levels and what must stand beside their figures; SR and PDF alike."""

from __future__ import annotations

from collections.abc import Mapping

from nodal.findings import Findings
from nodal.outlook import SystemFinding
from nodal.report.index_words import percent, percent_range

__all__ = [
    "EVIDENCE_SENTENCES",
    "INTERVAL_MEANING",
    "NOMOGRAM_TITLES",
    "SHOWN_SIMULATED",
    "SIMULATION_TRAINED",
    "SYSTEM_TITLES",
    "evidence_sentence",
    "probability_words",
    "shows_simulated",
    "system_title",
    "trained_words",
    "withholds",
]

SYSTEM_TITLES: Mapping[str, str] = {
    "lamp": "LAMP",
    "multitask_unet": "Multi-task U-Net",
    "deepmts": "DeepMTS",
    "dfr_signature": "DFR signature",
    "site": "Clinical PET model",
    "combined": "Combined model",
}
"""By the names of the systems."""

NOMOGRAM_TITLES: Mapping[str, str] = {
    "mtdlr": "MTDLR nomogram",
    "dfr_combined": "DFR combined nomogram",
    "site": "Clinical PET nomogram",
    "combined": "Combined nomogram",
}
"""By the names of the nomograms."""

SIMULATION_TRAINED = "Simulation-trained, not for clinical use"
"""Stands wherever a figure of an E0 system does; no setting hides it."""

SHOWN_SIMULATED = "Survival of a simulation-trained model shown by setting: not a statement on this patient"
"""The watermark: an E0 system's survival on the study of a real person, by ``evidence.show_simulated``."""

INTERVAL_MEANING = "95 % interval of the model's estimate: model uncertainty, not outcome"

EVIDENCE_SENTENCES: Mapping[str, str] = {
    "E0": "E0: trained on virtual patients, no clinical baseline",
    "E1": "E1: trained on the site's cohort, internally validated",
    "E2": "E2: trained on the site's cohort, internally and externally validated",
}


def system_title(name: str) -> str:
    """The system's name for readers; one that is not listed stays as it is, without underscores."""
    return SYSTEM_TITLES.get(name, name.replace("_", " "))


def evidence_sentence(system: SystemFinding) -> str:
    """The level and its meaning, on an E0 system with the words that never miss."""
    sentence = EVIDENCE_SENTENCES[system.evidence]
    return f"{sentence}. {SIMULATION_TRAINED}" if system.evidence == "E0" else sentence


def trained_words(system: SystemFinding) -> str:
    """Who the model learned from: "virtual patients: l1-train-1, n = 5000, 2100 events"."""
    kind = "virtual patients" if system.trained_on == "virtual" else "patients"
    cohorts = f": {', '.join(system.cohorts)}" if system.cohorts else ""
    size = f", n = {system.n}" if system.n else ""
    events = f", {system.events} events" if system.events is not None else ""
    return f"{kind}{cohorts}{size}{events}"


def withholds(system: SystemFinding, *, virtual: bool) -> bool:
    """Whether groups, survival and classes of a system must not be shown.

    A simulation-trained system without any endpoint cannot say that it was let through: on a real study it is not.
    """
    if system.endpoint:
        return any(endpoint.withheld for endpoint in system.endpoint.values())
    return system.evidence == "E0" and not virtual


def shows_simulated(findings: Findings) -> bool:
    """Whether a simulation-trained survival or nomogram is shown on the study of a real person."""
    if findings.virtual:
        return False
    trained = {name for name, system in findings.systems.items() if system.evidence == "E0"}
    endpoints = (
        not endpoint.withheld and (endpoint.group is not None or bool(endpoint.survival))
        for name in trained
        for endpoint in findings.systems[name].endpoint.values()
    )
    nomograms = (
        not nomogram.withheld and nomogram.system in trained
        for by_endpoint in findings.nomograms.values()
        for nomogram in by_endpoint.values()
    )
    return any(endpoints) or any(nomograms)


def probability_words(probability: float | None, bounds: tuple[float, float], ci: tuple[float, float]) -> str:
    """A predicted survival, "73 % (61 to 83 %)"; where covariates are missing "between 61 and 83 %"."""
    if probability is None:
        low, high = bounds
        return f"between {percent(low).removesuffix(' %')} and {percent(high)}"
    return f"{percent(probability)} ({percent_range(*ci)})"
