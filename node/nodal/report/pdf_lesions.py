"""The lesion table, and the candidates that were not taken for lesions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nodal.findings import Findings, Lesion
from nodal.report.inputs import ReportInputs
from nodal.report.lesion_words import ATTENTION_MEANING, judged_by_words, organ_name, percent_of, unconfirmed
from nodal.report.pdf_flow import LABEL, LEFT, RIGHT, WIDTH, Column, Flow
from nodal.report.pdf_mip import lesion_ink
from nodal.report.pdf_sheet import MUTED, Document
from nodal.report.pdf_words import UNKNOWN, amount
from nodal.report.system_words import SIMULATION_TRAINED, system_title

__all__ = ["candidates", "lesion_table"]

_ROW = 14.2
_HEAD = 21.0

_SITE = 40.0
_ATTENTION_WIDTH = 38.0
_STATUS_WIDTH = 66.0
_MOST_ATTENTION = 2
"""Systems whose attention has room beside the measures."""

# Title, unit and width of the measures, which stand in a row at the right of the site.
_MEASURES = (
    ("Volume", "mL", 40.0),
    ("SUVmax", "g/mL", 40.0),
    ("SUVpeak", "g/mL", 42.0),
    ("SUVmean", "g/mL", 43.0),
    ("TLG", "g", 44.0),
    ("Diameter", "mm, longest", 48.0),
    ("Hottest", "PET image", 46.0),
)


def _columns(sheet: Document, attention: Sequence[str], judged: bool) -> tuple[Column, ...]:
    """The table's columns; status and attention stand last, and the sites give way to them."""
    names = [(system_title(name), "weight, %") for name in attention]
    widths = [max(_ATTENTION_WIDTH, sheet.type.width(name, LABEL, True) + 8) for name, _ in names]
    right = [*_MEASURES, *((*name, width) for name, width in zip(names, widths, strict=True))]
    right += [("Lesion?", "probability", _STATUS_WIDTH)] if judged else []
    begin = WIDTH - sum(width for *_, width in right)
    ends = LEFT + begin + np.cumsum([width for *_, width in right])
    site = Column("Site", "", LEFT + _SITE, "left", begin - _SITE)
    columns = (Column(title, unit, float(end), "right") for (title, unit, _), end in zip(right, ends, strict=True))
    return (Column("Lesion", "", LEFT + 26), site, *columns)


def lesion_table(flow: Flow, inputs: ReportInputs) -> None:
    """One row for each lesion, its colour as in the projections; the head is repeated on every sheet."""
    lesions = inputs.findings.lesions
    if not lesions:
        return
    flow.heading("Lesions" if len(lesions) > 1 else "Lesion", needed=_HEAD + min(len(lesions), 3) * _ROW)
    attention = sorted({name for lesion in lesions for name in lesion.attention})[:_MOST_ATTENTION]
    judged = any(lesion.p_lesion is not None or lesion.status == "to_confirm" for lesion in lesions)
    columns = _columns(flow.document, attention, judged)
    flow.table_head(columns)
    for lesion in lesions:
        if flow.ensure(_ROW):
            flow.table_head(columns)
        red_green_blue = lesion_ink(lesion.number)
        flow.document.box(LEFT, flow.y + 3.4, 7.2, 7.2, fill=red_green_blue)
        if lesion.status == "to_confirm":
            flow.document.box(LEFT + 1.2, flow.y + 4.6, 4.8, 4.8, fill=(1, 1, 1))
        flow.table_row(columns, (*_cells(lesion, inputs, attention), *((_status(lesion),) if judged else ())), _ROW)
    flow.y += 4
    flow.paragraph(" ".join(_notes(inputs.findings, attention)), size=7.2, colour=MUTED)
    flow.y += 12


