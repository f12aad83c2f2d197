"""The one reader of contours: RTSTRUCT, SEG, NIfTI and NRRD become a mask on the PET grid."""

from __future__ import annotations

from dataclasses import dataclass
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

from nodal.dicom.rtstruct import structures_on
from nodal.dicom.series import LoadedSeries
from nodal.errors import Code, Refused

__all__ = ["CONTOUR_CLASSES", "Contour", "ContourRegion", "read_contour", "read_regions"]

_LOG = structlog.get_logger()
_LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
CONTOUR_CLASSES = (RTStructureSetStorage, SegmentationStorage, _LABEL_MAP_STORAGE)
_ANATOMICAL = ("123037004", "T-D0050", "91723000")  # anatomical structure: SCT, SRT, and SCT "body structure"


@dataclass(frozen=True)
class ContourRegion:
    """One region of a contour: a segment, a structure, or a whole mask file.

    Attributes:
        label: in :attr:`Contour.labels`, 1..n. name: Segment Label or ROI Name; empty for a mask file.
        tracking_uid: where its writer kept or gave one.
    """

    label: int
    name: str = ""
    tracking_uid: str | None = None


@dataclass(frozen=True, eq=False)
class Contour:
    """A contour on the PET grid.

    Attributes:
        labels: uint16, 0 background; a voxel of several regions belongs to one of them.
    """

    labels: Volume
    regions: tuple[ContourRegion, ...]

    @property
    def mask(self) -> Volume:
        """Boolean, the union of all regions."""
        return self.labels.with_array(self.labels.array > 0)


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
    return read_regions(path, pet, study_instance_uid=study_instance_uid).mask


def read_regions(path: Path, pet: LoadedSeries, *, study_instance_uid: str, may_be_empty: bool = False) -> Contour:
    """As :func:`read_contour`, with the regions told apart.

    Args:
        may_be_empty: a DICOM contour that marks nothing anywhere is taken for what it says: no lesion.
    """
    try:
        contour = dcmread(path)
    except InvalidDicomError:
        found = _volume_file(path, pet.volume)
    except Exception as fault:  # pydicom raises what it likes on a broken file; the contour is refused with its code
        raise _unreadable(fault) from fault
    else:
        found = _dicom(contour, pet, study_instance_uid, may_be_empty)
    _LOG.info("contour read", voxels=int(np.count_nonzero(found.labels.array)), regions=len(found.regions))
    return found


def _dicom(contour: Dataset, pet: LoadedSeries, study_instance_uid: str, may_be_empty: bool) -> Contour:
    kind = contour.get("SOPClassUID", None)
    if kind not in CONTOUR_CLASSES:
        raise Refused(Code.CONTOUR_UNREADABLE, "The file is neither an RT Structure Set nor a Segmentation.")
    if contour.get("StudyInstanceUID", None) != study_instance_uid:
        raise Refused(Code.CONTOUR_OTHER_IMAGE, "The contour belongs to another study.")
    frame = str(pet.headers[0].get("FrameOfReferenceUID", ""))
    try:
        read = _structures if kind == RTStructureSetStorage else _segmentation
        found, marked = read(contour, pet.volume, frame)
    except Refused:
        raise
    except Exception as fault:  # a malformed object fails in many ways; the contour is refused with its code
        raise _unreadable(fault) from fault
    if marked and not found.labels.array.any():
        raise Refused(Code.CONTOUR_EMPTY, "The contour covers no voxel of this PET.")
    if not marked and not may_be_empty:
        raise Refused(Code.CONTOUR_EMPTY, "The contour marks nothing.")
    return found


def _structures(contour: Dataset, grid: Volume, frame_of_reference: str) -> tuple[Contour, bool]:
    """The structures on the grid, and whether any is drawn at all."""
    labels = np.zeros(grid.array.shape, dtype=np.uint16)
    regions = []
    for label, structure in enumerate(structures_on(contour, grid, frame_of_reference), start=1):
        labels[structure.mask & (labels == 0)] = label
        regions.append(ContourRegion(label, structure.name, structure.tracking_uid))
    return Contour(grid.with_array(labels), tuple(regions)), bool(regions)


