"""The summary image: projections with the lesions outlined, and the totals, as a Secondary Capture.

Nothing on the picture names the patient (Burned In Annotation NO): the archive's own header does.
"""

from __future__ import annotations

from nodal.findings import Findings
from nodal.report.capture import add_pixels, source_images
from nodal.report.identity import finish, start_object
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.lesion_words import unconfirmed
from nodal.report.marks import PARTIAL_TITLE, VIRTUAL_TITLE, marks
from nodal.report.pdf_mip import MipStyle, Paint, arrange, draw_legend, draw_projections, projections
from nodal.report.pdf_sheet import CAUTION, INK, MUTED, PAPER, Document
from nodal.report.pdf_words import amount, rule
from nodal.report.provenance import series_title
from nodal.report.raster import rgb_pages
from nodal.report.verified import verification_flag

__all__ = ["SERIES_NUMBER", "summary_image", "summary_pdf"]

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SERIES_NUMBER = 9903

_SIZE = 540.0
_MARGIN = 18.0
_PIXELS_PER_POINT = 2.0


def summary_image(inputs: ReportInputs, target: Target) -> ResultObject:
    """The summary as a Secondary Capture Image (PS3.3 A.8.1): RGB, 1080 x 1080, uncompressed."""
    dataset = start_object(
        inputs,
        target,
        kind="summary",
        sop_class_uid=SECONDARY_CAPTURE,
        modality="OT",
        series_number=SERIES_NUMBER,
        series_description=series_title("Summary", inputs.findings),
    )
    (pixels,) = rgb_pages(summary_pdf(inputs), _PIXELS_PER_POINT)
    add_pixels(dataset, pixels[None], names_patient=False)
    dataset.DerivationDescription = "Maximum intensity projections of the PET, lesions outlined"
    dataset.SourceImageSequence = source_images(inputs.pet_headers)
    return finish(dataset, "summary")


def summary_pdf(inputs: ReportInputs) -> bytes:
    """The summary as a one-page PDF without any patient name or identity."""
    sheet = Document((_SIZE, _SIZE), "FDG PET/CT summary")
    y = _head(sheet, inputs.findings)
    pictures = projections(inputs)
    style = MipStyle(label=8.4, gutter=24.0, gap=14.0, line=1.0, most_per_mm=2.2)
    width, bottom = _SIZE - 2 * _MARGIN, _SIZE - 34
    placed = arrange(pictures, width, bottom - y, style)
    doubtful = frozenset(lesion.number for lesion in unconfirmed(inputs.findings))
    left = _MARGIN + (width - placed.width) / 2
    draw_projections(sheet, pictures, left, y, placed, style, Paint(dashed=doubtful))
    draw_legend(sheet, _MARGIN, _SIZE - 12, 7.4, doubtful=bool(doubtful))
    version = f"Nodal {inputs.findings.provenance.node_version} · automatic, {verification_flag(inputs.findings)}"
    sheet.text(_SIZE - _MARGIN, _SIZE - 12, version, 7.4, colour=MUTED, align="right")
    return sheet.save()


def _head(sheet: Document, findings: Findings) -> float:
    """Title, totals, method and marks; returns where the pictures begin."""
    totals, width = findings.totals, _SIZE - 2 * _MARGIN
    y = _MARGIN
    if findings.virtual:
        sheet.box(0, 0, _SIZE, 20, fill=INK)
        sheet.text(
            _SIZE / 2,
            14,
            "VIRTUAL PATIENT · simulated images, not a person",
            10,
            bold=True,
            colour=PAPER,
            align="centre",
        )
        y += 20
    if totals.field_of_view == "partial":
        sheet.text(_MARGIN, y + 6, PARTIAL_TITLE, 11.5, bold=True, colour=CAUTION)
        y += 17
    volume = "TMTV" if totals.field_of_view == "whole" else "Volume"
    low, high = totals.tmtv_range_ml
    parts = [
        f"{volume} {amount(totals.tmtv_ml, 'mL')}",
        *([f"(to {amount(high)} with unconfirmed)"] if high - low > 0.05 else []),
        f"TLG {amount(totals.tlg_g, 'g')}",
        f"SUVmax {amount(totals.suv_max)}",
        f"SUVpeak {amount(totals.suv_peak)}",
        f"{totals.lesion_count} lesion{'' if totals.lesion_count == 1 else 's'}",
    ]
    if totals.dmax_mm is not None and totals.lesion_count > 1:
        parts.append(f"Dmax {amount(totals.dmax_mm, 'mm', digits=0)}")
    none = "No accepted lesion" if findings.lesions else "No FDG-avid lesion"
    line = "   ".join(parts) if totals.lesion_count else none
    size = min(13.0, 13.0 * width / sheet.type.width(line, 13.0, True))
    sheet.text(_MARGIN, y + 7, line, size, bold=True)
    y = sheet.paragraph(
        _MARGIN,
        y + 21,
        f"{rule(findings.segmentation)} · SUV body weight, g/mL",
        8.2,
        width,
        colour=MUTED,
        leading=1.3,
    )
    holds = [mark for mark in marks(findings) if mark not in (VIRTUAL_TITLE, PARTIAL_TITLE)]
    if holds:
        y = sheet.paragraph(_MARGIN, y, "  ·  ".join(holds), 8.2, width, bold=True, colour=CAUTION, leading=1.3)
    return y - 2
