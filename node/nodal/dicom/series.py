"""A series of files becomes a volume: CT in HU, PET in SUV (body weight)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume
from pydicom import Dataset
from pydicom.sr.coding import Code as Concept
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    PositronEmissionTomographyImageStorage,
)

from nodal.dicom.folder import read_instance, read_study
from nodal.dicom.geometry import plane_of_frame, plane_of_header, stack
from nodal.dicom.suv import SuvConversion, enhanced_conversion, suv_conversion
from nodal.dicom.values import number
from nodal.errors import Code, Refused
from nodal.study import SeriesFiles

__all__ = ["LoadedPet", "LoadedSeries", "load_ct", "load_pet", "read_study", "suv_mapping_unit"]

_CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
_PET_CLASSES = (
    PositronEmissionTomographyImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
)
_MULTIFRAME = (*_CT_CLASSES[1:], *_PET_CLASSES[1:])
_SUVBW_UNITS = ("{SUVbw}g/ml", "g/ml{SUVbw}")  # CID 84, and the order in which some writers put it
_AIR_HU = -1024.0
_Values = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LoadedSeries:
    """A series in memory.

    Attributes:
        volume: float32 values, index order (k, j, i); k rises along the cross product of the row and the column
            direction, so k = 0 is the foot end of an axial series.
        headers: without pixels, private elements kept. Single-frame images: one for each k, in that order. A
            multi-frame image: its one header.
    """

    volume: Volume
    headers: tuple[Dataset, ...]


@dataclass(frozen=True, eq=False)
class LoadedPet(LoadedSeries):
    """A PET series whose ``volume`` is SUVbw in g/mL, and how it became that."""

    conversion: SuvConversion


def load_ct(series: SeriesFiles) -> LoadedSeries:
    """Reads a CT series, in HU.

    Values under -1024 HU are the padding around the reconstructed circle; they become -1024.

    Raises:
        Refused: WRONG_MODALITY, MIXED_SERIES, the codes of :func:`nodal.dicom.geometry.stack`, PIXELS_UNREADABLE,
            TRUNCATED_FILE.
    """
    headers, affine, paths = _arranged(series, "CT", _CT_CLASSES)
    if headers[0].SOPClassUID in _MULTIFRAME:
        array = _frames(paths[0], headers[0], affine_order=_enhanced_order(headers[0]), unit=None)
    else:
        array = _slices(paths, headers, np.ones(len(paths)))
    np.maximum(array, _AIR_HU, out=array)
    return LoadedSeries(Volume(array, affine), headers)


def load_pet(series: SeriesFiles, *, assume_bw: bool, correct_undecayed: bool = False) -> LoadedPet:
    """Reads a PET series, in SUVbw (g/mL).

    Args:
        assume_bw, correct_undecayed: as of :func:`nodal.dicom.suv.suv_conversion`.

    Raises:
        Refused: as :func:`load_ct`, the SUV codes, and PET_ENHANCED_UNMAPPED for a multi-frame PET without a
            Real World Value Mapping to SUVbw.
    """
    headers, affine, paths = _arranged(series, "PT", _PET_CLASSES)
    if headers[0].SOPClassUID in _MULTIFRAME:
        unit = suv_mapping_unit(headers[0])
        if unit is None:
            raise Refused(
                Code.PET_ENHANCED_UNMAPPED, "The multi-frame PET has no real-world value mapping to body-weight SUV."
            )
        array = _frames(paths[0], headers[0], affine_order=_enhanced_order(headers[0]), unit=unit)
        return LoadedPet(Volume(array, affine), headers, enhanced_conversion(headers[0]))
    conversion = suv_conversion(headers, assume_bw=assume_bw, correct_undecayed=correct_undecayed)
    array = _slices(paths, headers, np.asarray(conversion.factors))
    return LoadedPet(Volume(array, affine), headers, conversion)


def suv_mapping_unit(header: Dataset) -> str | None:
    """The unit code of a multi-frame PET's Real World Value Mapping to SUVbw (PS3.3 C.7.6.16.2.11), or None.

    Every frame must have it, in the shared groups or in its own.
    """
    for unit in _SUVBW_UNITS:
        shared = header.get("SharedFunctionalGroupsSequence", None) or []
        frames = header.get("PerFrameFunctionalGroupsSequence", None) or []
        if (shared and _maps_to(shared[0], unit)) or (frames and all(_maps_to(frame, unit) for frame in frames)):
            return unit
    return None


def _maps_to(groups: Dataset, unit: str) -> bool:
    return any(
        item.get("CodeValue", None) == unit
        for mapping in groups.get("RealWorldValueMappingSequence", None) or []
        for item in mapping.get("MeasurementUnitsCodeSequence", None) or []
    )


def _arranged(
    series: SeriesFiles, modality: str, classes: Sequence[str]
) -> tuple[tuple[Dataset, ...], npt.NDArray[np.float64], tuple[Path, ...]]:
    """Headers and paths in the order of k, and the affine; every check that needs no pixels."""
    headers = series.headers
    if not headers:
        raise Refused(Code.EMPTY_STUDY, "The series holds no instance.")
    if any(h.get("Modality", None) != modality or h.SOPClassUID not in classes for h in headers):
        raise Refused(Code.WRONG_MODALITY, f"The series is not a series of {modality} images.")
    for keyword in ("SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID"):
        if len({str(h.get(keyword, None)) for h in headers}) > 1:
            raise Refused(Code.MIXED_SERIES, f"The instances differ in {keyword}.")
    if not headers[0].get("FrameOfReferenceUID", None):
        raise Refused(Code.GEOMETRY_MISSING, "The series has no Frame of Reference UID.")
    if headers[0].SOPClassUID in _MULTIFRAME:
        if len(headers) > 1:
            raise Refused(Code.MIXED_SERIES, f"The series holds {len(headers)} multi-frame images; one is expected.")
        frames = int(number(headers[0], "NumberOfFrames") or 1)
        grid = stack([plane_of_frame(headers[0], frame) for frame in range(frames)])
        return headers, grid.affine, series.paths
    if len({str(h.SOPInstanceUID) for h in headers}) < len(headers):
        raise Refused(Code.DUPLICATE_SLICE, "Two instances share a SOP Instance UID and differ in content.")
    grid = stack([plane_of_header(header) for header in headers])
    declared = max(int(number(h, "NumberOfSlices") or 0) for h in headers)
    if declared > len(headers):
        raise Refused(Code.MISSING_SLICE, f"The series declares {declared} slices; {len(headers)} are present.")
    return (tuple(headers[i] for i in grid.order), grid.affine, tuple(series.paths[i] for i in grid.order))


def _enhanced_order(header: Dataset) -> tuple[int, ...]:
    frames = int(number(header, "NumberOfFrames") or 1)
    return stack([plane_of_frame(header, frame) for frame in range(frames)]).order


def _slices(paths: Sequence[Path], headers: Sequence[Dataset], factors: npt.NDArray[np.float64]) -> _Values:
    """Single-frame images as (k, j, i): (stored * slope + intercept) * factor, each slice with its own."""
    array = np.empty((len(paths), int(headers[0].Rows), int(headers[0].Columns)), dtype=np.float32)
    for k, (path, header) in enumerate(zip(paths, headers, strict=True)):
        stored = _stored(path)
        if stored.shape != array.shape[1:]:
            raise Refused(Code.PIXELS_UNREADABLE, "An image's pixels do not have the matrix its header declares.")
        slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
        if slope is None or intercept is None:
            raise Refused(Code.PIXELS_UNREADABLE, "An image has no Rescale Slope or Intercept.")
        array[k] = (stored * slope + intercept) * factors[k]
    if not np.isfinite(array).all():
        raise Refused(Code.PIXELS_UNREADABLE, "The series holds values that are not finite numbers.")
    return array


def _stored(path: Path) -> npt.NDArray[Any]:
    try:
        return np.asarray(read_instance(path).pixel_array)
    except FileNotFoundError:
        raise
    except (EOFError, OSError) as fault:
        raise Refused(Code.TRUNCATED_FILE, "An image file could not be read to its end.") from fault
    except Exception as fault:  # decoders raise what they like; the series is refused with its code
        raise Refused(Code.PIXELS_UNREADABLE, f"An image could not be decoded ({type(fault).__name__}).") from fault


def _frames(path: Path, header: Dataset, *, affine_order: Sequence[int], unit: str | None) -> _Values:
    """A multi-frame image as (k, j, i), with its real-world map to ``unit`` or its modality transform."""
    try:
        image = highdicom.imread(path)
        values = image.get_frames(
            dtype=np.float64,
            apply_real_world_transform=unit is not None,
            real_world_value_map_selector=0 if unit is None else Concept(unit, "UCUM", unit),
            apply_modality_transform=None if unit is not None else True,
            apply_presentation_lut=False,
        )
    except Exception as fault:  # decoders raise what they like; the series is refused with its code
        raise Refused(Code.PIXELS_UNREADABLE, f"The image could not be decoded ({type(fault).__name__}).") from fault
    array = np.ascontiguousarray(values[list(affine_order)], dtype=np.float32)
    if not np.isfinite(array).all():
        raise Refused(Code.PIXELS_UNREADABLE, "The image holds values that are not finite numbers.")
    return array
