"""Whether all slices of a series are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydicom import Dataset

from nodal.errors import Code
from nodal.intake.extent import axial_extent

__all__ = ["Completeness", "completeness"]


@dataclass(frozen=True)
class Completeness:
    """What the headers at hand say of a series.

    Attributes:
        state: "complete" when as many slices are there as the series declares, without a gap; "incomplete" when
            fewer, or with a gap; "unknown" when the series declares no number and shows no gap.
        reason: a sentence.
        code: of the refusal where "incomplete": MISSING_SLICE for a gap, SERIES_INCOMPLETE for too few.
    """

    state: Literal["complete", "incomplete", "unknown"]
    reason: str
    code: Code | None = None


def _declared(headers: Sequence[Dataset]) -> int | None:
    """Number of Slices (0054,0081), which PET declares, one value for the whole series (PS3.3 C.8.9.1)."""
    return max((int(header.NumberOfSlices) for header in headers if header.get("NumberOfSlices")), default=None)


def _acquired(headers: Sequence[Dataset]) -> int | None:
    """Images in Acquisition (0020,1002), where the whole series is one acquisition.

    All that CT declares, and no sure sign of a lack: an acquisition may have been reconstructed more than once. It
    can therefore say that a series is whole, never that it is not.
    """
    counts = {header.get("ImagesInAcquisition") for header in headers}
    acquisitions = {header.get("AcquisitionNumber") for header in headers}
    only = counts.pop() if len(counts) == 1 and len(acquisitions) == 1 else None
    return int(only) if only else None


def _multi_frame(headers: Sequence[Dataset]) -> Completeness | None:
    """An enhanced series is whole in one instance, or in as many as its concatenation says (PS3.3 C.7.6.16.2.2.4)."""
    if not headers[0].get("PerFrameFunctionalGroupsSequence"):
        return None
    parts = int(headers[0].get("InConcatenationTotalNumber") or 1)
    if len(headers) < parts:
        return Completeness(
            "incomplete", f"{len(headers)} of the {parts} parts of a concatenation are there", Code.SERIES_INCOMPLETE
        )
    return Completeness("complete", "a multi-frame instance is whole")


def completeness(headers: Sequence[Dataset]) -> Completeness:
    """Judges a series by its declared number of slices and by the positions of those at hand.

    Args:
        headers: of one series, at least one; pixel data are not looked at.
    """
    whole = _multi_frame(headers)
    if whole is not None:
        return whole
    extent = axial_extent(headers)
    slices = len(extent.positions_mm) if extent else len(headers)
    if extent is not None and extent.gaps:
        return Completeness(
            "incomplete",
            f"slices are missing in {extent.gaps} place(s) between the first and the last of {slices}",
            Code.MISSING_SLICE,
        )
    declared = _declared(headers)
    if declared is None and slices == _acquired(headers):
        return Completeness("complete", f"all {slices} images of the acquisition are there, without a gap")
    if declared is None:
        return Completeness("unknown", f"{slices} slices without a gap; the series declares no number")
    if slices < declared and len(headers) < declared:
        return Completeness(
            "incomplete", f"{slices} of the {declared} declared slices are there", Code.SERIES_INCOMPLETE
        )
    return Completeness("complete", f"all {declared} declared slices are there, without a gap")
