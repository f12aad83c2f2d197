"""The sheets of nomograms: the drawing, what it says in words, the risk groups; both endpoints on one if they fit."""

from __future__ import annotations

from collections.abc import Mapping

from nodal.findings import Findings
from nodal.outlook import NomogramFinding, SystemFinding
from nodal.report.index_words import ENDPOINTS, listing
from nodal.report.pdf_evidence import evidence_line
from nodal.report.pdf_flow import BOTTOM, LEFT, TOP, WIDTH, Flow
from nodal.report.pdf_groups import draw_groups, groups_note
from nodal.report.pdf_nomogram import ROOMY, TIGHT, draw_nomogram, nomogram_height, years
from nodal.report.pdf_percent import survival_phrase
from nodal.report.pdf_sheet import CAUTION, CAUTION_TINT, MUTED, TINT, Document
from nodal.report.pdf_words import capital
from nodal.report.system_words import INTERVAL_MEANING, NOMOGRAM_TITLES, SIMULATION_TRAINED

__all__ = ["nomogram_pages", "reading_words"]

CHART, LARGE_CHART = 150.0, 250.0
"""Height of the chart of groups, in points: two side by side, and one alone."""
_SENTENCE = 8.2
_NOTE = 7.0
_GAP = 12.0
_HEAD, _CHART_NOTE = 96.0, 48.0
"""Room for what stands above the drawings, and around the charts, in points."""


def nomogram_pages(flow: Flow, findings: Findings) -> None:
    """One sheet per nomogram where both its endpoints fit on it, else one per endpoint."""
    for name, by_endpoint in findings.nomograms.items():
        shown: dict[str, NomogramFinding] = {key: by_endpoint[key] for key in ("pfs", "os") if key in by_endpoint}
        system = findings.systems.get(next(iter(shown.values())).system) if shown else None
        if system is None:
            continue
        pitch = next((pitch for pitch in (ROOMY, TIGHT) if _fit(flow.document, shown, pitch)), None)
        if len(shown) == 1 or pitch is None:
            for key, one in shown.items():
                _sheet(flow, name, {key: one}, system, ROOMY)
        else:
            _sheet(flow, name, shown, system, pitch)


def _fit(sheet: Document, shown: Mapping[str, NomogramFinding], pitch: float) -> bool:
    """Whether the drawings with their words and charts fit on one sheet."""
    words = sum(0.0 if one.withheld else 5 + _box_height(_lines(sheet, one)) for one in shown.values())
    drawings = sum(12 + nomogram_height(sheet, one, WIDTH, pitch) + _GAP for one in shown.values())
    charts = CHART + _CHART_NOTE if any(one.group_curves and not one.withheld for one in shown.values()) else 0.0
    return _HEAD + words + drawings + charts <= BOTTOM - TOP


def _sheet(flow: Flow, name: str, shown: Mapping[str, NomogramFinding], system: SystemFinding, pitch: float) -> None:
    flow.turn()
    title = NOMOGRAM_TITLES.get(name, f"{name.replace('_', ' ')} nomogram")
    flow.heading(capital(title))
    flow.paragraph(evidence_line(next(iter(shown.values())).system, system), size=7.4, colour=MUTED)
    if system.evidence == "E0":
        flow.paragraph(f"{SIMULATION_TRAINED}.", size=7.8, colour=CAUTION, bold=True)
    flow.y += 8
    for one in shown.values():
        _drawing(flow, one, pitch)
    if any(not one.withheld for one in shown.values()):
        flow.y -= 4
        flow.paragraph(f"In brackets: {INTERVAL_MEANING}.", size=_NOTE, colour=MUTED)
        flow.y += 8
    drawn = [one for one in shown.values() if one.group_curves and not one.withheld]
    if drawn:
        _charts(flow, drawn, system, LARGE_CHART if len(shown) == 1 else CHART)


def _drawing(flow: Flow, finding: NomogramFinding, pitch: float) -> None:
    sheet = flow.document
    sheet.text(LEFT, flow.y + 9, capital(ENDPOINTS[finding.endpoint]), 9.6, bold=True)
    bottom = draw_nomogram(sheet, finding, LEFT, flow.y + 12, WIDTH, pitch)
    flow.y = bottom + (_GAP if finding.withheld else 5)
    if finding.withheld:
        return
    lines = _lines(sheet, finding)
    height = _box_height(lines)
    sheet.box(LEFT, flow.y, WIDTH, height, fill=CAUTION_TINT if finding.missing else TINT)
    y = flow.y + 5 + 0.78 * _SENTENCE
    for line in lines:
        sheet.text(LEFT + 8, y, line, _SENTENCE)
        y += 1.36 * _SENTENCE
    flow.y += height + _GAP


def _lines(sheet: Document, finding: NomogramFinding) -> list[str]:
    return [line for phrases in reading_words(finding) for line in _filled(sheet, phrases)]


def _box_height(lines: list[str]) -> float:
    return 7 + 1.36 * _SENTENCE * len(lines)


def _filled(sheet: Document, phrases: tuple[str, ...]) -> list[str]:
    """Lines of whole phrases, so that no figure is torn from its sign; a phrase too long for a line is broken."""
    lines: list[str] = []
    for phrase in phrases:
        longer = f"{lines[-1]} {phrase}" if lines else phrase
        if lines and sheet.type.width(longer, _SENTENCE) <= WIDTH - 16:
            lines[-1] = longer
        else:
            lines += sheet.type.wrap(phrase, _SENTENCE, WIDTH - 16)
    return lines


def reading_words(finding: NomogramFinding) -> tuple[tuple[str, ...], ...]:
    """What the drawing says of this patient: sentences, each as phrases that stay in one piece."""
    endpoint = ENDPOINTS[finding.endpoint]
    labels = {axis.covariate: axis.label.split(",")[0] for axis in finding.axes}
    each = tuple(f"at {years(one.months)} {survival_phrase(one)}" for one in finding.survival)
    figures = tuple(f"{text}{'.' if index == len(each) - 1 else ';'}" for index, text in enumerate(each))
    said: list[tuple[str, ...]] = []
    if finding.missing:
        names = listing(tuple(labels[name] for name in finding.missing))
        low, high = finding.total_range
        said.append((f"{capital(names)} not known: {low:.0f} to {high:.0f} points.",))
        said.append((f"Predicted {endpoint} over the values {names} may take:", *figures))
    else:
        said.append((f"Total {finding.total_points:.0f} points.", f"Predicted {endpoint}:", *figures))
    if finding.outside:
        names = listing(tuple(labels[name] for name in finding.outside))
        said.append((f"{capital(names)}: beyond the ends of the axis, outside what the model was trained on.",))
    return tuple(said)


def _charts(flow: Flow, drawn: list[NomogramFinding], system: SystemFinding, height: float) -> None:
    sheet = flow.document
    gap = 22.0
    width = (WIDTH - gap * (len(drawn) - 1)) / len(drawn)
    height = min(height, flow.room - 40)
    lowest = flow.y
    for index, one in enumerate(drawn):
        x = LEFT + index * (width + gap)
        draw_groups(sheet, one, x, flow.y, width - 4, height)
        y = sheet.paragraph(x, flow.y + height + 9, groups_note(one, system), _NOTE, width, colour=MUTED)
        lowest = max(lowest, y)
    flow.y = lowest + 6
