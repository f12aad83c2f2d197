"""The clinical record: each field with value, unit, source and date, and all that its sources do not agree on."""

from __future__ import annotations

from nodal.clinical.record import FIELDS, ClinicalRecord
from nodal.findings import Findings
from nodal.report.clinical_words import SOURCE_NAMES, conflict_words, field_name, unusable_words, value_words
from nodal.report.pdf_flow import LEFT, Column, Flow
from nodal.report.pdf_words import UNKNOWN, capital, date, sentence

__all__ = ["record_section"]

_ROW = 13.4
_COLUMNS = (
    Column("Field", "", LEFT, "left", 118.0),
    Column("Value", "", LEFT + 122, "left", 168.0),
    Column("Source", "", LEFT + 294, "left", 84.0),
    Column("Date", "of the fact", LEFT + 380, "left", 52.0),
    Column("As it was said", "", LEFT + 436, "left", 73.0),
)
_ASKED = ("age_years", "sex", "stage", "ldh_ratio", "ecog", "extranodal_sites", "cell_of_origin", "bulky", "b_symptoms")
"""Fields that an index or a model may want: shown also where nobody knows them."""


def record_section(flow: Flow, findings: Findings) -> None:
    """A row per field that is known or that a model may want; then conflicts, then what could not be used."""
    record = findings.clinical
    flow.heading("Clinical record", needed=60)
    flow.table_head(_COLUMNS)
    for name in FIELDS:
        if getattr(record, name) is None and name not in _ASKED:
            continue
        if flow.ensure(_ROW):
            flow.table_head(_COLUMNS)
        flow.table_row(_COLUMNS, _cells(record, name), _ROW)
    flow.y += 5
    for conflict in record.conflicts:
        flow.entry("Conflict", sentence(conflict_words(conflict)), label_width=62.0)
    for unusable in record.unusable:
        flow.entry("Not usable", sentence(unusable_words(unusable)), label_width=62.0)
    flow.y += 8


def _cells(record: ClinicalRecord, name: str) -> tuple[str, ...]:
    value = getattr(record, name)
    if value is None:
        return capital(field_name(name)), "not known", UNKNOWN, UNKNOWN, ""
    source = record.sources.get(name)
    return (
        capital(field_name(name)),
        value_words(name, value),
        SOURCE_NAMES[source] if source else UNKNOWN,
        date(record.dates.get(name, "")[:8]) or UNKNOWN,
        record.said.get(name, ""),
    )
