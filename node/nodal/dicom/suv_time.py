"""The two instants of an SUV: when the tracer was injected, and to which instant the voxels are decay-corrected.

Instants are naive datetimes of the scanner's clock. An offset in a DT value, or Timezone Offset From UTC
(0008,0201), is used to bring both to one clock (PS3.5 6.2, PS3.3 C.12.1.1.8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from pydicom import Dataset
from pydicom.valuerep import DA, DT, TM

from nodal.dicom.values import number, text
from nodal.errors import Code, Refused

__all__ = [
    "Instant",
    "average_activity_s",
    "frame_duration_s",
    "injection_instant",
    "instant_of",
    "instants_of_acquisition",
    "reference_instant",
]

GE_CREATOR = "GEMS_PETD_01"
_AGREE_S = 60.0  # two sources of the same instant; one minute is 0.6 % of F-18
_FRAMES_AGREE_S = 1.0
_ROUNDING_S = 1.0  # one of two times may be written in whole seconds
_DAY = timedelta(days=1)
_SAME_CALENDAR = timedelta(hours=12)  # a scan across midnight, never a shifted date
_CLOCK_ONLY_MAX = timedelta(hours=4)


@dataclass(frozen=True)
class Instant:
    """An instant, and what had to be said about how it was found."""

    when: datetime
    source: str
    warnings: tuple[str, ...] = ()


def average_activity_s(duration_s: float, half_life_s: float) -> float:
    """Time from a frame's start to the instant at which its activity equals the frame's mean.

    t_avg = (1/lambda) ln[x / (1 - exp(-x))] with x = lambda T; QIBA FDG-PET profile, post-processed series.
    """
    decay = math.log(2) / half_life_s
    x = decay * duration_s
    return 0.0 if x < 1e-9 else math.log(x / -math.expm1(-x)) / decay


def instants_of_acquisition(headers: Sequence[Dataset]) -> tuple[datetime | None, ...]:
    """Acquisition start of every slice: Acquisition DateTime, else Acquisition Date and Time."""
    return tuple(_acquisition(header) for header in headers)


def instant_of(header: Dataset, keyword: str) -> datetime | None:
    """A DT attribute on the clock of the data set's own dates and times, or None."""
    return _parsed_dt(header.get(keyword, None), header)


def _acquisition(header: Dataset) -> datetime | None:
    return instant_of(header, "AcquisitionDateTime") or _joined(header, "AcquisitionDate", "AcquisitionTime")


def frame_duration_s(header: Dataset) -> float | None:
    """Actual Frame Duration (0018,1242) in s, or None."""
    value = number(header, "ActualFrameDuration")
    return None if value is None or value <= 0 else value / 1000.0


def reference_instant(headers: Sequence[Dataset], half_life_s: float | None) -> Instant:
    """The instant to which voxels with Decay Correction START are corrected.

    In this order: the scan time in GE's private block (0009,xx0D of GEMS_PETD_01); Series Date and Time when it is
    not after the first acquisition of any slice; else each frame's acquisition start, less Frame Reference Time,
    plus the frame's average-activity time (GE: without), when all frames agree within 1 s. A second and a third
    source that can be read are compared with the first: where they differ by more than a minute and no third
    source decides, the header is refused.

    Raises:
        Refused: SUV_NO_REFERENCE_TIME, SUV_TIME_CONFLICT.
    """
    acquisitions = instants_of_acquisition(headers)
    known = [when for when in acquisitions if when is not None]
    first = min(known) if len(known) == len(headers) else None
    series = _joined(headers[0], "SeriesDate", "SeriesTime")
    begun = series if series and first and (series - first).total_seconds() <= _ROUNDING_S else None
    computed = _computed(headers, acquisitions, half_life_s)
    private, private_warnings = _ge_private(headers[0], series, first, computed)
    if private is not None:
        warnings = list(private_warnings)
        others = [other for other in (begun, computed) if other is not None]
        if others and all(not _agree(private, other) for other in others):
            warnings.append(
                "GE_TIME_DIFFERS: GE's private scan time differs by more than a minute from the public times."
            )
        return Instant(private, "GE private scan time", tuple(warnings))
    if begun is not None:
        if computed is None or _agree(begun, computed):
            return Instant(begun, "Series Date and Time", private_warnings)
        return _decided(headers[0], begun, computed, private_warnings)
    if computed is not None:
        source = "acquisition start less Frame Reference Time"
        note = "SERIES_TIME_LATE: Series Time is after the first acquisition; the frames' own times were used."
        return Instant(computed, source, (*private_warnings, note) if series else private_warnings)
    raise Refused(
        Code.SUV_NO_REFERENCE_TIME,
        "Neither Series Time nor the frames' own times say to which instant the voxels are decay-corrected.",
    )


