"""The report on paper: A4, vector graphics, every font embedded, the same bytes for the same evaluation."""

from __future__ import annotations

from reportlab.lib.pagesizes import A4

from nodal.evaluation.forest import Forest, draw_forest
from nodal.evaluation.page import Facts, Figure, Figures, Notice, Page, Paragraph, Section, Table
from nodal.evaluation.pdf_table import draw_table
from nodal.report.draw_chart import draw_chart
from nodal.report.fonts import Typesetter
from nodal.report.pdf_flow import LEFT, RIGHT, WIDTH, Flow
from nodal.report.pdf_sheet import ACCENT, CAUTION, CAUTION_TINT, HAIR, INK, MUTED, PAPER, Document

__all__ = ["evaluation_pdf"]

SIZES = {"lead": 9.6, "plain": 8.4, "small": 7.2}
GAP = 14.0
"""Between pictures, in points."""


def evaluation_pdf(page: Page) -> bytes:
    """The bytes of ``evaluation.pdf``."""
    flow = Flow(Document(A4, page.title), (page.title, page.subtitle))
    _masthead(flow, page)
    for section in page.sections:
        _section(flow, section)
    flow.footers("Nodal evaluation report", page.footer)
    return flow.document.save()


def _masthead(flow: Flow, page: Page) -> None:
    sheet = flow.document
    sheet.text(LEFT, flow.y, "NODAL", 8.0, bold=True, colour=ACCENT)
    sheet.text(LEFT + 34, flow.y, "Evaluation report", 8.0, colour=MUTED)
    sheet.rule(LEFT, flow.y + 9, RIGHT, flow.y + 9, colour=ACCENT, width=1.0)
    sheet.text(LEFT, flow.y + 32, page.title, 17.0, bold=True)
    sheet.text(LEFT, flow.y + 47, page.subtitle, 9.6, colour=MUTED, max_width=WIDTH)
    flow.y += 58
    for notice in page.notices:
        _notice(flow, notice)
    flow.y += 4


def _notice(flow: Flow, notice: Notice) -> None:
    banner = notice.tone == "banner"
    lines = flow.document.type.wrap(notice.text, 8.2, WIDTH - 20, True)
    height = 7 + 11.4 * len(lines)
    flow.ensure(height + 8)
    sheet, top = flow.document, flow.y
    sheet.box(LEFT, top, WIDTH, height, fill=INK if banner else CAUTION_TINT)
    if not banner:
        sheet.box(LEFT, top, 2.4, height, fill=CAUTION)
    for index, line in enumerate(lines):
        y = top + 11.6 + 11.4 * index
        if banner:
            sheet.text(LEFT + WIDTH / 2, y, line, 8.2, bold=True, colour=PAPER, align="centre")
        else:
            sheet.text(LEFT + 9, y, line, 8.2, bold=True, colour=CAUTION)
    flow.y += height + 8


def _section(flow: Flow, section: Section) -> None:
    if section.level == 1:
        _title(flow, section)
    else:
        flow.y += 6
        flow.heading(section.title, needed=_needed(section, flow.document.type))
    for block in section.blocks:
        if isinstance(block, Paragraph):
            flow.paragraph(block.text, size=SIZES[block.tone], colour=MUTED if block.tone == "small" else INK)
            flow.y += 3.5
        elif isinstance(block, Notice):
            _notice(flow, block)
        elif isinstance(block, Facts):
            for label, texts in block.entries:
                flow.entry(label, *texts, size=8.2)
        elif isinstance(block, Table):
            draw_table(flow, block)
        else:
            _figures(flow, block)


def _title(flow: Flow, section: Section) -> None:
    """An endpoint, or the limits: a larger heading, on a new sheet where little room is left."""
    flow.ensure(330 if not section.blocks else 90)
    flow.y += 10
    flow.document.text(LEFT, flow.y + 12, section.title, 13.0, bold=True)
    flow.document.rule(LEFT, flow.y + 18, RIGHT, flow.y + 18, colour=INK, width=1.0)
    flow.y += 27


def _needed(section: Section, letters: Typesetter) -> float:
    """Points that a heading is kept together with: all of a first picture, some rows of a table."""
    needed = 0.0
    for block in section.blocks:
        if isinstance(block, Figures) and block.pictures:
            return needed + block.pictures[0].height + (19 if block.title else 3)
        if isinstance(block, Table):
            return needed + 90.0
        if isinstance(block, Paragraph):
            needed += 3.5 + 1.4 * SIZES[block.tone] * len(letters.wrap(block.text, SIZES[block.tone], WIDTH))
    return max(needed, 50.0)


def _figures(flow: Flow, figures: Figures) -> None:
    """Row by row, each kept whole."""
    row: list[Figure] = []
    rows: list[list[Figure]] = []
    for one in figures.pictures:
        if row and sum(each.width for each in row) + one.width + GAP * len(row) > WIDTH:
            rows.append(row)
            row = []
        row.append(one)
    rows += [row] if row else []
    flow.y += 3
    for index, each in enumerate(rows):
        height = max(one.height for one in each)
        title = figures.title if not index else ""
        flow.ensure(height + (16 if title else 0))
        if title:
            flow.document.text(LEFT, flow.y + 9, title, 8.6, bold=True, max_width=WIDTH)
            flow.document.rule(LEFT, flow.y + 12.5, RIGHT, flow.y + 12.5, colour=HAIR)
            flow.y += 16
        x = LEFT
        for one in each:
            _figure(flow, one, x)
            x += one.width + GAP
        flow.y += height + 10


def _figure(flow: Flow, figure: Figure, x: float) -> None:
    draw = (flow.document, x, flow.y, figure.width, figure.height)
    if isinstance(figure.picture, Forest):
        draw_forest(draw[0], figure.picture, *draw[1:])
    else:
        draw_chart(draw[0], figure.picture, *draw[1:])
