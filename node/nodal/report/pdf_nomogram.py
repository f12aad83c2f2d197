"""A nomogram as a vector drawing in the layout of Harrell's rms, with the patient on it.

From the top: points, an axis per covariate, total points, survival at each time. All axes of covariates share the
scale of points, all axes of survival that of total points, so that a ruler finds on paper what is printed beside.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodal.outlook import NomogramAxis, NomogramFinding, NomogramPoints, SurvivalAt, SurvivalAxisFinding
from nodal.report.marks import NO_BASELINE
from nodal.report.pdf_percent import survival_range, survival_share
from nodal.report.pdf_scale import LABEL_SIZE, Scale, TickLabel, numbers_below, words_around
from nodal.report.pdf_sheet import CAUTION, CAUTION_TINT, HAIR, INK, MUTED, PAPER, Colour, Document
from nodal.report.pdf_words import capital

__all__ = ["PATIENT", "draw_nomogram", "nomogram_height"]

PATIENT: Colour = (0.72, 0.07, 0.22)
"""The patient's marks and readings; nothing else on a page has this colour."""
GUIDE: Colour = (0.90, 0.66, 0.71)

NAMES = 104.0
"""Width of the column of names, left of the axes."""
READINGS = 92.0
"""Width of the columns of values and points, right of the axes."""
TIGHT, ROOMY = 15.5, 22.0
"""Distance between two axes, in points, where two drawings share a sheet and where one has it for itself."""
ABOVE = 5.4
"""More of it where labels stand above the axis."""
TICK = 2.6
MARK = 2.7
"""Half the diagonal of a mark."""
OVERHANG = 9.0
"""How far beyond an axis a mark may stand that lies outside it; one further out is an arrow there."""
_NUMBER_SIZE = 7.2


@dataclass(frozen=True)
class _Row:
    """An axis on the sheet: its baseline, scale and labels; ``length`` from its first to its last tick."""

    name: str
    y: float
    scale: Scale
    labels: tuple[TickLabel, ...]
    ticks: tuple[float, ...]

    @property
    def length(self) -> tuple[float, float]:
        return min(self.ticks), max(self.ticks)


@dataclass(frozen=True)
class _Board:
    """All axes of one drawing; ``bottom`` is below the last one's labels."""

    points: _Row
    covariates: tuple[_Row, ...]
    total: _Row
    survival: tuple[_Row, ...]
    bottom: float


def nomogram_height(sheet: Document, finding: NomogramFinding, width: float, pitch: float = TIGHT) -> float:
    """Height of the drawing in points."""
    return _board(sheet, finding, 0.0, 0.0, width, pitch).bottom


def draw_nomogram(
    sheet: Document, finding: NomogramFinding, x: float, y: float, width: float, pitch: float = TIGHT
) -> float:
    """Draws the nomogram with its top left corner at (x, y); returns its bottom.

    Of a withheld finding the axes of points and covariates are drawn, without the patient and without survival.
    """
    board = _board(sheet, finding, x, y, width, pitch)
    if not finding.withheld:
        _tint_missing(sheet, finding, board)
        _guides(sheet, finding, board)
        _heads(sheet, board, x + width)
    for row in (board.points, *board.covariates, board.total, *board.survival):
        _axis(sheet, row, x)
    if finding.withheld:
        sheet.text(x, board.bottom - 8, "Survival", _NUMBER_SIZE, bold=True)
        sheet.text(board.points.scale.left, board.bottom - 8, NO_BASELINE, _NUMBER_SIZE, colour=CAUTION, bold=True)
        return board.bottom
    right = x + width
    for row, points in zip(board.covariates, finding.points, strict=True):
        _covariate_mark(sheet, row, points, right)
    _total_mark(sheet, finding, board.total, right)
    for row, survival in zip(board.survival, finding.survival, strict=True):
        _survival_mark(sheet, finding, row, board.total.scale, survival, right)
    return board.bottom


def _board(sheet: Document, finding: NomogramFinding, x: float, y: float, width: float, pitch: float) -> _Board:
    left, right = x + NAMES, x + width - READINGS
    covariates = Scale(left, right, finding.points_ticks[-1])
    total = Scale(left, right, finding.total_ticks[-1])
    at = y + 16.0
    points = _numbers(sheet, "Points", finding.points_ticks, at, covariates)
    rows: list[_Row] = []
    for axis in finding.axes:
        row = _covariate(sheet, axis, at, covariates, pitch)
        at = row.y
        rows.append(row)
    at += pitch + 3.0
    totals = _numbers(sheet, "Total points", finding.total_ticks, at, total)
    survival: list[_Row] = []
    for one in () if finding.withheld else finding.survival_axes:
        at += pitch
        survival.append(_survival(sheet, finding, one, at, total))
    return _Board(points, tuple(rows), totals, tuple(survival), at + (26.0 if finding.withheld else 12.0))