def _decided(header: Dataset, begun: datetime, computed: datetime, warnings: tuple[str, ...]) -> Instant:
    """Series Time and the frames' times disagree; GE's value, even without its creator, may bear out one."""
    witness = _parsed_dt(_ge_value(header, trusted=False), header)
    if witness is not None:
        for when, source in (
            (begun, "Series Date and Time"),
            (computed, "acquisition start less Frame Reference Time"),
        ):
            if _agree(when, witness):
                note = f"REFERENCE_TIME_DECIDED: the public times disagree; GE's (0009,100D) bears out {source}."
                return Instant(when, source, (*warnings, note))
    apart = abs((computed - begun).total_seconds())
    raise Refused(
        Code.SUV_TIME_CONFLICT,
        f"Series Time and the frames' own times put the decay reference {apart:.0f} s apart; one minute is allowed.",
    )


def _computed(
    headers: Sequence[Dataset], acquisitions: Sequence[datetime | None], half_life_s: float | None
) -> datetime | None:
    """Back-computed from every frame; None where a frame lacks a value or the frames disagree by over 1 s."""
    manufacturer = text(headers[0], "Manufacturer").upper()
    from_start = manufacturer.startswith("GE ") or manufacturer == "GE"
    found = []
    for header, acquired in zip(headers, acquisitions, strict=True):
        offset = number(header, "FrameReferenceTime")
        duration = frame_duration_s(header)
        if acquired is None or offset is None:
            return None
        if from_start:
            average = 0.0
        elif duration is None or half_life_s is None:
            return None
        else:
            average = average_activity_s(duration, half_life_s)
        found.append(acquired + timedelta(seconds=average - offset / 1000.0))
    if (max(found) - min(found)).total_seconds() > _FRAMES_AGREE_S:
        return None
    return min(found)


def _ge_private(
    header: Dataset, series: datetime | None, first: datetime | None, computed: datetime | None
) -> tuple[datetime | None, tuple[str, ...]]:
    """GE's scan time, brought to the calendar of the public dates, or None with the reason as a warning."""
    value = _parsed_dt(_ge_value(header, trusted=True), header)
    if value is None:
        return None, ()
    anchor = first or series
    if anchor is None:
        return None, ("GE_TIME_LEFT_ASIDE: GE's private scan time has no public date to stand beside.",)
    if abs(value - anchor) <= _SAME_CALENDAR:
        if first is None or (value - first).total_seconds() <= _AGREE_S:
            return value, ()
        return None, ("GE_TIME_LEFT_ASIDE: GE's private scan time lies after the first acquisition.",)
    moved = _on_day_nearest(value.time(), anchor)
    if any(other is not None and _agree(moved, other) for other in (first, series, computed)):
        return moved, (
            "GE_TIME_OTHER_CALENDAR: GE's private scan date was shifted differently from the public dates; only its "
            "time of day was used.",
        )
    return None, ("GE_TIME_LEFT_ASIDE: GE's private scan time fits neither the public dates nor their times of day.",)


def _ge_value(header: Dataset, *, trusted: bool) -> object:
    """(0009,xx0D) of the block that GEMS_PETD_01 reserves; untrusted: (0009,100D) though no creator names it."""
    try:
        return header.private_block(0x0009, GE_CREATOR)[0x0D].value
    except KeyError:
        pass
    if trusted or (0x0009, 0x0010) in header or (0x0009, 0x100D) not in header:
        return None
    return header[0x0009, 0x100D].value


