"""What each field of the clinical record may hold: one rule a field, for every source alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import get_args

from lymphoma.survival.indices import EXTRANODAL_SITES

from nodal.clinical.record import Timepoint, Value

__all__ = ["AGE_YEARS", "HEIGHT_M", "LDH_RATIO", "STATED_FIELDS", "WEIGHT_KG", "calendar_day", "checked"]

AGE_YEARS = (0.0, 130.0)
"""Nobody on record has lived longer than 122 years."""

WEIGHT_KG = (2.0, 500.0)
"""From a newborn to beyond what any scanner's table carries; grams and pounds of adults fall outside or stand out."""

HEIGHT_M = (0.3, 2.6)
"""From a newborn to the tallest adult; 3 and more is a length in centimetres."""

LDH_RATIO = (0.0, 100.0)
"""Over the upper limit of normal, 0 excluded; above 100 stands an LDH in U/L."""


def checked(field: str, value: object) -> Value:
    """The value as the record holds it: numbers as float or int of the field, sites sorted and each once.

    Args:
        field: of :data:`STATED_FIELDS`.

    Raises:
        ValueError: the field is not known, or cannot hold the value; the sentence names the rule, never the value.
    """
    rule = _RULES.get(field)
    if rule is None:
        raise ValueError(f"no field is called {field[:40]}; the fields are {', '.join(STATED_FIELDS)}")
    return rule(value)


def calendar_day(text: str) -> date:
    """The day of a DICOM DA, or of a DT that tells at least the day.

    Raises:
        ValueError: it is no such date.
    """
    if len(text) < 8 or not text[:8].isascii() or not text[:8].isdigit():
        raise ValueError("a date is YYYYMMDD")
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _number(limits: tuple[float, float], unit: str, *, above: bool = False) -> Callable[[object], Value]:
    low, high = limits

    def rule(value: object) -> Value:
        known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not known or not low <= value <= high or (above and value == low):  # type: ignore[operator]
            raise ValueError(f"it is no number {'above' if above else 'from'} {low:g} to {high:g} {unit}".rstrip())
        return float(value)  # type: ignore[arg-type]

    return rule


def _whole(low: int, high: int) -> Callable[[object], Value]:
    def rule(value: object) -> Value:
        if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(low, high + 1):
            raise ValueError(f"it is no whole number from {low} to {high}")
        return int(value)

    return rule


def _word(words: Iterable[str]) -> Callable[[object], Value]:
    known = tuple(words)

    def rule(value: object) -> Value:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"it is none of {', '.join(known)}")
        return value

    return rule


def _flag(value: object) -> Value:
    if not isinstance(value, bool):
        raise ValueError("it is neither true nor false")
    return value


def _sites(value: object) -> Value:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError("it is no list of extranodal sites")
    sites = set(value)
    if not sites <= EXTRANODAL_SITES:
        words = ", ".join(sorted(EXTRANODAL_SITES))
        raise ValueError(f"it names what is no extranodal site; the sites are {words}")
    return tuple(sorted(sites))


def _birth_date(value: object) -> Value:
    if not isinstance(value, str) or len(value) != 8:
        raise ValueError("it is no date YYYYMMDD")
    calendar_day(value)
    return value


_RULES: Mapping[str, Callable[[object], Value]] = {
    "age_years": _number(AGE_YEARS, "years"),
    "sex": _word(("M", "F")),
    "weight_kg": _number(WEIGHT_KG, "kg"),
    "height_m": _number(HEIGHT_M, "m"),
    "stage": _whole(1, 4),
    "ldh_ratio": _number(LDH_RATIO, "times the upper limit of normal", above=True),
    "ecog": _whole(0, 4),
    "extranodal_sites": _sites,
    "cell_of_origin": _word(("GCB", "non-GCB")),
    "bulky": _flag,
    "b_symptoms": _flag,
    "timepoint": _word(get_args(Timepoint)),
    "birth_date": _birth_date,
}

STATED_FIELDS: tuple[str, ...] = tuple(_RULES)
"""The fields of the record, and the birth date, from which the age follows."""