def _numbers(sheet: Document, name: str, ticks: tuple[float, ...], y: float, scale: Scale) -> _Row:
    labels = numbers_below([(f"{tick:g}", scale.x(tick)) for tick in ticks], sheet.type, LABEL_SIZE)
    return _Row(name, y, scale, labels, tuple(scale.x(tick) for tick in ticks))


def _covariate(sheet: Document, axis: NomogramAxis, above: float, scale: Scale, pitch: float) -> _Row:
    ticks = [(text, scale.x(points)) for text, points in axis.ticks]
    labels = numbers_below(ticks, sheet.type, LABEL_SIZE) if _is_number(axis) else ()
    if len(labels) == 1 and len(ticks) > 1:
        # An axis so short that its ends' labels touch: one stands below it, one above.
        ends = (min(ticks, key=lambda tick: tick[1]), max(ticks, key=lambda tick: tick[1]))
        labels = words_around(ends, sheet.type, LABEL_SIZE, scale.left - 6, scale.right + 6)
    elif not labels:
        labels = words_around(ticks, sheet.type, LABEL_SIZE, scale.left - 6, scale.right + 6)
    y = above + pitch + (ABOVE if any(label.above for label in labels) else 0.0)
    return _Row(capital(axis.label), y, scale, labels, tuple(at for _, at in ticks))


def _is_number(axis: NomogramAxis) -> bool:
    try:
        [float(text) for text, _ in axis.ticks]
    except ValueError:
        return False
    # A short grade such as 0, 1, 2, 3 has all its words, as a category has.
    return len(axis.ticks) > 4


def _survival(sheet: Document, finding: NomogramFinding, axis: SurvivalAxisFinding, y: float, scale: Scale) -> _Row:
    ticks = [(f"{100 * share:g}", scale.x(total)) for share, total in axis.ticks]
    name = f"{finding.endpoint.upper()} at {years(axis.months)}, %"
    return _Row(name, y, scale, numbers_below(ticks, sheet.type, LABEL_SIZE), tuple(at for _, at in ticks))


def years(months: float) -> str:
    """ "3 years", "1 year", "18 months"."""
    if months % 12:
        return f"{months:g} months"
    return f"{months / 12:g} year" + ("" if months == 12 else "s")


def _heads(sheet: Document, board: _Board, right: float) -> None:
    y = board.points.y
    sheet.text(right - 34, y + 1.5, "this patient", LABEL_SIZE, colour=PATIENT, align="right")
    sheet.text(right, y + 1.5, "points", LABEL_SIZE, colour=PATIENT, align="right")


def _axis(sheet: Document, row: _Row, x: float) -> None:
    left = row.scale.left
    _name(sheet, row, x, left - x - 8)
    start, end = row.length
    sheet.rule(start, row.y, end, row.y, width=0.7, colour=INK)
    for tick in row.ticks:
        sheet.rule(tick, row.y, tick, row.y + TICK, width=0.5, colour=INK)
    for label in row.labels:
        foot = row.y - 3.4 if label.above else row.y + TICK + LABEL_SIZE
        if label.above:
            sheet.rule(label.at, row.y, label.at, row.y - TICK, width=0.5, colour=INK)
        if abs(label.x - label.at) > 1.0:
            near = row.y - TICK if label.above else row.y + TICK
            beside = label.x - 0.5 * sheet.type.width(label.text, LABEL_SIZE) * (1 if label.x > label.at else -1)
            sheet.rule(label.at, near, beside, foot - 0.4 * LABEL_SIZE, width=0.3, colour=MUTED)
        sheet.text(label.x, foot, label.text, LABEL_SIZE, align="centre")


def _name(sheet: Document, row: _Row, x: float, room: float) -> None:
    """The axis' name, what follows its comma (the unit) smaller behind it; a long one in two lines about the axis."""
    name, _, unit = row.name.partition(", ")
    size = _NUMBER_SIZE
    lines = sheet.type.wrap(name, size, room, True)
    if len(lines) > 1:
        size = LABEL_SIZE + 0.4
        lines = sheet.type.wrap(name, size, room, True)
    behind = not unit or sheet.type.width(lines[-1], size, True) + 4 + sheet.type.width(unit, LABEL_SIZE) <= room
    y = row.y + 2.4 - 3.6 * (min(len(lines), 2) - 1 + (not behind))
    width = 0.0
    for line in lines[:2]:
        width = sheet.text(x, y, line, size, bold=True, max_width=room)
        y += 7.2
    at = (x + width + 4, y - 7.2) if behind else (x, y)
    sheet.text(*at, unit, LABEL_SIZE, colour=MUTED, max_width=room)


def _tint_missing(sheet: Document, finding: NomogramFinding, board: _Board) -> None:
    """The whole axis of a covariate that is not known, its labels too: every value of it remains possible."""
    for row, one in zip(board.covariates, finding.points, strict=True):
        if one.points is not None:
            continue
        halves = [(label.x, sheet.type.width(label.text, LABEL_SIZE) / 2) for label in row.labels]
        left = min(row.length[0], *(x - half for x, half in halves)) - 4
        right = max(row.length[1], *(x + half for x, half in halves)) + 4
        top = row.y - (10.0 if any(label.above for label in row.labels) else 4.0)
        bottom = row.y + TICK + LABEL_SIZE + 2.2
        sheet.box(left, top, right - left, bottom - top, fill=CAUTION_TINT, radius=2.0)