def injection_instant(header: Dataset, item: Dataset, reference: datetime, half_life_s: float) -> Instant:
    """When the tracer was injected.

    Radiopharmaceutical Start DateTime, trusted when it lies between 1 h after and two half-lives before the
    reference. Else Radiopharmaceutical Start Time on the reference's date, or the day before when that would be
    after the reference (midnight), at most 4 h before it. A DateTime on an implausible date whose clock time
    agrees with the Start Time is read by its clock time.

    Raises:
        Refused: SUV_MISSING_INJECTION_TIME; SUV_TIME_CONFLICT, the two clock times differ by more than a minute,
            or a DateTime on an implausible date stands alone; SUV_UPTAKE_IMPLAUSIBLE, more than 4 h by the clock.
    """
    full = _parsed_dt(item.get("RadiopharmaceuticalStartDateTime", None), header)
    clock = _parsed_tm(item.get("RadiopharmaceuticalStartTime", None))
    if full is not None and clock is not None and not _agree(full, _on_day_nearest(clock, full)):
        raise Refused(
            Code.SUV_TIME_CONFLICT, "The injection's DateTime and Time differ by more than a minute on the clock."
        )
    uptake_s = (reference - full).total_seconds() if full is not None else math.nan
    if full is not None and -3600.0 <= uptake_s < 2.0 * half_life_s:
        return Instant(full, "Radiopharmaceutical Start DateTime")
    if clock is None:
        if full is None:
            raise Refused(Code.SUV_MISSING_INJECTION_TIME, "The injection time (0018,1078) or (0018,1072) is missing.")
        raise Refused(
            Code.SUV_TIME_CONFLICT,
            f"The injection's DateTime lies {uptake_s / 3600:.1f} h before the scan; no Start Time stands beside it.",
        )
    when = _before(reference, clock)
    if reference - when > _CLOCK_ONLY_MAX:
        raise Refused(
            Code.SUV_UPTAKE_IMPLAUSIBLE,
            f"By the clock the injection was {(reference - when).total_seconds() / 3600:.1f} h before the scan; "
            "without a date at most 4 h can be believed.",
        )
    if full is None:
        return Instant(when, "Radiopharmaceutical Start Time")
    note = "INJECTION_DATE_LEFT_ASIDE: the injection's date does not fit the scan; its time of day was used."
    return Instant(when, "Radiopharmaceutical Start Time", (note,))


def _before(reference: datetime, clock: time) -> datetime:
    """The last instant with this clock time that is not after ``reference``."""
    when = datetime.combine(reference.date(), clock)
    return when - _DAY if when > reference else when


def _agree(one: datetime, other: datetime) -> bool:
    return abs((one - other).total_seconds()) <= _AGREE_S


def _on_day_nearest(clock: time, anchor: datetime) -> datetime:
    """The instant with this clock time that lies nearest to ``anchor``."""
    same_day = datetime.combine(anchor.date(), clock)
    return min((same_day - _DAY, same_day, same_day + _DAY), key=lambda when: abs(when - anchor))


def _joined(header: Dataset, date_keyword: str, time_keyword: str) -> datetime | None:
    day, clock = _parsed_da(header.get(date_keyword, None)), _parsed_tm(header.get(time_keyword, None))
    return datetime.combine(day, clock) if day is not None and clock is not None else None


def _parsed_da(value: object) -> date | None:
    parsed = _parse(DA, value)
    return date(parsed.year, parsed.month, parsed.day) if isinstance(parsed, date) else None


def _parsed_tm(value: object) -> time | None:
    parsed = _parse(TM, value)
    return time(parsed.hour, parsed.minute, parsed.second, parsed.microsecond) if isinstance(parsed, time) else None


def _parsed_dt(value: object, header: Dataset) -> datetime | None:
    """A DT on the clock of the data set's own DA and TM values. A DT without a time of day is no instant."""
    written = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
    written = written.strip("\x00 ")
    if len(written.split("+")[0].split("-")[0].split(".")[0]) < 12:
        return None
    parsed = _parse(DT, written)
    if not isinstance(parsed, datetime):
        return None
    zone = parsed.tzinfo and _zone(header)
    if zone is not None:
        parsed = parsed.astimezone(zone)
    return datetime(*parsed.timetuple()[:6], microsecond=parsed.microsecond)


def _zone(header: Dataset) -> timezone | None:
    written = text(header, "TimezoneOffsetFromUTC")
    if len(written) != 5 or written[0] not in "+-" or not written[1:].isdigit():
        return None
    offset = timedelta(hours=int(written[1:3]), minutes=int(written[3:]))
    return UTC if not offset else timezone(offset if written[0] == "+" else -offset)


def _parse(kind: type[DA] | type[TM] | type[DT], value: object) -> object:
    if value is None or not str(value).strip():
        return None
    try:
        return kind(str(value).strip())
    except ValueError:
        return None
