"""The prognosis systems' word on the first sheet, as far as their evidence lets it be said."""

from __future__ import annotations

from nodal.errors import Code
from nodal.findings import Findings
from nodal.outlook import EndpointFinding, SystemFinding
from nodal.report.pdf_evidence import features_words, scores_words
from nodal.report.pdf_figures import percentile_words, risk_words
from nodal.report.pdf_flow import LABEL, LEFT, RIGHT, Flow
from nodal.report.pdf_groups import GROUP_COLOURS, group_title
from nodal.report.pdf_nomogram import years
from nodal.report.pdf_percent import nearest, survival_range, survival_share
from nodal.report.pdf_sheet import CAUTION, HAIR, INK, MUTED, Colour, Document
from nodal.report.pdf_words import UNKNOWN, capital, said, sentence
from nodal.report.system_words import SIMULATION_TRAINED, system_title, withholds

__all__ = ["disagreements", "systems_section"]

_COLUMNS = {"pfs": LEFT + 160, "os": LEFT + 338}
_WIDTH = 170.0
_NAME_WIDTH = 150.0
_HEADLINE_MONTHS = 36.0
"""The one time that the first sheet has room for: most events of aggressive lymphoma come before it."""
_CELL = 8.0
_SMALL = 6.8


def systems_section(flow: Flow, findings: Findings) -> None:
    """A row per system: group and survival at three years by endpoint, or score and rank where no more may be said."""
    if not findings.systems:
        _why_none(flow, findings)
        return
    flow.heading("Prognosis models", needed=44)
    sheet = flow.document
    if any(system.endpoint for system in findings.systems.values()):
        for endpoint, x in _COLUMNS.items():
            name = {"pfs": "Progression-free survival", "os": "Overall survival"}[endpoint]
            sheet.text(x, flow.y + 2, name, LABEL, bold=True, colour=MUTED)
        flow.y += 5
    for name, system in findings.systems.items():
        _row(flow, name, system, withholds(system, virtual=findings.virtual))
    shown = [one for system in findings.systems.values() for one in system.endpoint.values() if not one.withheld]
    if any(survival.probability is not None for one in shown for survival in one.survival):
        flow.y += 1.5
        text = "In brackets: 95 % interval of the model's estimate, model uncertainty, not outcome."
        flow.paragraph(text, size=6.0, colour=MUTED)
    flow.y += 7


def _why_none(flow: Flow, findings: Findings) -> None:
    """Why no model judged this scan, where the scan is why; a model that is not installed is no news here."""
    reasons = (
        one.reason
        for one in findings.not_computed
        if one.item.startswith("systems.") and one.code not in (Code.NO_BUNDLE, Code.NOT_SENT)
    )
    if (reason := next(reasons, None)) is not None:
        flow.heading("Prognosis models", needed=16)
        flow.paragraph(sentence(f"Not computed: {reason}"), size=7.8, colour=MUTED)
        flow.y += 7


def disagreements(findings: Findings) -> tuple[str, ...]:
    """Sentences on systems that judge differently; none that names a system whose groups are held back."""
    held = [
        word
        for name, system in findings.systems.items()
        if any(one.withheld for one in system.endpoint.values())
        for word in (name, system_title(name))
    ]
    return tuple(text for text in findings.disagreements if not any(word in text for word in held))


