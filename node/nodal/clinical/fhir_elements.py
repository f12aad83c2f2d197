"""Elements of FHIR's JSON as plain values: what is absent or of another shape is empty, never an exception."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from nodal.clinical import fhir_codes as codes
from nodal.clinical.observed import Coding, Concept, Quantity, Raw

__all__ = [
    "Json",
    "code_of",
    "concept_in",
    "concepts_in",
    "dicom_time",
    "effective_of",
    "elements",
    "quantities_in",
    "text_of",
    "values_of",
]

Json = Mapping[str, object]

_TIME = r"T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)"
_DATE_TIME = re.compile(rf"(\d{{4}})(?:-(\d\d)(?:-(\d\d)(?:{_TIME})?)?)?")
_UCUM = "http://unitsofmeasure.org"


def elements(resource: Json, name: str) -> tuple[Json, ...]:
    """The objects of an element, whether it repeats or not; what is no object is left out."""
    value = resource.get(name)
    several = value if isinstance(value, list) else [value]
    return tuple(one for one in several if isinstance(one, Mapping))


def text_of(resource: Json, name: str) -> str:
    """The text of an element, empty where there is none."""
    value = resource.get(name)
    return value.strip() if isinstance(value, str) else ""


def code_of(resource: Json) -> Concept:
    """Its ``code``."""
    return concept_in(resource, "code")


def concept_in(resource: Json, name: str) -> Concept:
    """The first CodeableConcept of an element; without codes and words where there is none."""
    return next(iter(concepts_in(resource, name)), Concept())


def concepts_in(resource: Json, name: str) -> tuple[Concept, ...]:
    """Every CodeableConcept of an element."""
    return tuple(
        Concept(
            tuple(
                Coding(codes.system_of(text_of(coding, "system")), text_of(coding, "code"), text_of(coding, "display"))
                for coding in elements(concept, "coding")
            ),
            text_of(concept, "text"),
        )
        for concept in elements(resource, name)
    )


def values_of(part: Json) -> tuple[Raw, ...]:
    """The value[x] of an Observation or component, of the types that a field can have."""
    plain = (part.get(name) for name in ("valueString", "valueBoolean", "valueInteger"))
    return (
        *quantities_in(part, "valueQuantity"),
        *concepts_in(part, "valueCodeableConcept"),
        *(value for value in plain if isinstance(value, str | bool | int)),
    )


def quantities_in(resource: Json, name: str) -> tuple[Quantity, ...]:
    """The Quantities of an element that have a finite value; a UCUM code goes before the unit in words."""
    found = []
    for one in elements(resource, name):
        value = _finite(one.get("value"))
        if value is not None:
            code = text_of(one, "code") if text_of(one, "system") == _UCUM else ""
            found.append(Quantity(value, code or text_of(one, "unit"), text_of(one, "comparator")))
    return tuple(found)


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def effective_of(observation: Json) -> str | None:
    """When it was so of the patient, as DICOM DA or DT; the start of a period."""
    moment = text_of(observation, "effectiveDateTime") or text_of(observation, "effectiveInstant")
    periods = elements(observation, "effectivePeriod")
    return dicom_time(moment or next((text_of(period, "start") for period in periods), ""))


def dicom_time(text: str) -> str | None:
    """DICOM DA or DT of a FHIR date, dateTime or instant; a year or month alone stays that short."""
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = (part or "" for part in found.groups())
    offset = "+0000" if zone == "Z" else zone.replace(":", "")
    return f"{year}{month}{day}{hour}{minute}{second}{'.' if fraction else ''}{fraction}{offset}"
