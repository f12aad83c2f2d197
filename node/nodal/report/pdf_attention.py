"""What a model looked at: lesions coloured by its attention, and the organs that each was compared with most."""

from __future__ import annotations

from collections.abc import Sequence

from nodal.findings import Lesion
from nodal.report.colours import weight_colour
from nodal.report.inputs import ReportInputs
from nodal.report.lesion_words import ATTENTION_MEANING, attending, organs_words, percent_of, unconfirmed
from nodal.report.pdf_flow import LEFT, RIGHT, WIDTH, Flow
from nodal.report.pdf_mip import MipStyle, Paint, arrange, draw_projections, projections
from nodal.report.pdf_sheet import CAUTION, HAIR, MUTED, Colour, Document
from nodal.report.system_words import SIMULATION_TRAINED, system_title

__all__ = ["attention_section"]

_PICTURES = 250.0
_HEIGHT = 232.0
_STYLE = MipStyle(label=5.2, gutter=15.0, gap=3.0, line=0.5)
_GREY = 0.45
"""Strength of the projection: pale enough for the colours to stand out."""
_ROW = 10.8
_SIZE = 7.4
_GUTTER = 22.0
_STEPS = 24
"""Of the scale's bar: as many as an eye can tell apart and more."""
_MOST_ORGANS = 3


def attention_section(flow: Flow, inputs: ReportInputs) -> None:
    """For each system that weighed the lesions, the coloured projections beside the list of lesions and organs."""
    for name in attending(inputs.findings):
        _system(flow, inputs, name)


def _system(flow: Flow, inputs: ReportInputs, name: str) -> None:
    findings = inputs.findings
    weights = {one.number: one.attention[name] for one in findings.lesions if name in one.attention}
    # Above the pictures stand what attention means, in two lines at most, and where it comes from.
    flow.heading(f"Attention of {system_title(name)}", needed=_HEIGHT + 50)
    system = findings.systems.get(name)
    if system is not None and system.evidence == "E0":
        flow.paragraph(f"{SIMULATION_TRAINED}.", size=7.2, colour=CAUTION, bold=True)
    flow.paragraph(f"{ATTENTION_MEANING}.", size=7.2, colour=MUTED)
    flow.y += 4
    top = flow.y
    bottom = _pictures(flow, inputs, weights, top)
    compared = [one for one in findings.lesions if name in one.context and one.number in weights]
    if compared:  # the weights alone stand in the lesions' table
        _list(flow, sorted(compared, key=lambda one: -weights[one.number]), name, bottom)
    else:
        flow.y = bottom
    flow.y += 14


def _pictures(flow: Flow, inputs: ReportInputs, weights: dict[int, float], y: float) -> float:
    """The projections with filled lesions and the scale; returns where they end."""
    most = max(weights.values())
    paint = Paint(
        dashed=frozenset(one.number for one in unconfirmed(inputs.findings)),
        fills={number: _ink(weight / most if most else 0.0) for number, weight in weights.items()},
        order=weights,
        grey=_GREY,
    )
    pictures = projections(inputs)
    placed = arrange(pictures, _PICTURES, _HEIGHT, _STYLE)
    draw_projections(flow.document, pictures, LEFT - 0.55 * _STYLE.gutter, y, placed, _STYLE, paint)
    end = y + placed.height + 11
    _scale(flow.document, LEFT, end, most)
    return end + 4


def _ink(share: float) -> Colour:
    red, green, blue = weight_colour(share)
    return red / 255, green / 255, blue / 255


def _scale(sheet: Document, x: float, y: float, most: float) -> None:
    """A bar from nothing to the largest weight of this patient; baseline at y."""
    x += sheet.text(x, y, "Weight 0 ", 6.4, colour=MUTED)
    width = 72.0 / _STEPS
    for step in range(_STEPS):
        sheet.box(x + step * width, y - 5.0, width + 0.2, 5.6, fill=_ink((step + 0.5) / _STEPS))
    sheet.box(x, y - 5.0, 72.0, 5.6, stroke=HAIR, line=0.4)
    sheet.text(x + 72.0, y, f" {percent_of(most)}, the largest here", 6.4, colour=MUTED)


def _list(flow: Flow, lesions: Sequence[Lesion], name: str, bottom: float) -> None:
    """Lesions by descending weight: beside the pictures as many as fit, the others below in two columns."""
    title = "Lesion, weight, organs that it was compared with most"
    sheet, x = flow.document, LEFT + _PICTURES + _GUTTER
    sheet.text(x, flow.y + 6, title, 6.8, bold=True, colour=MUTED)
    sheet.rule(x, flow.y + 10, RIGHT, flow.y + 10, colour=MUTED, width=0.6)
    beside = int((bottom - flow.y - 12) // _ROW)
    y = flow.y + 12
    for one in lesions[:beside]:
        _row(sheet, one, name, x, y, RIGHT - x)
        y += _ROW
    flow.y = max(bottom, y) + 6
    rest, width = lesions[beside:], (WIDTH - _GUTTER) / 2
    while rest:
        flow.ensure(2 * _ROW)
        count = min(-(-len(rest) // 2), int(flow.room // _ROW))
        for index, one in enumerate(rest[: 2 * count]):
            column, line = divmod(index, count)
            _row(flow.document, one, name, LEFT + column * (width + _GUTTER), flow.y + line * _ROW, width)
        flow.y += count * _ROW
        rest = rest[2 * count :]


def _row(sheet: Document, lesion: Lesion, name: str, x: float, y: float, width: float) -> None:
    baseline = y + 0.72 * _ROW
    sheet.text(x + 14, baseline, str(lesion.number), _SIZE, bold=True, align="right")
    sheet.text(x + 48, baseline, f"{100 * lesion.attention[name]:.1f} %", _SIZE, align="right")
    organs = _fitting(sheet, lesion.context.get(name, ()), width - 56)
    sheet.text(x + 56, baseline, organs, _SIZE, max_width=width - 56)
    sheet.rule(x, y + _ROW, x + width, y + _ROW, width=0.3)


def _fitting(sheet: Document, organs: tuple[tuple[str, float], ...], width: float) -> str:
    """As many organs as have room, but one at least."""
    choices = (organs_words(organs, most) for most in range(_MOST_ORGANS, 1, -1))
    fitting = (words for words in choices if sheet.type.width(words, _SIZE, False) <= width)
    return next(fitting, organs_words(organs, 1))
