"""The published indices on the first sheet: points on their scale, group, and what was published of that group."""

from __future__ import annotations

from nodal.findings import Findings
from nodal.outlook import IndexFinding, PublishedRate
from nodal.report.clinical_words import field_name
from nodal.report.index_words import (
    IMPI_NAME,
    endpoint_at,
    group_words,
    headline_rates,
    listing,
    missing_words,
    percent,
    points_words,
    shown_indices,
    spread,
)
from nodal.report.pdf_flow import LEFT, RIGHT, Flow
from nodal.report.pdf_sheet import ACCENT, HAIR, INK, MUTED, PAPER, Document
from nodal.report.pdf_words import capital

__all__ = ["indices_section", "rates_words"]

_STRIP, _POINTS, _GROUP, _SURVIVAL = LEFT + 50, LEFT + 140, LEFT + 194, LEFT + 326
_CELL = 9.0
_SIZE = 8.0
_LEADING = 9.8
_PAD = 5.2
_SOURCE = 6.0
_SHORT = {"ecog": "ECOG", "stage": "stage"}
"""Factors by a shorter name than elsewhere, so that three of them fit into a line."""


def indices_section(flow: Flow, findings: Findings) -> None:
    """A row per index that was computed; with none of them nothing is drawn, and the reason stands elsewhere."""
    shown = shown_indices(findings.indices)
    impi = findings.indices.impi
    if not shown and impi is None:
        return
    flow.heading("Published indices", needed=30)
    flow.y -= 3
    sources: list[str] = []
    for _, one in shown:
        _row(flow, one, sources)
    if impi is not None:
        low, high = impi.range
        words = ["linear predictor only: its baseline survival is not published"]
        if impi.percentile is not None and impi.cohort:
            words.insert(0, f"percentile {spread(*impi.percentile, digits=0)} of {impi.cohort}")
        if impi.missing:
            words.insert(0, missing_words(impi))
        _line(flow, IMPI_NAME, spread(low, high), "", capital("; ".join(words)), strip=None)
    if sources:
        text = "Published of the group: " + "; ".join(f"[{n}] {source}" for n, source in enumerate(sources, start=1))
        flow.y += 1.5
        flow.paragraph(f"{text}.", size=_SOURCE, colour=MUTED)
    flow.y += 7


def rates_words(rates: tuple[PublishedRate, ...], sources: list[str]) -> str:
    """ "5-year OS 67 %, PFS 58 % [1]"; each source takes its number when it first appears.

    Args:
        sources: those that have a number already; new ones are added.
    """
    text = ""
    before: PublishedRate | None = None
    for rate in rates:
        if rate.source not in sources:
            sources.append(rate.source)
        same = before is not None and (before.months, before.source) == (rate.months, rate.source)
        name = endpoint_at(rate.endpoint, None if same else rate.months, short=True)
        number = f" [{sources.index(rate.source) + 1}]"
        text = f"{text.removesuffix(number)}, " if same else (f"{text}; " if text else "")
        text += f"{name} {percent(rate.share)}{number}"
        before = rate
    return text


def _row(flow: Flow, one: IndexFinding, sources: list[str]) -> None:
    survival = rates_words(headline_rates(one), sources) or _waiting(one)
    _line(flow, one.name, points_words(one), capital(group_words(one)), survival, strip=one)


def _waiting(one: IndexFinding) -> str:
    names = listing(tuple(_SHORT.get(name, field_name(name)) for name in one.missing))
    return capital(f"{names} not known") if names else ""


def _line(flow: Flow, name: str, points: str, group: str, survival: str, *, strip: IndexFinding | None) -> None:
    sheet = flow.document
    closed = strip is not None and strip.group is not None
    groups = sheet.type.wrap(group, _SIZE, _SURVIVAL - _GROUP - 8, closed)
    texts = sheet.type.wrap(survival, _SIZE - 0.6, RIGHT - _SURVIVAL)
    if strip is None:
        texts = sheet.type.wrap(survival, _SIZE - 0.6, RIGHT - _GROUP)
    height = _PAD + _LEADING * max(len(groups), len(texts))
    flow.ensure(height)
    y = flow.y + 10.2
    sheet.text(LEFT, y, name, _SIZE, bold=True)
    if strip is not None:
        _strip(sheet, strip, _STRIP, flow.y + 3.2)
    sheet.text(_POINTS, y, points, _SIZE)
    for index, text in enumerate(groups):
        sheet.text(_GROUP, y + index * _LEADING, text, _SIZE, bold=closed, colour=INK if closed else MUTED)
    for index, text in enumerate(texts):
        x = _SURVIVAL if strip is not None else _GROUP
        sheet.text(x, y + index * _LEADING, text, _SIZE - 0.6, colour=INK if closed else MUTED)
    flow.y += height
    sheet.rule(LEFT, flow.y, RIGHT, flow.y, colour=HAIR, width=0.35)


def _strip(sheet: Document, one: IndexFinding, x: float, y: float) -> None:
    """A cell per point from 0; the patient's is filled, those that remain possible are tinted."""
    low, high = one.range
    for points in range(one.most_points + 1):
        at = x + points * _CELL
        possible = low <= points <= high
        fill = (ACCENT if low == high else (0.72, 0.82, 0.85)) if possible else None
        sheet.box(at, y, _CELL - 1.4, 8.6, fill=fill, stroke=ACCENT if possible else HAIR, line=0.5)
        if possible:
            colour = PAPER if low == high else ACCENT
            sheet.text(at + (_CELL - 1.4) / 2, y + 6.5, f"{points}", 6.0, bold=True, colour=colour, align="centre")
