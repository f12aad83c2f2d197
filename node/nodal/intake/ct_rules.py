"""Which CT series goes with the PET.

A CT must lie in the PET's frame of reference and overlap it. Of several that overlap equally (within 2 % of the
PET's length) comes first what is an original axial series, then what was not reconstructed with a kernel known as
sharp (lung, bone), then what is complete, then the finest slices, then the lowest series number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from nodal.errors import Code
from nodal.intake.completeness import Completeness, completeness
from nodal.intake.extent import Extent, axial_extent
from nodal.intake.fault import Fault
from nodal.intake.words import described, plain
from nodal.study import SeriesFiles

__all__ = ["CtCandidate", "judge_ct", "rank_cts"]

_CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
_NOT_SLICES = re.compile(
    r"\b(?:mip|scout|topogram|localizer|localiser|surview|scanogram|dose report|patient protocol)\b"
)
_SHARP_WORDS = re.compile(r"\b(?:lung|lunge|poumon|bone|knochen|sharp|hires|edge)\b")
_SHARP_GE = frozenset({"LUNG", "BONE", "BONEPLUS", "EDGE", "ULTRA"})
_SHARP_SIEMENS = re.compile(r"^[BHTUIQ][a-z]?(\d{2})")  # B70f, Br64, I70f: from 55 on sharp
_SHARP_CANON = re.compile(r"^FC(\d{2})")  # FC30-39 and FC80-89 bone, FC50-59 lung
_ONE_FOR_ALL = ("Modality", "SOPClassUID", "FrameOfReferenceUID")
SAME_OVERLAP = 0.02  # share of the PET's length


@dataclass(frozen=True, eq=False)
class CtCandidate:
    """A CT series that overlaps the PET.

    Attributes:
        series: without the localizer images that were in it.
        overlap: share of the PET's length that the CT covers, 0..1.
        localizers: images left out of the series.
    """

    series: SeriesFiles
    extent: Extent
    completeness: Completeness
    overlap: float
    localizers: int


def _image_type(header: Dataset) -> tuple[str, ...]:
    value = header.get("ImageType") or ()
    return tuple(str(v).upper() for v in ((value,) if isinstance(value, str) else value))


def _without_localizers(series: SeriesFiles) -> tuple[SeriesFiles, int]:
    keep = [i for i, header in enumerate(series.headers) if "LOCALIZER" not in _image_type(header)]
    left_out = len(series.headers) - len(keep)
    if not left_out:
        return series, 0
    paths, headers = tuple(series.paths[i] for i in keep), tuple(series.headers[i] for i in keep)
    return replace(series, paths=paths, headers=headers), left_out


def _is_sharp(header: Dataset) -> bool:
    value = header.get("ConvolutionKernel") or ""
    kernel = str(value if isinstance(value, str) else value[0]).strip()
    siemens, canon = _SHARP_SIEMENS.match(kernel), _SHARP_CANON.match(kernel)
    return bool(
        kernel.upper() in _SHARP_GE
        or (siemens and int(siemens[1]) >= 55)
        or (canon and int(canon[1]) // 10 in (3, 5, 8))
        or _SHARP_WORDS.search(plain(kernel) + described(header, "SeriesDescription"))
    )


def _fault(headers: Sequence[Dataset], pet: Extent, frame_of_reference_uid: str) -> Fault | Extent:
    if not headers:
        return Fault(0, Code.NO_CT, "localizer images only (scout, topogram)")
    header = headers[0]
    if header.get("SOPClassUID") not in _CT_CLASSES:
        name = getattr(header.get("SOPClassUID"), "name", "objects of an unknown class")
        return Fault(0, Code.NO_CT, f"no CT images but {name}")
    if _NOT_SLICES.search(described(header, "SeriesDescription")):
        return Fault(0, Code.NO_CT, "its description names a scout, projection or dose report")
    extent = axial_extent(headers)
    if extent is None or not extent.axial or len(extent.positions_mm) < 2:
        return Fault(1, Code.NO_CT, "no stack of slices across the body (a scout or a reformat)")
    for keyword in _ONE_FOR_ALL:
        if len({str(h.get(keyword)) for h in headers}) > 1:
            return Fault(2, Code.MIXED_SERIES, f"its images differ in {keyword}: several series under one UID")
    if header.get("FrameOfReferenceUID") != frame_of_reference_uid:
        return Fault(3, Code.CT_OTHER_FRAME, "it lies in another frame of reference than the PET")
    if extent.overlap_mm(pet) <= 0.0:
        return Fault(4, Code.CT_NO_OVERLAP, "it does not overlap the PET")
    return extent


def judge_ct(series: SeriesFiles, pet: Extent, frame_of_reference_uid: str) -> CtCandidate | Fault:
    """Whether a CT series can serve as the PET's CT."""
    slices, localizers = _without_localizers(series)
    found = _fault(slices.headers, pet, frame_of_reference_uid)
    if isinstance(found, Fault):
        return found
    overlap = found.overlap_mm(pet) / pet.length_mm
    return CtCandidate(slices, found, completeness(slices.headers), overlap, localizers)


def rank_cts(candidates: Sequence[CtCandidate]) -> list[CtCandidate]:
    """Candidates, the one to use first."""
    most = max(c.overlap for c in candidates)

    def order(c: CtCandidate) -> tuple[float, bool, bool, bool, float, int, str]:
        header = c.series.headers[0]
        lacking = 0.0 if most - c.overlap <= SAME_OVERLAP else most - c.overlap
        original_axial = _image_type(header)[:1] == ("ORIGINAL",) and "AXIAL" in _image_type(header)
        enhanced_original = header.SOPClassUID != CTImageStorage and _image_type(header)[:1] == ("ORIGINAL",)
        return (
            lacking,
            not (original_axial or enhanced_original),
            _is_sharp(header),
            c.completeness.state == "incomplete",
            round(c.extent.step_mm, 2),
            int(header.get("SeriesNumber") or 0),
            c.series.series_instance_uid,
        )

    return sorted(candidates, key=order)
