"""The lesion table, and the candidates that were not taken for lesions."""

from __future__ import annotations

from collections.abc import Sequence

from nodal.findings import Findings, Lesion
from nodal.report.inputs import ReportInputs
from nodal.report.pdf_flow import LABEL, LEFT, RIGHT, Column, Flow
from nodal.report.pdf_mip import lesion_ink
from nodal.report.pdf_sheet import MUTED, Document
from nodal.report.pdf_words import UNKNOWN, amount
from nodal.report.system_words import SIMULATION_TRAINED, system_title

__all__ = ["candidates", "lesion_table"]

_ROW = 14.2
_HEAD = 21.0

_SITE_WIDTH = 142.0
_ATTENTION_WIDTH = 38.0
_MOST_ATTENTION = 2
"""Systems whose attention has room beside the measures."""


def _columns(sheet: Document, attention: Sequence[str]) -> tuple[Column, ...]:
    """The table's columns; each system's attention stands last, and the sites give way to it."""
    names = [system_title(name) for name in attention]
    widths = [max(_ATTENTION_WIDTH, sheet.type.width(name, LABEL, True) + 8) for name in names]
    shift = sum(widths)
    fixed = (
        Column("Lesion", "", LEFT + 26),
        Column("Site", "", LEFT + 40, "left", _SITE_WIDTH - shift),
        Column("Volume", "mL", LEFT + 222 - shift),
        Column("SUVmax", "g/mL", LEFT + 266 - shift),
        Column("SUVpeak", "g/mL", LEFT + 312 - shift),
        Column("SUVmean", "g/mL", LEFT + 360 - shift),
        Column("TLG", "g", LEFT + 406 - shift),
        Column("Diameter", "mm, longest", LEFT + 458 - shift),
        Column("Hottest", "PET image", RIGHT - shift),
    )
    places = (RIGHT - sum(widths[n + 1 :]) for n in range(len(widths)))
    return (*fixed, *(Column(name, "weight, %", at) for name, at in zip(names, places, strict=True)))


def lesion_table(flow: Flow, inputs: ReportInputs) -> None:
    """One row for each lesion, its colour as in the projections; the head is repeated on every sheet."""
    lesions = inputs.findings.lesions
    if not lesions:
        return
    flow.heading("Lesions" if len(lesions) > 1 else "Lesion", needed=_HEAD + min(len(lesions), 3) * _ROW)
    attention = sorted({name for lesion in lesions for name in lesion.attention})[:_MOST_ATTENTION]
    columns = _columns(flow.document, attention)
    flow.table_head(columns)
    for lesion in lesions:
        if flow.ensure(_ROW):
            flow.table_head(columns)
        red_green_blue = lesion_ink(lesion.number)
        flow.document.box(LEFT, flow.y + 3.4, 7.2, 7.2, fill=red_green_blue)
        if lesion.status == "to_confirm":
            flow.document.box(LEFT + 1.2, flow.y + 4.6, 4.8, 4.8, fill=(1, 1, 1))
        flow.table_row(columns, _cells(lesion, inputs, attention), _ROW)
    flow.y += 4
    notes = []
    if any(lesion.status == "to_confirm" for lesion in lesions):
        notes.append("Hollow square: to be confirmed by a reader.")
    if not any(lesion.station or lesion.organ for lesion in lesions):
        notes.append("Sites are not named: no organ map was available.")
    if attention:
        notes.append("Weight: the share of a model's attention that the lesion has; not a share of the risk.")
    simulated = [n for n in attention if n in inputs.findings.systems and inputs.findings.systems[n].evidence == "E0"]
    notes += [f"{system_title(name)}: {SIMULATION_TRAINED.lower()}." for name in simulated]
    if notes:
        flow.paragraph(" ".join(notes), size=7.2, colour=MUTED)
    flow.y += 12


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
        _image_number(lesion, inputs),
        *(f"{100 * lesion.attention[name]:.1f}" if name in lesion.attention else UNKNOWN for name in attention),
    )


def _image_number(lesion: Lesion, inputs: ReportInputs) -> str:
    """Instance Number of the PET image with the hottest voxel: where a reader scrolls to."""
    k = round(float(inputs.suv.index_kji(lesion.hottest_mm)[0]))
    if not 0 <= k < len(inputs.pet_headers):
        return UNKNOWN
    return str(inputs.pet_headers[k].get("InstanceNumber") or UNKNOWN)


def candidates(flow: Flow, findings: Findings) -> None:
    """Avid components that were judged not to be lesions: shown, so that a reader can disagree."""
    rejected = findings.rejected_candidates
    if not rejected:
        return
    columns = (
        Column("Organ", "", LEFT, "left", 180.0),
        Column("Volume", "mL", LEFT + 222),
        Column("SUVmax", "g/mL", LEFT + 266),
        Column("Probability of lesion", "", LEFT + 360),
    )
    flow.heading("Avid regions not counted as lesions", needed=_HEAD + _ROW)
    flow.table_head(columns)
    for one in rejected:
        if flow.ensure(_ROW):
            flow.table_head(columns)
        probability = UNKNOWN if one.p_lesion is None else f"{100 * one.p_lesion:.0f} %"
        organ = (one.organ or UNKNOWN).replace("_", " ")
        flow.table_row(columns, (organ, amount(one.volume_ml), amount(one.suv_max), probability), _ROW)
    flow.y += 16
