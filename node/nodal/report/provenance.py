"""How lesion map and risks came about, in the words and codes that the result objects share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydicom.sr.coding import Code

from nodal.findings import BundleUsed, Findings, Lesion
from nodal.outlook import SystemFinding
from nodal.report import codes
from nodal.report.marks import PARTIAL_TITLE
from nodal.report.system_words import SIMULATION_TRAINED, evidence_sentence, system_title, trained_words

__all__ = [
    "Delineation",
    "bundle_description",
    "bundle_parameters",
    "contour_qualifier",
    "delineation",
    "finding_code",
    "fitting",
    "given_contour",
    "is_regression",
    "lesion_name",
    "series_title",
]

_GIVEN = "reference"
_NETWORK_METHODS = ("network", "nnunet", "suv4_reviewed")
# Systems that are a Cox model alone; the others' risk follows from a network's score.
_REGRESSIONS = ("site", "combined")


@dataclass(frozen=True)
class Delineation:
    """The algorithm that drew the lesions (TID 4019; SEG's Segmentation Algorithm Identification).

    Attributes:
        segment_type: Segment Algorithm Type (0062,0008). name: at most 64 characters.
        parameters: name and value of all that makes the result reproducible.
    """

    segment_type: Literal["AUTOMATIC", "SEMIAUTOMATIC"]
    name: str
    family: Code
    version: str
    parameters: dict[str, str]


def delineation(findings: Findings) -> Delineation:
    """How the lesions of these findings were drawn; a given contour counts as semi-automatic."""
    made = findings.segmentation
    parameters = {
        "rule": made.description,
        "min_volume_ml": f"{made.min_volume_ml:g}",
        "connectivity": str(made.connectivity),
        "anatomy_engine": made.anatomy_engine,
    }
    if qualifier := contour_qualifier(findings):
        parameters["limits"] = qualifier
    if made.reference_sop_instance_uid:
        parameters["reference"] = made.reference_sop_instance_uid
    if given := given_contour(findings):
        family = codes.MANUAL_PROCESSING
    else:
        family = codes.ARTIFICIAL_INTELLIGENCE if made.method in _NETWORK_METHODS else codes.THRESHOLDING
    return Delineation(
        segment_type="SEMIAUTOMATIC" if given else "AUTOMATIC",
        name=f"Nodal {made.method}"[:64],
        family=family,
        version=findings.provenance.node_version,
        parameters=parameters,
    )


def given_contour(findings: Findings) -> bool:
    """Whether the lesions are those of a contour that was handed in; a NIfTI one has no UID."""
    made = findings.segmentation
    return made.method == _GIVEN or made.reference_sop_instance_uid is not None


def contour_qualifier(findings: Findings) -> str:
    """What must stand in every description of a contour that a simulation-trained network drew; empty otherwise."""
    return SIMULATION_TRAINED if findings.segmentation.evidence == "E0" else ""


def is_regression(system: str) -> bool:
    """Whether a system is a Cox model without a network of its own."""
    return system in _REGRESSIONS


def bundle_parameters(name: str, system: SystemFinding, findings: Findings) -> dict[str, str]:
    """Name and value of all that identifies a system's bundle and says how far it may be believed (TID 4019)."""
    digests = (
        used.sha256
        for used in findings.provenance.bundles
        if (used.name, used.version) == (system.bundle, system.version)
    )
    known = {"system": name, "bundle_sha256": next(digests, ""), "trained_on": trained_words(system)}
    known["evidence"] = evidence_sentence(system)
    for endpoint, (value, low, high) in system.harrell_c.items():
        interval = f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else ""
        known[f"harrell_c_{endpoint}"] = f"{value:.3f}{interval}"
    return {key: value for key, value in known.items() if value}


def bundle_description(findings: Findings, bundle: BundleUsed) -> str:
    """What a trained bundle contributed, for ContributingEquipment: its system, evidence and digest."""
    digest = f"Trained bundle, SHA-256 {bundle.sha256}"
    systems = (
        f"{system_title(name)}, {evidence_sentence(system)}"
        for name, system in findings.systems.items()
        if (system.bundle, system.version) == (bundle.name, bundle.version)
    )
    return "; ".join((*systems, digest))


def finding_code(findings: Findings, lesion: Lesion) -> Code:
    """Neoplasm where a person or an organ map told disease from physiological uptake, else only lesion."""
    judged = given_contour(findings) or findings.segmentation.anatomy_engine != "none"
    return codes.NEOPLASM if judged and lesion.status == "accepted" else codes.LESION


def lesion_name(lesion: Lesion) -> str:
    """``Lesion 7``; also its Tracking Identifier (112039 DCM)."""
    return f"Lesion {lesion.number}"


def fitting(parts: tuple[str, ...], limit: int) -> str:
    """As many of the parts as fit into ``limit`` characters, in their order, joined by semicolons."""
    text = ""
    for part in parts:
        longer = f"{text}; {part}" if text else part
        if len(longer) <= limit:
            text = longer
    return text


def series_title(short_name: str, findings: Findings) -> str:
    """Series Description of a result object: its name, of at most nine characters, and what limits its meaning."""
    simulated = ", simulated" if findings.virtual else ""
    partial = f", {PARTIAL_TITLE[0].lower()}{PARTIAL_TITLE[1:]}" if findings.totals.field_of_view == "partial" else ""
    return f"{short_name}{simulated}{partial}"[:64]
