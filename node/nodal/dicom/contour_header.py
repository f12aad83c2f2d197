"""What a contour says of itself without its voxels: which object it is, when it was made, what it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from nodal.dicom.contour import CONTOUR_CLASSES

__all__ = ["ContourHeader", "content_instant", "read_contour_header"]

_LOG = structlog.get_logger()
_SOP_CLASS_UID = 0x00080016
_REFERENCES = ("ReferencedSOPInstanceUID", "SeriesInstanceUID")
"""Inside sequences: references (PS3.3 10.8), the Common Instance Reference Module (C.12.2), Source and Predecessor."""


@dataclass(frozen=True)
class ContourHeader:
    """A SEG or RTSTRUCT as its header tells it.

    Attributes:
        referenced: SOP Instance and Series Instance UIDs anywhere in its references.
        referenced_series: the Series Instance UIDs among them.
        tracking: Tracking UIDs of its segments or structures.
        instant: DICOM DT of its content, to the second; None where it does not say.
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    referenced: frozenset[str]
    referenced_series: frozenset[str]
    tracking: frozenset[str]
    instant: str | None


def read_contour_header(path: Path) -> ContourHeader | None:
    """The header of a contour; None for anything else, and for a file that cannot be read up to its pixels."""
    try:
        with path.open("rb") as stream:  # most files are slices: no more of them is read than their kind
            kind = read_partial(stream, stop_when=_past_class).get("SOPClassUID")
        return contour_header(dcmread(path, stop_before_pixels=True), path) if kind in CONTOUR_CLASSES else None
    except InvalidDicomError:
        return None
    except Exception as fault:  # noqa: BLE001 - a broken file is no contour; selection lists it with its reason
        _LOG.info("a file could not be read as a contour", fault=type(fault).__name__)
    return None


def contour_header(dataset: Dataset, path: Path) -> ContourHeader | None:
    """As :func:`read_contour_header`, of a data set; None where it lacks what every object has."""
    names = [str(dataset.get(f"{name}UID") or "") for name in ("SOPInstance", "SeriesInstance", "StudyInstance")]
    if not all(names):
        return None
    referenced: set[str] = set()
    series: set[str] = set()
    tracking: set[str] = set()
    for item in _items(dataset):
        referenced.update(str(item[name].value) for name in _REFERENCES if item.get(name))
        series.update([str(item.SeriesInstanceUID)] if item.get("SeriesInstanceUID") else [])
        tracking.update([str(item.TrackingUID)] if item.get("TrackingUID") else [])
    own, series_uid, study = names
    return ContourHeader(
        path,
        str(dataset.SOPClassUID),
        own,
        series_uid,
        study,
        frozenset(referenced),
        frozenset(series),
        frozenset(tracking),
        content_instant(dataset),
    )


def _past_class(tag: BaseTag, vr: str | None, length: int) -> bool:
    return int(tag) > _SOP_CLASS_UID


def _items(dataset: Dataset) -> Iterator[Dataset]:
    """Every item of every sequence, at any depth."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                yield item
                yield from _items(item)


def content_instant(source: Dataset) -> str | None:
    """When a SEG or RTSTRUCT was made, DICOM DT to the second."""
    for kind in ("StructureSet", "Content", "InstanceCreation"):
        if source.get(f"{kind}Date"):
            return f"{source[f'{kind}Date'].value}{source.get(f'{kind}Time', '') or '000000'}".split(".")[0]
    return None
