"""The clinical record: each field with value, unit, source and date, and all that its sources do not agree on."""

from __future__ import annotations

from nodal.clinical.record import FIELDS, ClinicalRecord
from nodal.findings import Findings
from nodal.report.clinical_words import SOURCE_NAMES, conflict_words, field_name, unusable_words, value_words
from nodal.report.pdf_flow import LEFT, RIGHT, Column, Flow
from nodal.report.pdf_words import UNKNOWN, capital, date, sentence

__all__ = ["record_section"]

_LEADING, _PAD, _SIZE = 10.4, 3.6, 8.0
_COLUMNS = (
    Column("Field", "", LEFT, "left", 102.0),
    Column("Value", "", LEFT + 108, "left", 146.0),
    Column("Source", "", LEFT + 260, "left", 70.0),
    Column("Date", "of the fact", LEFT + 336, "left", 48.0),
    Column("As it was said", "", LEFT + 390, "left", RIGHT - LEFT - 390),
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
        _row(flow, _cells(record, name))
    flow.y += 5
    for conflict in record.conflicts:
        flow.entry("Conflict", sentence(conflict_words(conflict)), label_width=62.0)
    for unusable in record.unusable:
        flow.entry("Not usable", sentence(unusable_words(unusable)), label_width=62.0)
    flow.y += 8


def _row(flow: Flow, cells: tuple[str, ...]) -> None:
    """A row as high as its longest cell: nothing that was said is cut."""
    sheet = flow.document
    lines = [
        sheet.type.wrap(text, _SIZE, column.max_width or 0.0) for text, column in zip(cells, _COLUMNS, strict=True)
    ]
    height = _PAD + _LEADING * max(len(one) for one in lines)
    if flow.ensure(height):
        flow.table_head(_COLUMNS)
    for column, texts in zip(_COLUMNS, lines, strict=True):
        for index, text in enumerate(texts):
            sheet.text(column.at, flow.y + 9.4 + index * _LEADING, text, _SIZE)
    flow.y += height
    sheet.rule(LEFT, flow.y, RIGHT, flow.y, width=0.35)


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
