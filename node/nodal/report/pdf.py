"""The report that people read: A4, vector graphics, every font embedded, the same bytes for the same input."""

from __future__ import annotations

from reportlab.lib.pagesizes import A4

from nodal.report.canonical import inputs_digest
from nodal.report.inputs import ReportInputs, Target
from nodal.report.pdf_back import clinical_record, not_computed, provenance, series
from nodal.report.pdf_first import first_sheet
from nodal.report.pdf_flow import Flow
from nodal.report.pdf_lesions import candidates, lesion_table
from nodal.report.pdf_sheet import Document
from nodal.report.pdf_words import han_style, patient

__all__ = ["TITLE", "render_pdf"]

TITLE = "FDG PET/CT lymphoma measurement"
_UNVERIFIED = "Automatic result, UNVERIFIED: not yet reviewed by a physician."


def render_pdf(inputs: ReportInputs, target: Target) -> bytes:
    """The report as PDF.

    First what a radiologist asks first: patient, projections, totals, scan quality, method, lesion table; then what
    was not counted or not computed and why, the series, and the provenance.

    Args:
        target: for whom; a report of measures alone is the same for every destination.
    """
    header, findings = inputs.pet_headers[0], inputs.findings
    who = patient(header, findings)
    digest = inputs_digest(inputs)
    flow = Flow(Document(A4, TITLE, han_style(header)), who.short)
    first_sheet(flow, inputs, who)
    lesion_table(flow, inputs)
    candidates(flow, findings)
    clinical_record(flow, findings)
    not_computed(flow, findings)
    series(flow, findings)
    provenance(flow, findings, digest)
    version = findings.provenance.node_version
    flow.footers(_UNVERIFIED, f"Nodal {version} · findings {digest[:16]}")
    return flow.document.save()
