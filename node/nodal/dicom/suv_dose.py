"""The injected activity and the uptake time, as the header tells them (PS3.3 C.8.9.2, PET Isotope)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom import Dataset

from nodal.dicom.suv_body import read_body
from nodal.dicom.suv_time import (
    Instant,
    average_activity_s,
    frame_duration_s,
    injection_instant,
    instants_of_acquisition,
    reference_instant,
)
from nodal.dicom.values import number
from nodal.errors import Code, Refused

__all__ = ["Dose", "Uptake", "read_dose", "undecayed_factors", "uptake_of"]

_DOSE_BQ = (37e6, 1110e6)
_F18_HALF_LIFE_S = (6500.0, 6700.0)
_UPTAKE_MIN = (30.0, 180.0)
_UPTAKE_USUAL_MIN = (45.0, 90.0)


@dataclass(frozen=True)
class Dose:
    """The one tracer of a series: activity at injection in Bq, half-life in s where given, and its sequence item."""

    bq: float
    half_life_s: float | None
    item: Dataset

    def half_life(self) -> float:
        """Half-life in s. Refused: SUV_MISSING_HALF_LIFE."""
        return half_life_of(self.item)


@dataclass(frozen=True)
class Uptake:
    """From injection to the scan: what could be read, and a warning for what could not.

    Attributes:
        reference: the scan's reference instant. source: which attributes it came from. seconds: since injection.
    """

    reference: datetime | None = None
    source: str = ""
    seconds: float | None = None
    mbq_per_kg: float | None = None
    warnings: tuple[str, ...] = ()


def tracer_of(header: Dataset) -> Dataset:
    """The one Radiopharmaceutical Information item. Refused: SUV_MISSING_DOSE, SUV_SEVERAL_TRACERS."""
    items = header.get("RadiopharmaceuticalInformationSequence", None) or []
    if not items:
        raise Refused(Code.SUV_MISSING_DOSE, "The Radiopharmaceutical Information Sequence (0054,0016) is missing.")
    if len(items) > 1:
        raise Refused(Code.SUV_SEVERAL_TRACERS, f"The header names {len(items)} radiopharmaceuticals; one is expected.")
    return items[0]


def half_life_of(item: Dataset) -> float:
    """Radionuclide Half Life (0018,1075) in s, as given: never replaced. Refused: SUV_MISSING_HALF_LIFE."""
    value = _positive(item, "RadionuclideHalfLife")
    if value is None:
        raise Refused(Code.SUV_MISSING_HALF_LIFE, "Radionuclide Half Life (0018,1075) is missing or not above zero.")
    return value


def read_dose(header: Dataset) -> Dose:
    """The injected activity. Refused: SUV_MISSING_DOSE, SUV_SEVERAL_TRACERS, SUV_IMPLAUSIBLE_DOSE (37-1110 MBq)."""
    item = tracer_of(header)
    bq = _positive(item, "RadionuclideTotalDose")
    if bq is None:
        raise Refused(Code.SUV_MISSING_DOSE, "Radionuclide Total Dose (0018,1074) is missing or not above zero.")
    if not _DOSE_BQ[0] <= bq <= _DOSE_BQ[1]:
        hint = "; it looks like MBq" if bq < 1e4 else ""
        raise Refused(
            Code.SUV_IMPLAUSIBLE_DOSE,
            f"Radionuclide Total Dose is {bq:g}, in Bq; 37 to 1110 MBq is plausible{hint}.",
        )
    return Dose(bq, _positive(item, "RadionuclideHalfLife"), item)


def uptake_of(headers: Sequence[Dataset], *, strict: bool = False, reference: datetime | None = None) -> Uptake:
    """The uptake time of a series.

    Args:
        strict: the factor needs it, so what is missing or implausible is refused. Otherwise it only goes into the
            report, and a fault leaves it None with a warning that begins with the fault's code.
        reference: the scan's reference instant where the caller knows it.
    """
    first = headers[0]
    try:
        item = tracer_of(first)
        half_life = half_life_of(item)
        scan = Instant(reference, "") if reference else reference_instant(headers, half_life)
        injected = injection_instant(first, item, scan.when, half_life)
        seconds = (scan.when - injected.when).total_seconds()
        warnings = (*scan.warnings, *injected.warnings, *_check_uptake(seconds, half_life))
        found = Uptake(scan.when, scan.source, seconds, None, warnings)
    except Refused as refusal:
        if strict:
            raise
        found = Uptake(reference or _scan_instant(headers), warnings=(f"{refusal.code}: {refusal.message}",))
    activity, notes = _activity_per_weight(first)
    return Uptake(found.reference, found.source, found.seconds, activity, (*found.warnings, *notes))


def undecayed_factors(headers: Sequence[Dataset], dose: Dose) -> tuple[Uptake, tuple[float, ...]]:
    """Decay Correction NONE: for each slice exp(lambda (t_acq - t_inj + t_avg)), which corrects it to the injection.

    Refused: SUV_NO_REFERENCE_TIME where a slice has no acquisition instant or frame duration; the codes of
    :func:`uptake_of`.
    """
    acquired = instants_of_acquisition(headers)
    durations = [frame_duration_s(header) for header in headers]
    known = [when for when in acquired if when is not None]
    lengths = [length for length in durations if length is not None]
    if len(known) < len(headers) or len(lengths) < len(headers):
        raise Refused(
            Code.SUV_NO_REFERENCE_TIME,
            "A slice lacks its acquisition instant or frame duration; it cannot be corrected.",
        )
    uptake = uptake_of(headers, strict=True, reference=min(known))
    if uptake.reference is None or uptake.seconds is None:  # strict leaves no gap; said for the type checker
        raise Refused(Code.SUV_NO_REFERENCE_TIME, "The uptake time is unknown.")
    half_life = dose.half_life()
    injected = uptake.reference - timedelta(seconds=uptake.seconds)
    elapsed = [
        (when - injected).total_seconds() + average_activity_s(length, half_life)
        for when, length in zip(known, lengths, strict=True)
    ]
    return uptake, tuple(math.exp(math.log(2) / half_life * seconds) for seconds in elapsed)


def _check_uptake(seconds: float, half_life_s: float) -> tuple[str, ...]:
    """F-18: refused outside 30-180 min, warned outside 45-90. Another nuclide: only not before the injection."""
    minutes = seconds / 60.0
    if seconds <= 0:
        raise Refused(Code.SUV_UPTAKE_IMPLAUSIBLE, f"The injection lies {-minutes:.1f} min after the scan's start.")
    if not _F18_HALF_LIFE_S[0] <= half_life_s <= _F18_HALF_LIFE_S[1]:
        return ()
    if not _UPTAKE_MIN[0] <= minutes <= _UPTAKE_MIN[1]:
        raise Refused(
            Code.SUV_UPTAKE_IMPLAUSIBLE, f"The uptake time is {minutes:.1f} min; 30 to 180 min is plausible for F-18."
        )
    if not _UPTAKE_USUAL_MIN[0] <= minutes <= _UPTAKE_USUAL_MIN[1]:
        return (f"UPTAKE_UNUSUAL: the uptake time is {minutes:.1f} min; 45 to 90 min is usual.",)
    return ()


def _activity_per_weight(header: Dataset) -> tuple[float | None, tuple[str, ...]]:
    try:
        return read_dose(header).bq / 1e6 / read_body(header).weight(), ()
    except Refused as refusal:
        return None, (f"{refusal.code}: {refusal.message}",)


def _scan_instant(headers: Sequence[Dataset]) -> datetime | None:
    try:
        return reference_instant(headers, None).when
    except Refused:
        return None


def _positive(item: Dataset, keyword: str) -> float | None:
    value = number(item, keyword)
    return value if value is not None and value > 0 else None
