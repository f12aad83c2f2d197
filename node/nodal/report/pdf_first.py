"""The first sheet, grasped in ten seconds: who, how much disease and where, what risk, and what is open or in doubt."""

from __future__ import annotations

from nodal.findings import Findings, Totals
from nodal.report.inputs import ReportInputs
from nodal.report.lesion_words import TO_CONFIRM, unconfirmed
from nodal.report.marks import PARTIAL_TITLE, VIRTUAL_TITLE, marks
from nodal.report.pdf_asks import asks_section
from nodal.report.pdf_flow import BOTTOM, LABEL, LEFT, RIGHT, TOP, WIDTH, Flow
from nodal.report.pdf_indices import indices_section
from nodal.report.pdf_method import liver_words
from nodal.report.pdf_mip import MipStyle, Paint, arrange, draw_legend, draw_projections, projections
from nodal.report.pdf_sheet import ACCENT, CAUTION, CAUTION_TINT, INK, MUTED, PAPER, Document
from nodal.report.pdf_systems import systems_section
from nodal.report.pdf_words import Patient, amount, rule, sentence, yes_no
from nodal.report.system_words import SHOWN_SIMULATED, shows_simulated
from nodal.report.verified import verification_flag

__all__ = ["first_sheet"]

_PICTURES_WIDTH = 300.0
_LEAST_PICTURE, _MOST_PICTURE = 150.0, 325.0
"""Height of the projections, in points: never too small to find a lesion, never more than two fifths of the sheet."""
_LEGEND = 26.0
_NOTE = 7.2
_FLAG_LINES = 3
"""Lines of a doubt about the scan on the first sheet; all of it stands in full with the scan's quality."""
_COLUMN_GAP = 20.0
_ROW = 14.4


def first_sheet(flow: Flow, inputs: ReportInputs, who: Patient) -> None:
    """Draws the first sheet: the pictures take what room the words below them leave."""
    findings = inputs.findings
    _masthead(flow, findings)
    _patient_block(flow, who)
    _warnings(flow, findings)
    below = _height_of(flow, findings)
    _body(flow, inputs, min(max(flow.room - below - _LEGEND, _LEAST_PICTURE), _MOST_PICTURE))
    _risk(flow, findings)


def _risk(flow: Flow, findings: Findings) -> None:
    indices_section(flow, findings)
    systems_section(flow, findings)
    asks_section(flow, findings)


def _height_of(flow: Flow, findings: Findings) -> float:
    """What :func:`_risk` takes on a sheet of its own, in points."""
    trial = Flow(flow.document.blank(), ("", ""))
    begin = trial.y
    _risk(trial, findings)
    return trial.y - begin + (trial.document.sheets - 1) * (BOTTOM - begin)


def _masthead(flow: Flow, findings: Findings) -> None:
    sheet = flow.document
    sheet.text(LEFT, TOP, "NODAL", 8.0, bold=True, colour=ACCENT)
    sheet.text(LEFT + 34, TOP, "FDG PET/CT lymphoma measurement", 8.0, colour=MUTED)
    tag = f"AUTOMATIC · {verification_flag(findings)}"
    width = sheet.type.width(tag, 6.8, True) + 12
    sheet.box(RIGHT - width, TOP - 9.4, width, 13, stroke=INK, line=0.7, radius=2)
    sheet.text(RIGHT - 6, TOP - 0.6, tag, 6.8, bold=True, align="right")
    sheet.rule(LEFT, TOP + 9, RIGHT, TOP + 9, colour=ACCENT, width=1.0)
    flow.y = TOP + 17
    if findings.virtual:
        sheet.box(LEFT, flow.y, WIDTH, 18, fill=INK)
        sheet.text(
            LEFT + WIDTH / 2,
            flow.y + 12.4,
            "VIRTUAL PATIENT · simulated images, not a person",
            9.2,
            bold=True,
            colour=PAPER,
            align="centre",
        )
        flow.y += 25


