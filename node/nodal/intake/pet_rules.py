"""Which PT series can be measured, and which of several is used.

A PT series passes the gates below in their order; the first that it fails gives the reason. Of the series that pass
all, the one with the largest axial coverage is used. Series that cover the same length (within one slice) are the
same scan reconstructed more than once; among them comes first what is complete, then what is original, then what is
named EARL (the harmonised reconstruction that EANM asks for in quantification), then the finest slices, then the
lowest series number. Two reconstructions that differ in nothing of this are told apart by their UID.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import (
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    PositronEmissionTomographyImageStorage,
)

from nodal.errors import Code
from nodal.intake.completeness import Completeness, completeness
from nodal.intake.extent import Extent, axial_extent
from nodal.intake.fault import Fault
from nodal.intake.tracer import not_fdg
from nodal.intake.words import described
from nodal.settings import Settings
from nodal.study import SeriesFiles

__all__ = ["PetCandidate", "judge_pet", "rank_pets"]

_ENHANCED = (EnhancedPETImageStorage, LegacyConvertedEnhancedPETImageStorage)
_PET_CLASSES = (PositronEmissionTomographyImageStorage, *_ENHANCED)
_UNITS = ("BQML", "CNTS", "GML", "CM2ML")
_NAC_UNITS = ("PROPCNTS", "PROPCPS", "CPS", "PCNT")
_NAC_WORDS = re.compile(
    r"\b(?:nac|noac|no ac|non ac|nonac|no att\w*|non att\w*|without att\w*|uncorr\w*|un corr\w*|non corr\w*|"
    r"not corr\w*|unkorr\w*|nicht korr\w*|"
    r"ohne (?:schwachung\w*|ac|korr\w*)|non corrige\w*|sans corr\w*|nonattcorr\w*)\b"
)
_MIP_WORDS = re.compile(r"\b(?:mip|max(?:imum)? int(?:ensity)? proj\w*|rotating|cine|scout|topogram|localizer)\b")
_PROJECTED = {"MIP", "PROJECTION IMAGE", "MAX_IP", "LOCALIZER", "CURVED PLANAR", "VOLUME RENDERED"}
_SUV_UNITS = {"{SUVbw}g/ml", "g/ml{SUVbw}"}
# Elements that must be one for the whole series; a series that mixes them is several in one.
_ONE_FOR_ALL = ("Modality", "SOPClassUID", "FrameOfReferenceUID", "Units", "SUVType", "SeriesType", "CorrectedImage")


@dataclass(frozen=True, eq=False)
class PetCandidate:
    """A PT series that passed every gate."""

    series: SeriesFiles
    extent: Extent
    completeness: Completeness
    derived: bool

    @property
    def harmonised(self) -> bool:
        """Whether its description names an EARL reconstruction."""
        return " earl" in described(self.series.headers[0], "SeriesDescription")


def _first(header: Dataset, keyword: str) -> str:
    """The first value of an element that may hold several, "" where there is none."""
    value = header.get(keyword)
    return str(value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value or "")


def _values(header: Dataset, keyword: str) -> set[str]:
    value = header.get(keyword) or ()
    return {str(v).upper() for v in ((value,) if isinstance(value, str) else value)}


def _is_derived(headers: Sequence[Dataset]) -> bool:
    return any(_first(header, "ImageType").upper() == "DERIVED" for header in headers)


def _other_object(headers: Sequence[Dataset]) -> tuple[Code, str] | None:
    uid = headers[0].get("SOPClassUID")
    if uid not in _PET_CLASSES:
        return Code.NO_PET, f"no PET images but {getattr(uid, 'name', 'objects of an unknown class')}"
    return None


def _projection(headers: Sequence[Dataset]) -> tuple[Code, str] | None:
    header = headers[0]
    if "REPROJECTION" in _values(header, "SeriesType") or _values(header, "ImageType") & _PROJECTED:
        return Code.NO_PET, "a projection (MIP or localizer), not slices"
    if _MIP_WORDS.search(described(header, "SeriesDescription")):
        return Code.NO_PET, "its description names a projection (MIP, cine or localizer)"
    return None


def _no_geometry(headers: Sequence[Dataset]) -> tuple[Code, str] | None:
    extent = axial_extent(headers)
    if extent is None or not headers[0].get("FrameOfReferenceUID"):
        return Code.GEOMETRY_MISSING, "its images do not say where in the patient they lie"
    if not extent.axial:
        return Code.NO_PET, "its slices do not cut across the body (a coronal or sagittal reformat)"
    return None


def _mixed(headers: Sequence[Dataset]) -> tuple[Code, str] | None:
    for keyword in _ONE_FOR_ALL:
        if len({str(header.get(keyword)) for header in headers}) > 1:
            return Code.MIXED_SERIES, f"its images differ in {keyword}: several series under one UID"
    return None


def _dynamic(headers: Sequence[Dataset]) -> tuple[Code, str] | None:
    header = headers[0]
    kind = _first(header, "SeriesType").upper()
    if kind in ("DYNAMIC", "GATED"):
        return Code.PET_DYNAMIC, f"a {kind.lower()} series; only static and whole-body PET is measured"
    # Number of Time Slices says nothing where the series calls itself static: GE leaves other counts in it.
    for keyword, what in (("NumberOfTimeSlices", "time frames"), ("NumberOfTimeSlots", "gates")):
        if not kind and int(header.get(keyword) or 1) > 1:
            return Code.PET_DYNAMIC, f"a series of {header[keyword].value} {what}; only static PET is measured"
    extent = axial_extent(headers)
    if extent is not None and extent.images >= 2 * len(extent.positions_mm) > 2:
        return Code.PET_DYNAMIC, f"{extent.images} images at {len(extent.positions_mm)} positions: several time points"
    return None


def _uncorrected(headers: Sequence[Dataset]) -> tuple[Code, str] | None:
    header = headers[0]
    words = described(header, "SeriesDescription")
    if str(header.get("Units") or "") in _NAC_UNITS:
        return Code.PET_NOT_CORRECTED, f"not corrected for attenuation: its Units are {header.Units}"
    if found := _NAC_WORDS.search(words):
        return Code.PET_NOT_CORRECTED, f"not corrected for attenuation: its description says {found.group()!r}"
    if described(header, "AttenuationCorrectionMethod").strip() in ("none", "no", "off"):
        return Code.PET_NOT_CORRECTED, "not corrected for attenuation: its method of correction is none"
    if header.SOPClassUID in _ENHANCED:
        states = {k: str(header.get(k) or "") for k in ("AttenuationCorrected", "DecayCorrected")}
        missing = [keyword for keyword, state in states.items() if state != "YES"]
        if header.SOPClassUID == EnhancedPETImageStorage and missing:
            return Code.PET_NOT_CORRECTED, f"{' and '.join(missing)} is not YES"
        return None
    corrected = _values(header, "CorrectedImage")
    missing = [what for what in ("ATTN", "DECY") if what not in corrected]
    if missing:
        return Code.PET_NOT_CORRECTED, f"its Corrected Image (0028,0051) lacks {' and '.join(missing)}"
    return None


def _mapped_to_suv(header: Dataset) -> bool:
    """Whether a real-world value mapping of an enhanced PET gives SUVbw (PS3.3 C.7.6.16.2.11)."""
    groups = [
        *(header.get("SharedFunctionalGroupsSequence") or ()),
        *(header.get("PerFrameFunctionalGroupsSequence") or ()),
    ]
    maps = [item for group in groups for item in group.get("RealWorldValueMappingSequence") or ()]
    return any(
        code.get("CodeValue") in _SUV_UNITS for item in maps for code in item.get("MeasurementUnitsCodeSequence") or ()
    )


def _values_uncertain(headers: Sequence[Dataset], assume_bw: bool) -> tuple[Code, str] | None:
    header = headers[0]
    if header.SOPClassUID in _ENHANCED:
        if not _mapped_to_suv(header):
            return Code.PET_ENHANCED_UNMAPPED, "an enhanced PET without a real-world value mapping to SUV"
        return None
    units, suv_type = str(header.get("Units") or ""), str(header.get("SUVType") or "")
    if units not in _UNITS:
        return Code.SUV_UNITS_UNSUPPORTED, f"its Units {units or '(none)'} do not lead to SUV"
    certain = units == "GML" and (suv_type == "BW" or (not suv_type and assume_bw))
    if _is_derived(headers) and not certain:
        return Code.PET_DERIVED, "a derived series whose values are not certain (Units GML with SUV Type BW would be)"
    if units == "GML" and not suv_type and not assume_bw:
        return Code.SUV_TYPE_MISSING, "its Units are GML, but no SUV Type says which SUV (setting suv.assume_bw)"
    return None


def judge_pet(series: SeriesFiles, settings: Settings) -> PetCandidate | Fault:
    """Passes a PT series through the gates (science: 1.1, 1.5)."""
    headers = series.headers
    gates: tuple[Callable[[Sequence[Dataset]], tuple[Code, str] | None], ...] = (
        _other_object,
        _projection,
        _no_geometry,
        _mixed,
        _dynamic,
        lambda h: not_fdg(h[0]),
        _uncorrected,
        lambda h: _values_uncertain(h, settings.suv.assume_bw),
    )
    for number, gate in enumerate(gates):
        fault = gate(headers)
        if fault is not None:
            return Fault(number, *fault)
    extent = axial_extent(headers)
    assert extent is not None  # the third gate
    return PetCandidate(series, extent, completeness(headers), _is_derived(headers))


def rank_pets(candidates: Sequence[PetCandidate]) -> tuple[list[PetCandidate], int]:
    """Candidates, the one to use first, and how many of them cover as much as that one."""
    longest = max(c.extent.length_mm for c in candidates)

    def shorter(candidate: PetCandidate) -> float:
        lacking = longest - candidate.extent.length_mm
        return 0.0 if lacking <= candidate.extent.step_mm + 0.1 else lacking

    def order(c: PetCandidate) -> tuple[float, bool, bool, bool, float, int, str]:
        number = int(c.series.headers[0].get("SeriesNumber") or 0)
        incomplete = c.completeness.state == "incomplete"
        step = round(c.extent.step_mm, 2)
        return shorter(c), incomplete, c.derived, not c.harmonised, step, number, c.series.series_instance_uid

    ranked = sorted(candidates, key=order)
    return ranked, sum(shorter(c) == 0.0 for c in candidates)