def _row(flow: Flow, name: str, system: SystemFinding, held: bool) -> None:
    sheet = flow.document
    notes = _notes(system)
    lines = [(text, colour) for note, colour in notes for text in sheet.type.wrap(note, _SMALL, _NAME_WIDTH)]
    height = 15.0 + max(9.0 * len(lines), 9.4 if system.endpoint else 0.0)
    if system.status == "not_computed":
        lines, height = [], 15.0
    flow.ensure(height)
    y = flow.y + 10.2
    sheet.text(LEFT, y, system_title(name), 8.6, bold=True, max_width=_NAME_WIDTH)
    for index, (text, colour) in enumerate(lines):
        sheet.text(LEFT, y + 9.2 + 9.0 * index, text, _SMALL, colour=colour)
    if system.status == "not_computed":
        x = _COLUMNS["pfs"]
        text = f"Not computed: {said(system.reason or str(system.code))}"
        sheet.text(x, y, text, 7.6, colour=MUTED, max_width=RIGHT - x)
    elif not system.endpoint:
        x = _COLUMNS["pfs"]
        sheet.text(x, y, capital(scores_words(system, held)) or UNKNOWN, 7.6, max_width=RIGHT - x)
    for endpoint, x in _COLUMNS.items():
        if endpoint in system.endpoint:
            _endpoint(sheet, system.endpoint[endpoint], system, x, y)
        elif system.endpoint:
            sheet.text(x, y, "No model of this endpoint", 7.6, colour=MUTED, max_width=_WIDTH)
            sheet.text(x, y + 9.6, "The bundle's card says why.", _SMALL, colour=MUTED, max_width=_WIDTH)
    flow.y += height
    sheet.rule(LEFT, flow.y, RIGHT, flow.y, colour=HAIR, width=0.35)


def _notes(system: SystemFinding) -> list[tuple[str, Colour]]:
    """What stands under the name: level, number of patients, and what must not be overlooked."""
    size = f", {system.n} {'virtual ' if system.trained_on == 'virtual' else ''}patients" if system.n else ""
    notes = [(f"{system.evidence}{size}", MUTED)]
    if system.evidence == "E0":
        notes.append((SIMULATION_TRAINED, CAUTION))
    if system.in_range == "unusual":
        notes.append((capital(features_words(system).replace("unusual", "unusual scan", 1)), CAUTION))
    return notes


def _endpoint(sheet: Document, one: EndpointFinding, system: SystemFinding, x: float, y: float) -> None:
    if one.withheld:
        sheet.text(x, y, capital(risk_words(one)), 8.2, max_width=_WIDTH)
        sheet.text(x, y + 9.6, capital(percentile_words(one, system)), _SMALL, colour=MUTED, max_width=_WIDTH)
        return
    at = x + _strip(sheet, one, x, y - 7.0) + 4
    at += sheet.text(at, y, group_title(one.group) if one.group else "Group open", 8.2, bold=True) + 6
    survival = nearest(one.survival, _HEADLINE_MONTHS)
    if survival is None:
        sheet.text(at, y, "no survival predicted", _SMALL, colour=MUTED, max_width=x + _WIDTH - at)
        return
    known = survival.probability is not None
    figure = (
        survival_share(survival.probability) if survival.probability is not None else survival_range(*survival.range)
    )
    at += sheet.text(at, y, figure, 9.4, bold=True, colour=INK if known else MUTED) + 3
    sheet.text(at, y, f"at {years(survival.months)}", _SMALL + 0.4, colour=MUTED, max_width=x + _WIDTH - at)
    interval = f"({survival_range(*survival.ci)})" if known else "over what is not known"
    low, high = (f"{value:.0f}" for value in one.percentile)
    rank = low if low == high else f"{low} to {high}"
    sheet.text(x, y + 9.6, f"{interval} · percentile {rank}", _SMALL, colour=MUTED, max_width=_WIDTH)


def _strip(sheet: Document, one: EndpointFinding, x: float, y: float) -> float:
    """A cell per group, the best first; the patient's is filled with the group's colour. Returns its width."""
    count = len(one.groups)
    for index, group in enumerate(one.groups):
        colour = GROUP_COLOURS[round(index * (len(GROUP_COLOURS) - 1) / max(count - 1, 1))]
        own = group == one.group
        sheet.box(x + index * _CELL, y, _CELL - 1.4, 8.0, fill=colour if own else None, stroke=colour if own else HAIR)
    return count * _CELL
