"""The report that people read: A4, vector graphics, every font embedded, the same bytes for the same input."""

from __future__ import annotations

from reportlab.lib.pagesizes import A4

from nodal.report.canonical import inputs_digest
from nodal.report.inputs import ReportInputs, Target
from nodal.report.marks import VIRTUAL_TITLE, WATERMARK
from nodal.report.pdf_attention import attention_section
from nodal.report.pdf_back import not_computed, provenance, series
from nodal.report.pdf_evidence import evidence_section
from nodal.report.pdf_first import first_sheet
from nodal.report.pdf_flow import Flow
from nodal.report.pdf_lesions import candidates, lesion_table
from nodal.report.pdf_method import method_section, quality_section
from nodal.report.pdf_nomogram_pages import nomogram_pages
from nodal.report.pdf_record import record_section
from nodal.report.pdf_sheet import Document
from nodal.report.pdf_words import han_style, patient
from nodal.report.system_words import shows_simulated
from nodal.report.verified import review_sentence

__all__ = ["TITLE", "render_pdf"]

TITLE = "FDG PET/CT lymphoma measurement"
_VIRTUAL = f"{VIRTUAL_TITLE}."

_LESIONS_FROM, _METHOD_FROM = 260.0, 300.0
"""Room that the lesions below a short summary, and the method below the lesions, want to begin there, in points."""


def render_pdf(inputs: ReportInputs, target: Target) -> bytes:
    """The report as PDF.

    First a summary for ten seconds, then the nomograms, the lesions, and last the method, the evidence and its limits,
    the clinical record, what was not computed and why, the series and the provenance.

    Args:
        target: for whom; a report of measures alone is the same for every destination.
    """
    header, findings = inputs.pet_headers[0], inputs.findings
    who = patient(header, findings)
    digest = inputs_digest(inputs)
    flow = Flow(Document(A4, TITLE, han_style(header)), who.short)
    first_sheet(flow, inputs, who)
    nomogram_pages(flow, findings)
    if findings.nomograms or flow.room < _LESIONS_FROM:
        flow.turn()
    lesion_table(flow, inputs)
    candidates(flow, inputs)
    attention_section(flow, inputs)
    flow.ensure(_METHOD_FROM)
    method_section(flow, findings)
    evidence_section(flow, findings)
    quality_section(flow, findings)
    record_section(flow, findings)
    not_computed(flow, findings)
    series(flow, findings)
    provenance(flow, findings, digest)
    if shows_simulated(findings):
        flow.document.watermark(WATERMARK)
    version = findings.provenance.node_version
    review = review_sentence(findings)
    state = f"{_VIRTUAL} {review}" if findings.virtual else review
    flow.footers(state, f"Nodal {version} · findings {digest[:16]}")
    return flow.document.save()
