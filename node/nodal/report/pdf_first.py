"""The first sheet: who, the projections, the totals, how far to trust them, and how they were made."""

from __future__ import annotations

from nodal.findings import Findings, Totals
from nodal.report.inputs import ReportInputs
from nodal.report.marks import PARTIAL_TITLE, VIRTUAL_TITLE, marks
from nodal.report.pdf_flow import LABEL, LEFT, RIGHT, TOP, WIDTH, Flow
from nodal.report.pdf_mip import MipStyle, arrange, draw_legend, draw_projections, projections
from nodal.report.pdf_sheet import ACCENT, CAUTION, CAUTION_TINT, INK, MUTED, PAPER, TINT, Document
from nodal.report.pdf_words import UNKNOWN, Patient, amount, rule, sentence, yes_no

__all__ = ["LIVER_SUV_RANGE", "first_sheet"]

LIVER_SUV_RANGE = (1.3, 3.0)
"""SUVmean of the liver in a well-made FDG scan (EANM procedure guideline 2.0)."""

_PICTURES = (318.0, 318.0)
_COLUMN_GAP = 20.0
_ROW = 14.4


def first_sheet(flow: Flow, inputs: ReportInputs, who: Patient) -> None:
    """Draws everything above the lesion table; leaves the cursor below it."""
    findings = inputs.findings
    _masthead(flow, findings)
    _patient_block(flow, who)
    _warnings(flow, findings)
    _body(flow, inputs)
    _method(flow, findings)


def _masthead(flow: Flow, findings: Findings) -> None:
    sheet = flow.document
    sheet.text(LEFT, TOP, "NODAL", 8.0, bold=True, colour=ACCENT)
    sheet.text(LEFT + 34, TOP, "FDG PET/CT lymphoma measurement", 8.0, colour=MUTED)
    tag = "AUTOMATIC · UNVERIFIED"
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


def _body(flow: Flow, inputs: ReportInputs) -> None:
    """Projections on the left, totals and quality on the right."""
    sheet = flow.document
    pictures = projections(inputs)
    style = MipStyle()
    placed = arrange(pictures, _PICTURES[0] + style.gutter, min(_PICTURES[1], flow.room - 60), style)
    left = LEFT + max(0.0, (_PICTURES[0] - placed.width) / 2) - 0.55 * style.gutter
    draw_projections(sheet, pictures, left, flow.y - 2, placed, style)
    pictures_end = flow.y + placed.height
    draw_legend(sheet, LEFT, pictures_end + 10, 6.6)
    x = LEFT + _PICTURES[0] + _COLUMN_GAP
    bottom = _totals(sheet, inputs.findings, x, flow.y)
    bottom = _quality(sheet, inputs.findings, x, bottom + 13)
    flow.y = max(pictures_end + 15, bottom) + 8


def _totals(sheet: Document, findings: Findings, x: float, y: float) -> float:
    totals = findings.totals
    if totals.lesion_count:
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
                f"{amount(low)} mL accepted, {amount(high)} mL with lesions to be confirmed",
                7.2,
                RIGHT - x,
                colour=MUTED,
            )
    else:
        sheet.text(x, y + 13, "No FDG-avid lesion", 14.0, bold=True, colour=INK)
        y = (
            sheet.paragraph(
                x,
                y + 26,
                f"Nothing in this scan met the rule: {rule(findings.segmentation)}.",
                7.6,
                RIGHT - x,
                colour=MUTED,
            )
            - 4
        )
        return _rows(sheet, ((_volume_name(totals), "0 mL"), ("Lesions", "0")), x, y)
    rows = (
        ("TLG", amount(totals.tlg_g, "g")),
        ("SUVmax", amount(totals.suv_max, "g/mL")),
        ("SUVpeak", amount(totals.suv_peak, "g/mL")),
        ("SUVmean", amount(totals.suv_mean, "g/mL")),
        ("Lesions", str(totals.lesion_count)),
        ("Dmax, between centroids", _total(totals.dmax_mm, "mm", 0)),
        ("Dmax from largest lesion", _total(totals.dmax_bulk_mm, "mm", 0)),
        ("SDmax", _total(totals.sdmax_per_m, "m⁻¹", 2)),
        (f"Bulky, at least {totals.bulky_threshold_mm:.0f} mm", yes_no(totals.bulky)),
    )
    return _rows(sheet, rows, x, y)


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


def _quality(sheet: Document, findings: Findings, x: float, y: float) -> float:
    quality = findings.quality
    low, high = LIVER_SUV_RANGE
    liver = amount(quality.liver_suv_mean, digits=2)
    if quality.liver_suv_mean is not None:
        liver += "  in range" if low <= quality.liver_suv_mean <= high else "  out of range"
    seen = {True: "seen", False: "not seen", None: UNKNOWN}
    sheet.text(x, y + 7, "Scan quality", 8.2, bold=True, colour=ACCENT)
    return _rows(
        sheet,
        (
            ("Uptake time", amount(quality.uptake_minutes, "min", digits=0)),
            ("Injected activity", amount(quality.injected_mbq_per_kg, "MBq/kg", digits=1)),
            (f"Liver SUVmean, EANM {low}–{high}", liver),
            ("Brain · thighs", f"{seen[quality.brain_covered]} · {seen[quality.thighs_covered]}"),
            ("PET to CT shift", amount(quality.pet_ct_shift_mm, "mm", digits=1)),
            ("CT contrast medium", yes_no(quality.ct_contrast)),
        ),
        x,
        y + 12,
    )


def _method(flow: Flow, findings: Findings) -> None:
    """How lesions were found and SUV computed, and each doubt about the scan."""
    sheet = flow.document
    used = findings.segmentation
    method = (
        f"Lesions: {rule(used)}. SUV: body weight, {findings.suv.method}. "
        "SUVpeak: highest mean in a 1 mL sphere centred in the lesion."
    )
    flags = [sentence(flag.message) for flag in findings.quality.flags]
    lines = sheet.type.wrap(method, 7.4, WIDTH - 16)
    flagged = [sheet.type.wrap(flag, 7.4, WIDTH - 62) for flag in flags]
    height = 9 + 10.2 * len(lines) + sum(10.2 * len(one) for one in flagged)
    if flow.ensure(height):
        flow.y -= 6
    sheet.box(LEFT, flow.y, WIDTH, height, fill=TINT)
    y = sheet.paragraph(LEFT + 8, flow.y + 11, method, 7.4, WIDTH - 16, leading=10.2 / 7.4)
    for one in flagged:
        sheet.text(LEFT + 8, y, "Note", 7.4, bold=True, colour=CAUTION)
        for line in one:
            sheet.text(LEFT + 38, y, line, 7.4)
            y += 10.2
    flow.y += height + 12