def _patient_block(flow: Flow, who: Patient) -> None:
    sheet = flow.document
    y = flow.y + 15
    # A very long name is set smaller before it is broken.
    size = 15.0 if sheet.type.width(who.names[0], 15.0, True) <= WIDTH else 11.5
    y = sheet.paragraph(LEFT, y, who.names[0], size, WIDTH, bold=True, leading=1.22)
    if len(who.names) > 1:
        y = sheet.paragraph(LEFT, y - 1, "  ·  ".join(who.names[1:]), 10.5, WIDTH, colour=MUTED, leading=1.3)
    y += 0.5
    quarter = WIDTH / 4
    for row in (who.fields[:4], who.fields[4:]):
        lowest = y
        for index, (label, value) in enumerate(row):
            x = LEFT + index * quarter
            sheet.text(x, y, label, LABEL, colour=MUTED)
            lowest = max(lowest, sheet.paragraph(x, y + 10.5, value, 8.6, quarter - 10, leading=1.22))
        y = lowest + 2.5
    flow.y = y - 3


def _warnings(flow: Flow, findings: Findings) -> None:
    """The marks that change how the numbers are read, in one tinted box. Two are said larger: the simulation in a
    banner, the limited field of view in the title."""
    holds = [mark for mark in marks(findings) if mark not in (VIRTUAL_TITLE, PARTIAL_TITLE)]
    if shows_simulated(findings):
        holds.insert(0, SHOWN_SIMULATED)
    sheet = flow.document
    partial = findings.totals.field_of_view == "partial"
    title = PARTIAL_TITLE if partial else "Metabolic tumour burden"
    sheet.rule(LEFT, flow.y, RIGHT, flow.y)
    sheet.text(LEFT, flow.y + 17, title, 12.0, bold=True, colour=CAUTION if partial else ACCENT)
    flow.y += 25
    if holds:
        text = "  ·  ".join(holds)
        lines = sheet.type.wrap(text, 8.0, WIDTH - 16, True)
        height = 5 + 11 * len(lines)
        sheet.box(LEFT, flow.y, WIDTH, height, fill=CAUTION_TINT)
        sheet.box(LEFT, flow.y, 2.4, height, fill=CAUTION)
        sheet.paragraph(LEFT + 9, flow.y + 10.3, text, 8.0, WIDTH - 16, bold=True, colour=CAUTION)
        flow.y += height + 8


def _body(flow: Flow, inputs: ReportInputs, height: float) -> None:
    """Projections on the left; the volume, the few totals that matter and doubts about the scan on the right."""
    sheet = flow.document
    pictures = projections(inputs)
    style = MipStyle()
    placed = arrange(pictures, _PICTURES_WIDTH + style.gutter, height, style)
    left = LEFT + max(0.0, (_PICTURES_WIDTH - placed.width) / 2) - 0.55 * style.gutter
    doubtful = frozenset(lesion.number for lesion in unconfirmed(inputs.findings))
    draw_projections(sheet, pictures, left, flow.y - 2, placed, style, Paint(dashed=doubtful))
    pictures_end = flow.y + placed.height
    draw_legend(sheet, LEFT, pictures_end + 10, 6.6, doubtful=bool(doubtful))
    x = LEFT + _PICTURES_WIDTH + _COLUMN_GAP
    bottom = _totals(sheet, inputs.findings, x, flow.y)
    bottom = _quality(sheet, inputs.findings, x, bottom + 8, max(pictures_end, flow.y + height) + 8)
    flow.y = max(pictures_end + 15, bottom) + 8


def _totals(sheet: Document, findings: Findings, x: float, y: float) -> float:
    totals = findings.totals
    if not totals.lesion_count:
        return _no_lesion(sheet, findings, x, y)
    waiting = len(unconfirmed(findings))
    number = amount(totals.tmtv_ml)
    label = _volume_name(totals)
    sheet.text(x, y + 7, label, LABEL + 0.4, colour=MUTED)
    width = sheet.text(x, y + 33, number, 25.0, bold=True)
    sheet.text(x + width + 4, y + 33, "mL", 11.0, colour=MUTED)
    y += 41
    low, high = totals.tmtv_range_ml
    if high - low > 0.05:
        y = sheet.paragraph(
            x,
            y + 7,
            f"{amount(low)} mL accepted, {amount(high)} mL with lesions {TO_CONFIRM}",
            7.2,
            RIGHT - x,
            colour=MUTED,
        )
    rows = (
        ("Lesions", f"{totals.lesion_count}, and {waiting} {TO_CONFIRM}" if waiting else str(totals.lesion_count)),
        ("TLG", amount(totals.tlg_g, "g")),
        ("SUVmax", amount(totals.suv_max, "g/mL")),
        ("SUVpeak", amount(totals.suv_peak, "g/mL")),
        ("SUVmean", amount(totals.suv_mean, "g/mL")),
        ("Dmax, between centroids", _total(totals.dmax_mm, "mm", 0)),
        ("Dmax from largest lesion", _total(totals.dmax_bulk_mm, "mm", 0)),
        ("SDmax", _total(totals.sdmax_per_m, "m⁻¹", 2)),
        (f"Bulky, at least {totals.bulky_threshold_mm:.0f} mm", yes_no(totals.bulky)),
    )
    return _rows(sheet, rows, x, y)


