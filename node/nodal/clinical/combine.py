"""One record out of the statements of all sources; where they differ, the one used and every other one are shown.

Within a source the latest word counts: a correction is no conflict. Between sources one order holds for every field:

    api     a person entered it for this patient, and can be asked
    file    a person wrote it down beside the study
    fhir    a system's present state, amended in place when it was wrong
    hl7     a system's message, whose correction may have been lost on the way
    dicom   typed at the scanner or taken from the worklist, often weeks old

A person goes before a system, since a person who differs from the record system has usually seen why; a system goes
before the header, since nobody looks after a header once the scan is made. The order decides only what is used: a
source that differs is listed, whatever its place.

Facts of a day (:data:`OF_THE_DAY`) are taken nearest to the scan. What may change with treatment
(:data:`OF_THE_BASELINE`) and is dated outside :data:`BEFORE_DAYS` and :data:`AFTER_DAYS` of it is not used, and said.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from pydicom.valuerep import DT

from nodal.clinical.record import FIELDS, ClinicalRecord, Conflict, Said, Source, Statement, Unusable, Value
from nodal.clinical.values import AGE_YEARS, calendar_day, checked

__all__ = [
    "AFTER_DAYS",
    "BEFORE_DAYS",
    "OF_THE_BASELINE",
    "OF_THE_DAY",
    "ORDER",
    "age_at",
    "differ",
    "instant_of",
    "record_of",
]

ORDER: tuple[Source, ...] = ("api", "file", "fhir", "hl7", "dicom")
"""Whose value is used where sources differ; the reasons stand above."""

_TOLERANCE: Mapping[str, float] = {
    "age_years": 1.0,  # whole years are one off on the other side of a birthday
    "weight_kg": 1.0,  # scales differ by that between a morning and an evening
    "height_m": 0.02,  # told from memory as often as measured
}
_SAME_LDH_SHARE = 0.01  # a ratio sent with two decimals is rounded by up to 1 % near one half
_SLACK = 1e-9  # of a comparison of numbers that were computed

OF_THE_DAY = frozenset(("ldh_ratio", "ecog", "weight_kg", "b_symptoms"))
"""Differ from day to day: of several dated ones that of the day nearest to the scan counts."""
OF_THE_BASELINE = OF_THE_DAY | {"stage", "extranodal_sites", "bulky"}
"""Mean the disease before treatment: of a relapse years later they say nothing of this scan."""

BEFORE_DAYS = 90
"""Three months: what is older was found of another state of the disease than the one scanned."""
AFTER_DAYS = 42
"""Six weeks: staging ends and treatment begins within that time of the scan."""

_NO_INSTANT = datetime.min.replace(tzinfo=UTC)
_Latest = Mapping[tuple[Source, str], Statement]


@dataclass(frozen=True)
class _Candidate:
    """A value for a field of the record, and the statement that it comes from."""

    value: Value
    statement: Statement

    @property
    def shown(self) -> Said:
        return Said(self.value, self.statement.source, self.statement.effective)


def record_of(
    statements: Iterable[Statement], unusable: Iterable[Unusable] = (), *, study_date: str | None
) -> ClinicalRecord:
    """The record that the statements make together, whatever their order.

    Args:
        unusable: what sources said and could not be used; a later usable word of the same source takes its place.
        study_date: DA of the scan; without it no age follows from a birth date, and no date is too far off.
    """
    scan = _day_of(study_date)
    sound, spoilt = _sound(statements)
    latest, out_of_time = _latest(sound, scan)
    shown = _still_unusable((*unusable, *spoilt), latest)
    fields: dict[str, tuple[_Candidate, ...]] = {}
    for field in FIELDS:
        found = _ages(latest, scan) if field == "age_years" else _values(latest, field)
        if found:
            fields[field] = (found[0], *_others(field, found))
    left_over = (*shown, *out_of_time, *_without_age(latest, scan))
    return _record(fields, tuple(sorted(left_over, key=_unusable_key)))


def age_at(birth_date: str, study_date: str) -> float:
    """Completed years by the calendar; who was born on 29 February is a year older on 1 March.

    Completed years are what the published indices mean by "older than 60".

    Raises:
        ValueError: a text is no DICOM DA.
    """
    born, scan = calendar_day(birth_date), calendar_day(study_date)
    return float(scan.year - born.year - ((scan.month, scan.day) < (born.month, born.day)))


def differ(field: str, one: Value, other: Value) -> bool:
    """Whether two values of a field contradict each other, beyond what rounding and scales explain."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        if field == "ldh_ratio":
            return abs(one - other) > _SAME_LDH_SHARE * max(abs(one), abs(other)) + _SLACK
        if field in _TOLERANCE:
            return abs(one - other) > _TOLERANCE[field] + _SLACK
    if isinstance(one, tuple) and isinstance(other, tuple):
        return set(one) != set(other)
    return one != other


