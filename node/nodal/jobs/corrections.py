"""When a contour that comes back is a correction of ours, and when it is merely passed over.

A PACS routes many contours: of radiotherapy, of other programs, of other time points. A correction is one that refers
to what this node has made (its SEG or another result, a lesion's Tracking UID), or that a workstation sent which the
settings name. What it must have been drawn on is checked before it takes any job's place (:mod:`nodal.jobs.given`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nodal.dicom.contour_header import ContourHeader

__all__ = ["FOREIGN", "Own", "refers_to_own", "why_correction"]

FOREIGN = (
    "it refers to none of this node's results, keeps none of their Tracking UIDs, "
    "and did not come from an AE title in corrections.accept_from"
)


@dataclass(frozen=True)
class Own:
    """What this node has made of a study.

    Attributes:
        objects: SOP Instance UIDs of all result objects. series: their Series Instance UIDs.
        tracking: Tracking UIDs of all lesions of all revisions.
    """

    objects: frozenset[str]
    series: frozenset[str]
    tracking: frozenset[str]


def refers_to_own(contour: ContourHeader, own: Own) -> bool:
    """Whether a contour was made from this node's results."""
    return bool(contour.referenced & (own.objects | own.series) or contour.tracking & own.tracking)


def why_correction(
    contour: ContourHeader, own: Own, calling_ae: str | None, accept_from: Collection[str]
) -> str | None:
    """Why a contour counts as a correction, in words for the audit; None where it does not."""
    if contour.referenced & own.objects:
        return "refers to a result of this node"
    if contour.referenced & own.series:
        return "refers to a series of this node"
    if contour.tracking & own.tracking:
        return "keeps a lesion's Tracking UID"
    if calling_ae is not None and calling_ae in accept_from:
        return "came from an AE title in corrections.accept_from"
    return None
