"""What must be said on every output that shows these findings, in the order of its weight."""

from __future__ import annotations

from nodal.findings import Findings

__all__ = ["NO_BASELINE", "PARTIAL_TITLE", "VIRTUAL_TITLE", "WATERMARK", "marks"]

PARTIAL_TITLE = "Limited field of view, not whole-body TMTV"
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
    if made.anatomy_engine == "none" and not given:
        said.append("Physiological uptake not removed")
    if findings.baseline == "assumed":
        said.append("Baseline scan assumed, not confirmed")
    waiting = sum(lesion.status == "to_confirm" for lesion in findings.lesions)
    if waiting:
        said.append(f"{waiting} of {len(findings.lesions)} lesions to be confirmed")
    return tuple(said)
