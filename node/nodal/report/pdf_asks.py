"""What a person must look at or supply before the numbers of the first sheet are complete."""

from __future__ import annotations

from dataclasses import dataclass

from nodal.findings import Findings
from nodal.report.clinical_words import FIELD_NAMES, conflict_words, field_name, suggestion_words
from nodal.report.index_words import IMPI_NAME, listing, shown_indices
from nodal.report.pdf_flow import LEFT, WIDTH, Flow
from nodal.report.pdf_sheet import CAUTION, CAUTION_TINT, INK, TINT, Colour
from nodal.report.pdf_systems import disagreements
from nodal.report.pdf_words import capital, sentence
from nodal.report.system_words import NOMOGRAM_TITLES

__all__ = ["asks_section"]

MOST_CONFLICTS = 2
"""Of them on the first sheet; all stand with the clinical record."""
_SIZE = 7.8
_LEADING = 10.2
_LABEL_WIDTH = 66.0


@dataclass(frozen=True)
class _Ask:
    """A label with its sentence."""

    label: str
    text: str


def asks_section(flow: Flow, findings: Findings) -> None:
    """Where systems disagree, then what is missing, in conflict or suggested; each only where there is any."""
    _box(flow, [_Ask("Disagreement", sentence(text)) for text in disagreements(findings)], CAUTION_TINT, CAUTION)
    _box(flow, _missing(findings) + _conflicts(findings) + _suggestions(findings), TINT, INK)


def _missing(findings: Findings) -> list[_Ask]:
    """Factors that nobody stated, and what each of them holds open."""
    open_by: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    for _, one in shown_indices(findings.indices):
        for name in one.missing if one.points is None else ():
            open_by.setdefault(name, []).append(one.name)
    impi = findings.indices.impi
    for name in impi.missing if impi else ():
        open_by.setdefault(name, []).append(IMPI_NAME)
    for title, by_endpoint in findings.nomograms.items():
        for nomogram in by_endpoint.values():
            labels.update({axis.covariate: axis.label.split(",")[0] for axis in nomogram.axes})
            for name in nomogram.missing:
                open_by.setdefault(name, []).append(NOMOGRAM_TITLES.get(title, title.replace("_", " ")))
    if not open_by:
        return []
    # A measure or a score has no field of the record; it is called as its axis is.
    names = listing(tuple(FIELD_NAMES.get(name) or labels.get(name) or field_name(name) for name in open_by))
    waiting = tuple(dict.fromkeys(item for items in open_by.values() for item in items))
    return [_Ask("Not known", f"{capital(names)}; this leaves open: {listing(waiting)}.")]


def _conflicts(findings: Findings) -> list[_Ask]:
    record = findings.clinical
    asks = [_Ask("Conflict", sentence(conflict_words(one))) for one in record.conflicts[:MOST_CONFLICTS]]
    more = len(record.conflicts) - MOST_CONFLICTS
    if more > 0:
        asks.append(_Ask("", f"{more} more conflict{'s' if more > 1 else ''}: see Clinical record."))
    if record.unusable:
        count = len(record.unusable)
        said = "statement that" if count == 1 else "statements that"
        asks.append(_Ask("Not usable", f"{count} {said} could not be used: see Clinical record."))
    return asks


def _suggestions(findings: Findings) -> list[_Ask]:
    return [_Ask("Suggestion", suggestion_words(one)) for one in findings.suggestions]


def _box(flow: Flow, asks: list[_Ask], ground: Colour, label: Colour) -> None:
    if not asks:
        return
    sheet = flow.document
    blocks = [(one, sheet.type.wrap(one.text, _SIZE, WIDTH - _LABEL_WIDTH - 18)) for one in asks]
    height = 7.0 + sum(_LEADING * len(lines) for _, lines in blocks)
    flow.ensure(height)
    sheet.box(LEFT, flow.y, WIDTH, height, fill=ground)
    sheet.box(LEFT, flow.y, 2.4, height, fill=label)
    y = flow.y + 4.0 + 0.82 * _SIZE
    for one, lines in blocks:
        sheet.text(LEFT + 9, y, one.label, _SIZE, bold=True, colour=label)
        for line in lines:
            sheet.text(LEFT + 9 + _LABEL_WIDTH, y, line, _SIZE)
            y += _LEADING
    flow.y += height + 6
