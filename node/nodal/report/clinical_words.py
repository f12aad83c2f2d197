"""The clinical record in words: fields, values, sources, conflicts and suggestions, the same in SR and PDF."""

from __future__ import annotations

from collections.abc import Mapping

from nodal.clinical.record import Conflict, Said, Source, Unusable, Value
from nodal.outlook import Suggestion

__all__ = [
    "FIELD_NAMES",
    "SOURCE_NAMES",
    "conflict_words",
    "factors",
    "field_name",
    "suggestion_words",
    "unusable_words",
    "value_words",
]

FIELD_NAMES: Mapping[str, str] = {
    "age_years": "age",
    "sex": "sex",
    "weight_kg": "weight",
    "height_m": "height",
    "stage": "Ann Arbor stage",
    "ldh_ratio": "LDH",
    "ecog": "ECOG performance status",
    "extranodal_sites": "extranodal sites",
    "cell_of_origin": "cell of origin",
    "bulky": "bulky disease",
    "b_symptoms": "B symptoms",
    "timepoint": "time of the scan",
    "birth_date": "date of birth",
}
"""By the record's fields; small letters, for the middle of a sentence."""

SOURCE_NAMES: Mapping[Source, str] = {
    "dicom": "image header",
    "fhir": "FHIR server",
    "hl7": "HL7 message",
    "api": "entered by hand",
    "file": "file with the study",
}

_STAGES = ("I", "II", "III", "IV")
_SEXES = {"M": "male", "F": "female"}
_FORMATS: Mapping[str, str] = {
    "age_years": "{:.0f} years",
    "weight_kg": "{:g} kg",
    "height_m": "{:.2f} m",
    "ldh_ratio": "{:.2f} times the upper limit of normal",
    "ecog": "{:.0f}",
}
_DATE_DIGITS = 8


def field_name(field: str) -> str:
    """The name of a field for readers; one that is not listed stays as it is, without underscores."""
    return FIELD_NAMES.get(field, field.replace("_", " "))


def factors(fields: tuple[str, ...]) -> tuple[str, ...]:
    """The names of several fields."""
    return tuple(field_name(field) for field in fields)


def value_words(field: str, value: Value) -> str:
    """A value with its unit: "66 years", "IV", "bone marrow, liver", "yes"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(name.replace("_", " ") for name in value) or "none"
    if isinstance(value, str):
        return _SEXES.get(value, value.replace("_", " ")) if field != "stage" else value
    if field == "stage":
        return _STAGES[int(value) - 1]
    return _FORMATS.get(field, "{:g}").format(value)


def _date(text: str) -> str:
    """The day of a DICOM DA or DT as ISO 8601."""
    return (
        f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text[:_DATE_DIGITS].isdigit() and len(text) >= _DATE_DIGITS else text
    )


def _said(field: str, said: Said) -> str:
    day = f", {_date(said.date)}" if said.date else ""
    return f"{value_words(field, said.value)} ({SOURCE_NAMES[said.source]}{day})"


def conflict_words(conflict: Conflict) -> str:
    """A conflict between sources: "Age: 66 years (image header) used; 56 years (FHIR server) also given"."""
    name = field_name(conflict.field)
    others = ", ".join(_said(conflict.field, other) for other in conflict.others)
    return f"{name[:1].upper()}{name[1:]}: {_said(conflict.field, conflict.used)} used; {others} also given"


def unusable_words(unusable: Unusable) -> str:
    """What a source said and why it was not used."""
    name = field_name(unusable.field)
    return (
        f'{name[:1].upper()}{name[1:]}: "{unusable.said}" ({SOURCE_NAMES[unusable.source]}) not used: {unusable.reason}'
    )


def suggestion_words(suggestion: Suggestion) -> str:
    """A suggestion in sentences: "Suggested Ann Arbor stage, to be confirmed: IV.", then why, then the doubts."""
    value = value_words(suggestion.field, suggestion.value)
    sentences = (
        f"Suggested {field_name(suggestion.field)}, to be confirmed: {value}",
        suggestion.why,
        *suggestion.doubts,
    )
    return " ".join(_closed(one.strip()) for one in sentences if one.strip())


def _closed(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."