def _guides(sheet: Document, finding: NomogramFinding, board: _Board) -> None:
    """From each mark up to the points, and from the total down to each survival."""
    for row, one in zip(board.covariates, finding.points, strict=True):
        if one.points is not None and row.scale.holds(one.points):
            at = row.scale.x(one.points)
            _guide(sheet, at, board.points.y, row.y)
    if board.survival:
        for total in dict.fromkeys(finding.total_range):
            at = _kept(board.total.scale, total)
            _guide(sheet, at, board.total.y, board.survival[-1].y)


def _guide(sheet: Document, x: float, top: float, bottom: float) -> None:
    sheet.polygon([(x, top), (x, bottom)], stroke=GUIDE, width=0.6, closed=False, dash=(2.0, 1.6))


def _kept(scale: Scale, points: float) -> float:
    """Position of points; what lies far beyond the axis stands at the end of its overhang."""
    return min(max(scale.x(points), scale.left - OVERHANG), scale.right + OVERHANG)


def _diamond(sheet: Document, x: float, y: float, half: float = MARK) -> None:
    around = [(x, y - half), (x + half, y), (x, y + half), (x - half, y)]
    sheet.polygon(around, stroke=PAPER, width=0.7, fill=PATIENT)


def _pointer(sheet: Document, x: float, y: float, side: int) -> None:
    """A value further out than the drawing goes: an arrow's head towards it, to the right (1) or to the left (-1)."""
    around = [(x - side * MARK, y - MARK), (x + side * MARK, y), (x - side * MARK, y + MARK)]
    sheet.polygon(around, stroke=PAPER, width=0.7, fill=PATIENT)


def _span(sheet: Document, start: float, end: float, y: float) -> None:
    """What remains possible, as a bar with both its ends."""
    sheet.polygon([(start, y), (end, y)], stroke=PATIENT, width=2.2, closed=False)
    for x in (start, end):
        _diamond(sheet, x, y)


def _covariate_mark(sheet: Document, row: _Row, one: NomogramPoints, right: float) -> None:
    if one.points is None:
        sheet.text(right, row.y + 2.4, "not known", LABEL_SIZE + 0.6, bold=True, colour=CAUTION, align="right")
        return
    start, end = row.length
    outside = not start - 0.01 <= row.scale.x(one.points) <= end + 0.01
    at = _kept(row.scale, one.points)
    if abs(at - row.scale.x(one.points)) > 0.01:
        _pointer(sheet, at, row.y, 1 if at > row.scale.left else -1)
    else:
        _diamond(sheet, at, row.y)
    value = f"{one.value}, outside" if outside else str(one.value)
    room = READINGS - 48
    size = _NUMBER_SIZE if sheet.type.width(value, _NUMBER_SIZE, True) <= room else LABEL_SIZE
    sheet.text(right - 34, row.y + 2.4, value, size, bold=True, align="right", max_width=room)
    sheet.text(right, row.y + 2.4, f"{one.points:.0f}", _NUMBER_SIZE, colour=PATIENT, bold=True, align="right")


def _total_mark(sheet: Document, finding: NomogramFinding, row: _Row, right: float) -> None:
    low, high = finding.total_range
    if finding.total_points is not None:
        _diamond(sheet, _kept(row.scale, finding.total_points), row.y, 1.25 * MARK)
        text = f"{finding.total_points:.0f}"
    else:
        _span(sheet, _kept(row.scale, low), _kept(row.scale, high), row.y)
        text = f"{low:.0f} to {high:.0f}"
    sheet.text(right, row.y + 2.6, text, 8.6, colour=PATIENT, bold=True, align="right")
    sheet.rule(right - READINGS + 14, row.y - 9.5, right, row.y - 9.5, colour=HAIR)


def _survival_mark(
    sheet: Document, finding: NomogramFinding, row: _Row, scale: Scale, survival: SurvivalAt, right: float
) -> None:
    low, high = finding.total_range
    if finding.total_points is not None:
        _diamond(sheet, _kept(scale, finding.total_points), row.y)
    else:
        _span(sheet, _kept(scale, low), _kept(scale, high), row.y)
    if survival.probability is None:
        sheet.text(right, row.y + 2.6, survival_range(*survival.range), 8.6, colour=PATIENT, bold=True, align="right")
        return
    width = sheet.text(right, row.y + 2.6, survival_range(*survival.ci), LABEL_SIZE, colour=MUTED, align="right")
    text = survival_share(survival.probability)
    sheet.text(right - width - 5, row.y + 2.6, text, 8.6, colour=PATIENT, bold=True, align="right")
