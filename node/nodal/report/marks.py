"""What must be said on every output that shows these findings, in the order of its weight."""

from __future__ import annotations

from nodal.findings import Findings, Segmentation
from nodal.report.lesion_words import features_words

__all__ = ["NO_BASELINE", "OUT_OF_RANGE", "PARTIAL_TITLE", "VIRTUAL_TITLE", "WATERMARK", "marks"]

PARTIAL_TITLE = "Limited field of view, not whole-body TMTV"
OUT_OF_RANGE = "threshold only; physiological uptake not removed; no prognosis"
"""Stands where a scan is unlike those that the networks of organs and lesions learned from."""
VIRTUAL_TITLE = "Virtual patient: simulated images, not a person"
NO_BASELINE = "No clinical baseline: trained on virtual patients, so no survival is shown"
"""Stands where an evidence level lets no survival be shown."""
WATERMARK = "SIMULATION-TRAINED · NOT FOR CLINICAL USE"
"""Across each page of a report on a person that shows survival by a model of virtual patients."""


def marks(findings: Findings) -> tuple[str, ...]:
    """Short sentences without a full stop; empty where there is nothing to hold against the numbers."""
    said: list[str] = []
    if findings.virtual:
        said.append(VIRTUAL_TITLE)
    if findings.totals.field_of_view == "partial":
        said.append(PARTIAL_TITLE)
    # A contour drawn by a person already leaves physiological uptake out.
    made = findings.segmentation
    given = made.method == "reference" or made.reference_sop_instance_uid is not None
    if made.in_range == "outside" and not given:
        said.append(f"Scan out of range{_features(made)}: {OUT_OF_RANGE}")
    elif not made.without_physiological and not given:
        said.append("Physiological uptake not removed")
    elif made.in_range == "unusual" and not given:
        said.append(f"Scan unusual for the networks that judged the lesions{_features(made)}")
    if made.evidence == "E0":
        said.append("Lesions judged by a simulation-trained network, not for clinical use")
    if findings.baseline == "assumed":
        said.append("Baseline scan assumed, not confirmed")
    waiting = sum(lesion.status == "to_confirm" for lesion in findings.lesions)
    if waiting:
        said.append(f"{waiting} of {len(findings.lesions)} lesions to be confirmed")
    return tuple(said)


def _features(made: Segmentation) -> str:
    return f" ({features_words(made.in_range_features)})" if made.in_range_features else ""
