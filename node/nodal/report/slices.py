"""Which source frame each slice of the PET grid is."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from nodal.report.inputs import ReportInputs

__all__ = ["SliceSource", "slice_sources"]


@dataclass(frozen=True, eq=False)
class SliceSource:
    """The image of one slice.

    Attributes:
        frame: number within a multi-frame image, from 1; None for a single-frame image.
    """

    header: Dataset
    frame: int | None


def _frame_position(header: Dataset, index: int) -> list[float]:
    position = header.PerFrameFunctionalGroupsSequence[index].PlanePositionSequence[0].ImagePositionPatient
    return [float(value) for value in position]


def slice_sources(inputs: ReportInputs) -> tuple[SliceSource, ...]:
    """The source of every slice, in the order of k.

    An enhanced (multi-frame) PET is one instance whose frames may stand in any order; they are told by position.

    Raises:
        ValueError: there are not as many images or frames as slices.
    """
    slices = inputs.suv.array.shape[0]
    headers = inputs.pet_headers
    if len(headers) == slices and "PerFrameFunctionalGroupsSequence" not in headers[0]:
        return tuple(SliceSource(header, None) for header in headers)
    frames = len(headers[0].get("PerFrameFunctionalGroupsSequence", ()))
    placed = {
        round(float(inputs.suv.index_kji(_frame_position(headers[0], index))[0])): index + 1 for index in range(frames)
    }
    if len(headers) != 1 or sorted(placed) != list(range(slices)):
        raise ValueError(f"{len(headers)} images with {frames} frames do not make {slices} slices")
    return tuple(SliceSource(headers[0], placed[k]) for k in range(slices))