def _segmentation(contour: Dataset, grid: Volume, frame_of_reference: str) -> tuple[Contour, bool]:
    """A BINARY, FRACTIONAL or LABELMAP Segmentation (PS3.3 A.51) on any grid of the same frame of reference, and
    whether it marks a voxel anywhere.
    """
    if str(contour.get("FrameOfReferenceUID", "")) != frame_of_reference:
        raise Refused(Code.CONTOUR_OTHER_IMAGE, "The Segmentation lies in another frame of reference than the PET.")
    segments = _lesion_segments(contour)
    regions = tuple(
        ContourRegion(label, str(item.get("SegmentLabel") or ""), str(item.get("TrackingUID") or "") or None)
        for label, item in enumerate(segments, start=1)
    )
    if not segments:
        return Contour(grid.with_array(np.zeros(grid.array.shape, dtype=np.uint16)), ()), False
    drawn = _drawn(contour, [int(item.SegmentNumber) for item in segments])
    return Contour(grid.with_array(_on_grid(drawn, grid)), regions), bool(drawn.array.any())


def _drawn(contour: Dataset, numbers: list[int]) -> Volume:
    """The segments of these numbers on their own grid, as labels 1..n in that order."""
    seg = highdicom.seg.Segmentation.from_dataset(contour, copy=False)
    if seg.segmentation_type == highdicom.seg.SegmentationTypeValues.FRACTIONAL:
        stacks = [seg.get_volume(segment_numbers=[number]) for number in numbers]
        labels = np.zeros(stacks[0].array.shape[:3], dtype=np.uint16)
        for label, stack in enumerate(stacks, start=1):
            labels[(np.asarray(stack.array)[..., 0] >= 0.5) & (labels == 0)] = label
    else:
        stacks = [seg.get_volume(segment_numbers=numbers, combine_segments=True, skip_overlap_checks=True)]
        table = np.zeros(max(numbers) + 1, dtype=np.uint16)
        table[numbers] = np.arange(1, len(numbers) + 1)
        labels = table[np.asarray(stacks[0].array).astype(np.int64)]
    affine = np.array(stacks[0].affine)
    affine[:, :3] = affine[:, [2, 1, 0]]
    return Volume(labels, affine)


def _lesion_segments(contour: Dataset) -> list[Dataset]:
    """Segments, without those that mark anatomy when there are others; number 0 is a label map's background."""
    segments = [item for item in contour.get("SegmentSequence", None) or [] if int(item.SegmentNumber) > 0]
    others = [
        item
        for item in segments
        if not any(
            code.get("CodeValue", None) in _ANATOMICAL
            for code in item.get("SegmentedPropertyCategoryCodeSequence", None) or []
        )
    ]
    return others or segments


def _volume_file(path: Path, grid: Volume) -> Contour:
    try:
        volume = Volume.load(path)
    except (RuntimeError, ValueError) as fault:
        raise _unreadable(fault) from fault
    if not np.isrealobj(volume.array) or not np.isfinite(volume.array).all():
        raise Refused(Code.CONTOUR_UNREADABLE, "The mask holds values that are not finite numbers.")
    present = volume.array >= 0.5
    if not present.any():
        raise Refused(Code.CONTOUR_EMPTY, "The mask is empty.")
    labels = _on_grid(volume.with_array(present.astype(np.uint16)), grid)
    if not labels.any():
        raise Refused(Code.CONTOUR_OTHER_IMAGE, "The mask lies outside this PET.")
    return Contour(grid.with_array(labels), (ContourRegion(1),))


def _on_grid(labels: Volume, grid: Volume) -> npt.NDArray[np.uint16]:
    if labels.same_grid(grid, tolerance_mm=1e-2):
        return np.asarray(labels.array, dtype=np.uint16)
    return np.asarray(resample_like(labels, grid, fill=0.0, interpolation="nearest").array, dtype=np.uint16)


def _unreadable(fault: Exception) -> Refused:
    return Refused(Code.CONTOUR_UNREADABLE, f"The contour could not be read ({type(fault).__name__}).")
