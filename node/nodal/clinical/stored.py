"""Statements as JSON: in the registry, and frozen into a job's folder. What earlier versions left is still read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter

from nodal.clinical.record import FIELDS, ClinicalRecord, Source, Statement
from nodal.clinical.statements import PatientStatements

__all__ = ["from_plain", "statements_of_record", "to_plain"]

_STATED: TypeAdapter[PatientStatements] = TypeAdapter(PatientStatements)
_EARLIER: TypeAdapter[ClinicalRecord] = TypeAdapter(ClinicalRecord)
_LONG_AGO = "19000101"  # the entry of a record that does not tell its own


def to_plain(patient: PatientStatements) -> dict[str, Any]:
    """Plain JSON values that :func:`from_plain` reads."""
    return asdict(patient)


def from_plain(patient_key: str, plain: Mapping[str, Any] | None) -> PatientStatements:
    """The statements; also those of a whole record, as it was stored before there were statements.

    Raises:
        pydantic.ValidationError: it is neither.
    """
    if plain is None:
        return PatientStatements(patient_key)
    if "statements" in plain:
        return _STATED.validate_python({**plain, "patient_key": patient_key})
    names = {one.name for one in fields(ClinicalRecord)}
    record = _EARLIER.validate_python({name: value for name, value in plain.items() if name in names})
    return PatientStatements(patient_key, statements_of_record(record, "api"), record.unusable)


def statements_of_record(record: ClinicalRecord, source: Source) -> tuple[Statement, ...]:
    """Every known field of a record as a statement.

    Args:
        source: of the fields for which the record names none.
    """
    known = ((name, getattr(record, name)) for name in FIELDS)
    return tuple(
        Statement(
            name,
            value,
            record.sources.get(name, source),
            record.entered_at or _LONG_AGO,
            record.dates.get(name),
            said=record.said.get(name),
        )
        for name, value in known
        if value is not None
    )
