"""The one reader of contours: RTSTRUCT, SEG, NIfTI and NRRD become a mask on the PET grid."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
import structlog
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from nodal.dicom.rtstruct import rasterise_rtstruct
from nodal.dicom.series import LoadedSeries
from nodal.errors import Code, Refused

__all__ = ["read_contour"]

_LOG = structlog.get_logger()
_LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
_ANATOMICAL = ("123037004", "T-D0050", "91723000")  # anatomical structure: SCT, SRT, and SCT "body structure"


def read_contour(path: Path, pet: LoadedSeries, *, study_instance_uid: str) -> Volume:
    """Reads a contour drawn by a person or another program.

    Args:
        path: a DICOM RT Structure Set or Segmentation, or any volume SimpleITK reads (NIfTI, NRRD).
        pet: gives the grid and the frame of reference.
        study_instance_uid: the study a DICOM contour must belong to.

    Returns:
        Boolean mask on the PET grid: the union of all regions, so that no voxel counts twice. Structures and
        segments that mark anatomy or equipment are left out when others are there. A structure set is filled as
        :func:`nodal.dicom.rtstruct.rasterise_rtstruct` says; a mask on another grid is sampled at the centres of the
        PET's voxels (nearest neighbour); a fractional one counts from one half. NIfTI and NRRD carry no frame of
        reference, so only their position speaks for them.

    Raises:
        Refused: CONTOUR_OTHER_IMAGE, another study or frame of reference, or nothing of it on this PET;
            CONTOUR_EMPTY, no voxel; CONTOUR_UNREADABLE, not a contour this reader knows.
    """
    try:
        contour = dcmread(path)
    except InvalidDicomError:
        mask = _volume_file(path, pet.volume)
    except Exception as fault:  # pydicom raises what it likes on a broken file; the contour is refused with its code
        raise _unreadable(fault) from fault
    else:
        mask = _dicom(contour, pet, study_instance_uid)
    if not mask.any():
        raise Refused(Code.CONTOUR_EMPTY, "The contour covers no voxel of this PET.")
    _LOG.info("contour read", voxels=int(mask.sum()))
    return pet.volume.with_array(mask)


def _dicom(contour: Dataset, pet: LoadedSeries, study_instance_uid: str) -> npt.NDArray[np.bool_]:
    kind = contour.get("SOPClassUID", None)
    if kind not in (RTStructureSetStorage, SegmentationStorage, _LABEL_MAP_STORAGE):
        raise Refused(Code.CONTOUR_UNREADABLE, "The file is neither an RT Structure Set nor a Segmentation.")
    if contour.get("StudyInstanceUID", None) != study_instance_uid:
        raise Refused(Code.CONTOUR_OTHER_IMAGE, "The contour belongs to another study.")
    frame = str(pet.headers[0].get("FrameOfReferenceUID", ""))
    try:
        if kind == RTStructureSetStorage:
            return rasterise_rtstruct(contour, pet.volume, frame)
        return _segmentation(contour, pet.volume, frame)
    except Refused:
        raise
    except Exception as fault:  # a malformed object fails in many ways; the contour is refused with its code
        raise _unreadable(fault) from fault


def _segmentation(contour: Dataset, grid: Volume, frame_of_reference: str) -> npt.NDArray[np.bool_]:
    """A BINARY, FRACTIONAL or LABELMAP Segmentation (PS3.3 A.51) on any grid of the same frame of reference."""
    if str(contour.get("FrameOfReferenceUID", "")) != frame_of_reference:
        raise Refused(Code.CONTOUR_OTHER_IMAGE, "The Segmentation lies in another frame of reference than the PET.")
    seg = highdicom.seg.Segmentation.from_dataset(contour, copy=False)
    numbers = _lesion_segments(contour)
    if not numbers:
        raise Refused(Code.CONTOUR_EMPTY, "The Segmentation holds no segment.")
    if seg.segmentation_type == highdicom.seg.SegmentationTypeValues.FRACTIONAL:
        stacks = [seg.get_volume(segment_numbers=[number]) for number in numbers]
        present = np.any([np.asarray(stack.array)[..., 0] >= 0.5 for stack in stacks], axis=0)
    else:
        stacks = [seg.get_volume(segment_numbers=numbers, combine_segments=True, skip_overlap_checks=True)]
        present = np.asarray(stacks[0].array) > 0
    affine = np.array(stacks[0].affine)
    affine[:, :3] = affine[:, [2, 1, 0]]
    return _on_grid(Volume(np.asarray(present), affine), grid)


def _lesion_segments(contour: Dataset) -> list[int]:
    """Segment numbers, without those that mark anatomy when there are others; 0 is a label map's background."""
    segments = [item for item in contour.get("SegmentSequence", None) or [] if int(item.SegmentNumber) > 0]
    others = [
        item
        for item in segments
        if not any(
            code.get("CodeValue", None) in _ANATOMICAL
            for code in item.get("SegmentedPropertyCategoryCodeSequence", None) or []
        )
    ]
    return [int(item.SegmentNumber) for item in others or segments]


def _volume_file(path: Path, grid: Volume) -> npt.NDArray[np.bool_]:
    try:
        volume = Volume.load(path)
    except (RuntimeError, ValueError) as fault:
        raise _unreadable(fault) from fault
    if not np.isrealobj(volume.array) or not np.isfinite(volume.array).all():
        raise Refused(Code.CONTOUR_UNREADABLE, "The mask holds values that are not finite numbers.")
    present = volume.array >= 0.5
    if not present.any():
        raise Refused(Code.CONTOUR_EMPTY, "The mask is empty.")
    mask = _on_grid(volume.with_array(present), grid)
    if not mask.any():
        raise Refused(Code.CONTOUR_OTHER_IMAGE, "The mask lies outside this PET.")
    return mask


def _on_grid(mask: Volume, grid: Volume) -> npt.NDArray[np.bool_]:
    if mask.same_grid(grid, tolerance_mm=1e-2):
        return np.asarray(mask.array, dtype=np.bool_)
    sampled = resample_like(mask.with_array(mask.array.astype(np.uint8)), grid, fill=0.0, interpolation="nearest")
    return np.asarray(sampled.array > 0)


def _unreadable(fault: Exception) -> Refused:
    return Refused(Code.CONTOUR_UNREADABLE, f"The contour could not be read ({type(fault).__name__}).")