def instant_of(text: str) -> datetime:
    """A DICOM DT as an instant that can be compared; without a zone it is taken as UTC, unreadable as long ago."""
    try:
        known = DT(text)
    except (ValueError, OverflowError):
        return _NO_INSTANT
    if known is None:
        return _NO_INSTANT
    return datetime.combine(known.date(), known.time(), known.tzinfo or UTC)


def _day_of(text: str | None) -> date | None:
    try:
        return calendar_day(text) if text else None
    except ValueError:
        return None


def _sound(statements: Iterable[Statement]) -> tuple[list[Statement], list[Unusable]]:
    """The statements with checked values, and those whose field cannot hold what they say."""
    sound, spoilt = [], []
    for one in statements:
        try:
            sound.append(replace(one, value=checked(one.field, one.value)))
        except ValueError as error:
            spoilt.append(Unusable(one.field, one.source, one.entered_at, one.said or _text(one.value), str(error)))
    return sound, spoilt


def _latest(statements: Iterable[Statement], scan: date | None) -> tuple[_Latest, list[Unusable]]:
    """The statement of each source on each field that counts, and one word for each that has none in time."""
    groups: dict[tuple[Source, str], list[Statement]] = defaultdict(list)
    for one in statements:
        groups[one.source, one.field].append(one)
    latest: dict[tuple[Source, str], Statement] = {}
    out_of_time = []
    for key, group in groups.items():
        in_time = [one for one in group if _in_time(one, scan)]
        if in_time:
            latest[key] = max(in_time, key=lambda one: _rank(one, scan))
        elif key[1] != "timepoint":  # the time point of another scan says nothing of this one
            nearest = max(group, key=lambda one: _rank(one, scan, of_the_day=True))
            reason = (
                f"it is dated {nearest.effective}, more than {BEFORE_DAYS} days before or {AFTER_DAYS} after the scan"
            )
            said = nearest.said or _text(nearest.value)
            out_of_time.append(Unusable(nearest.field, nearest.source, nearest.entered_at, said, reason))
    return latest, out_of_time


def _in_time(one: Statement, scan: date | None) -> bool:
    day = _day_of(one.effective)
    if scan is None or day is None:
        return True
    if one.field == "timepoint":  # dated, it is that of the scan of this day
        return day == scan
    return one.field not in OF_THE_BASELINE or -BEFORE_DAYS <= (day - scan).days <= AFTER_DAYS


def _rank(one: Statement, scan: date | None, *, of_the_day: bool = False) -> tuple[Any, ...]:
    """Orders the statements of one source on one field; the greatest counts."""
    day, off = _day_of(one.effective), 0
    if scan is not None and day is not None and (of_the_day or one.field in OF_THE_DAY):
        off = abs((day - scan).days)  # undated means of the baseline, as a form asks for it
    own_scan = one.field == "timepoint" and scan is not None and day == scan
    text = (one.effective or "", _text(one.value), one.said or "", one.by or "")
    return (own_scan, -off, instant_of(one.entered_at), *text)