def _notes(findings: Findings, attention: Sequence[str]) -> list[str]:
    """What must be known to read the table."""
    lesions = findings.lesions
    notes = []
    if unconfirmed(findings):
        notes.append("Hollow square, dashed outline: to be confirmed by a reader; such a lesion counts in no total.")
    if any(lesion.decided_by == "person" for lesion in lesions):
        notes.append("Person: a reader took it for a lesion.")
    if words := judged_by_words(findings):
        notes.append(f"{words}.")
    if not any(lesion.station or lesion.organ for lesion in lesions):
        notes.append("Sites are not named: no organ map was available.")
    if attention:
        notes.append(f"Weight: the share of a model's attention that the lesion has. {ATTENTION_MEANING}.")
    simulated = [n for n in attention if n in findings.systems and findings.systems[n].evidence == "E0"]
    return notes + [f"{system_title(name)}: {SIMULATION_TRAINED.lower()}." for name in simulated]


def _status(lesion: Lesion) -> str:
    """ "92 %", "to confirm 52 %" or "person 52 %"."""
    said = {"to_confirm": "to confirm", "accepted": "person" if lesion.decided_by == "person" else ""}
    share = "" if lesion.p_lesion is None else percent_of(lesion.p_lesion)
    return f"{said[lesion.status]} {share}".strip() or UNKNOWN


def _cells(lesion: Lesion, inputs: ReportInputs, attention: Sequence[str]) -> tuple[str, ...]:
    site = ", ".join(part.replace("_", " ") for part in (lesion.station, lesion.organ) if part)
    return (
        str(lesion.number),
        site or UNKNOWN,
        amount(lesion.volume_ml, digits=1),
        amount(lesion.suv_max),
        amount(lesion.suv_peak),
        amount(lesion.suv_mean),
        amount(lesion.tlg_g, digits=1),
        amount(lesion.longest_diameter_mm, digits=0),
        _image_number(lesion.hottest_mm, inputs),
        *(f"{100 * lesion.attention[name]:.1f}" if name in lesion.attention else UNKNOWN for name in attention),
    )


def _image_number(hottest_mm: tuple[float, float, float] | None, inputs: ReportInputs) -> str:
    """Instance Number of the PET image with the hottest voxel: where a reader scrolls to."""
    if hottest_mm is None:
        return UNKNOWN
    k = round(float(inputs.suv.index_kji(hottest_mm)[0]))
    if not 0 <= k < len(inputs.pet_headers):
        return UNKNOWN
    return str(inputs.pet_headers[k].get("InstanceNumber") or UNKNOWN)


def candidates(flow: Flow, inputs: ReportInputs) -> None:
    """Avid components that were judged not to be lesions: shown, so that a reader can disagree."""
    rejected = inputs.findings.rejected_candidates
    if not rejected:
        return
    columns = (
        Column("Number", "", LEFT + 30),
        Column("Organ", "", LEFT + _SITE, "left", 150.0),
        Column("Volume", "mL", LEFT + 232),
        Column("SUVmax", "g/mL", LEFT + 276),
        Column("Hottest", "PET image", LEFT + 326),
        Column("Lesion?", "probability", LEFT + 376),
        Column("", "", LEFT + 392, "left", RIGHT - LEFT - 392),
    )
    flow.heading("Not taken for lesions", needed=_HEAD + _ROW)
    flow.table_head(columns)
    for one in rejected:
        if flow.ensure(_ROW):
            flow.table_head(columns)
        cells = (
            UNKNOWN if one.number is None else str(one.number),
            organ_name(one.organ) if one.organ else UNKNOWN,
            amount(one.volume_ml),
            amount(one.suv_max),
            _image_number(one.hottest_mm, inputs),
            UNKNOWN if one.p_lesion is None else percent_of(one.p_lesion),
            "left out by a person" if one.decided_by == "person" else "",
        )
        flow.table_row(columns, cells, _ROW)
    flow.y += 4
    note = "FDG-avid regions that count in no total. The node's page takes one back with a click."
    flow.paragraph(note, size=7.2, colour=MUTED)
    flow.y += 12