def _no_lesion(sheet: Document, findings: Findings, x: float, y: float) -> float:
    """Said as large as a volume would be, with the rule that nothing met, or what is still to be confirmed."""
    waiting, rejected = len(unconfirmed(findings)), len(findings.rejected_candidates)
    sheet.text(x, y + 13, "No accepted lesion" if waiting else "No FDG-avid lesion", 14.0, bold=True)
    if waiting or rejected:
        rows = (
            f"{waiting} {TO_CONFIRM}, together {amount(findings.totals.tmtv_range_ml[1])} mL" if waiting else "",
            f"{rejected} avid region{'s' if rejected > 1 else ''} not taken for lesions, listed below"
            if rejected
            else "",
        )
        why = f"{'; '.join(row for row in rows if row)}. Rule: {rule(findings.segmentation)}."
    else:
        why = f"Nothing in this scan met the rule: {rule(findings.segmentation)}."
    y = sheet.paragraph(x, y + 26, why, 7.6, RIGHT - x, colour=MUTED) - 4
    counted = f"0, and {waiting} {TO_CONFIRM}" if waiting else "0"
    return _rows(sheet, ((_volume_name(findings.totals), "0 mL"), ("Lesions", counted)), x, y)


def _volume_name(totals: Totals) -> str:
    return "TMTV" if totals.field_of_view == "whole" else "Metabolic volume in this field of view"


def _total(value: float | None, unit: str, digits: int) -> str:
    return "not computed" if value is None else amount(value, unit, digits=digits)


def _rows(sheet: Document, rows: tuple[tuple[str, str], ...], x: float, y: float) -> float:
    for label, value in rows:
        small = value.startswith("not computed")
        sheet.rule(x, y, RIGHT, y, width=0.35)
        width = sheet.text(x, y + 10.2, label, 8.2, colour=MUTED)
        room = RIGHT - x - width - 6
        sheet.text(
            RIGHT,
            y + 10.2,
            value,
            6.6 if small else 8.6,
            bold=not small,
            colour=MUTED if small else INK,
            align="right",
            max_width=room,
        )
        y += _ROW
    sheet.rule(x, y, RIGHT, y, width=0.35)
    return y


def _quality(sheet: Document, findings: Findings, x: float, y: float, lowest: float) -> float:
    """Uptake and liver in a line, then the doubts about the scan, as many as fit above ``lowest`` but one at least.

    The whole table and every doubt in full stand on the last sheets.
    """
    uptake = amount(findings.quality.uptake_minutes, "min", digits=0)
    text = f"Scan: uptake {uptake}, liver SUVmean {liver_words(findings)}"
    y = sheet.paragraph(x, y + _NOTE, text, _NOTE, RIGHT - x, colour=MUTED)
    flags = findings.quality.flags
    for index, flag in enumerate(flags):
        lines = _cut(sheet.type.wrap(sentence(flag.message), _NOTE, RIGHT - x - 8))
        height = 1.3 * _NOTE * (len(lines) + (index + 1 < len(flags)))
        if index and y + height - _NOTE > lowest:
            sheet.text(x + 7, y, f"{len(flags) - index} more: see Scan quality", _NOTE, colour=CAUTION)
            y += 1.3 * _NOTE
            break
        sheet.box(x, y - 0.8 * _NOTE, 2.0, 1.3 * _NOTE * len(lines), fill=CAUTION)
        for line in lines:
            sheet.text(x + 7, y, line, _NOTE, colour=CAUTION, max_width=RIGHT - x - 7)
            y += 1.3 * _NOTE
        y += 2.5
    return y - 0.8 * _NOTE


def _cut(lines: list[str]) -> list[str]:
    """At most so many lines, with an ellipsis where there were more."""
    return lines if len(lines) <= _FLAG_LINES else [*lines[: _FLAG_LINES - 1], f"{lines[_FLAG_LINES - 1]} …"]