def _values(latest: _Latest, field: str) -> list[_Candidate]:
    """What each source says of a field, the one to use first."""
    found = (latest.get((source, field)) for source in ORDER)
    return [_Candidate(one.value, one) for one in found if one is not None]


def _ages(latest: _Latest, scan: date | None) -> list[_Candidate]:
    """As :func:`_values`; of one source the age by its birth date comes before the age it states."""
    found = []
    for source in ORDER:
        born = latest.get((source, "birth_date"))
        age = _age(born, scan)
        if born is not None and age is not None and AGE_YEARS[0] <= age <= AGE_YEARS[1]:
            said = replace(born, effective=None, said="by the date of birth")
            found.append(_Candidate(age, said))
        stated = latest.get((source, "age_years"))
        if stated is not None:
            found.append(_Candidate(stated.value, stated))
    return found


def _age(born: Statement | None, scan: date | None) -> float | None:
    return None if born is None or scan is None else age_at(str(born.value), f"{scan:%Y%m%d}")


def _without_age(latest: _Latest, scan: date | None) -> list[Unusable]:
    found = []
    for (source, field), one in latest.items():
        age = _age(one, scan) if field == "birth_date" else 0.0
        if age is None:
            reason = "the date of the scan is not known, so that no age follows"
        elif not AGE_YEARS[0] <= age <= AGE_YEARS[1]:
            reason = "no patient of that date of birth can have been scanned on that day"
        else:
            continue
        found.append(Unusable(field, source, one.entered_at, one.said or "a date of birth", reason))
    return found


def _others(field: str, found: list[_Candidate]) -> list[_Candidate]:
    """The candidates that contradict the one used; of a source that says the same twice, the first."""
    others: list[_Candidate] = []
    for one in found[1:]:
        known = (o for o in others if o.statement.source == one.statement.source)
        if differ(field, found[0].value, one.value) and all(differ(field, o.value, one.value) for o in known):
            others.append(one)
    return others


def _still_unusable(unusable: Iterable[Unusable], latest: _Latest) -> list[Unusable]:
    """Without what the same source has since said better, and each word once, with its latest instant."""
    kept: dict[tuple[str, str, str, str], Unusable] = {}
    for one in unusable:
        better = latest.get((one.source, one.field))
        if better is not None and instant_of(better.entered_at) > instant_of(one.entered_at):
            continue
        key = (one.field, one.source, one.said, one.reason)
        known = kept.get(key)
        if known is None or _unusable_key(known) < _unusable_key(one):
            kept[key] = one
    return list(kept.values())


def _unusable_key(one: Unusable) -> tuple[Any, ...]:
    return (one.field, one.source, instant_of(one.entered_at), one.entered_at, one.said, one.reason)


def _record(fields: Mapping[str, tuple[_Candidate, ...]], unusable: tuple[Unusable, ...]) -> ClinicalRecord:
    used = {field: found[0] for field, found in fields.items()}
    told = [(one.statement.source, one.statement.entered_at) for found in fields.values() for one in found]
    told += [(one.source, one.entered_at) for one in unusable]
    entered = [entered_at for source, entered_at in told if source != "dicom"]
    values: dict[str, Any] = {field: one.value for field, one in used.items()}
    return ClinicalRecord(
        **values,
        entered_at=max(entered, key=lambda text: (instant_of(text), text), default=None),
        sources={field: one.statement.source for field, one in used.items()},
        dates={field: one.statement.effective for field, one in used.items() if one.statement.effective},
        said={field: one.statement.said for field, one in used.items() if one.statement.said},
        conflicts=tuple(
            Conflict(field, found[0].shown, tuple(one.shown for one in found[1:]))
            for field, found in fields.items()
            if len(found) > 1
        ),
        unusable=unusable,
    )


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
