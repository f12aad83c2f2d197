"""All result objects of one study for one target."""

from __future__ import annotations

from dataclasses import replace

from nodal.report.canonical import canonical_findings
from nodal.report.encapsulated import capture, encapsulate
from nodal.report.fhir_report import fhir_report
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.key_images import key_images
from nodal.report.outlines import lesion_outlines
from nodal.report.pdf import render_pdf
from nodal.report.release import release
from nodal.report.rotating_mip import rotating_mip
from nodal.report.rtstruct import structure_set
from nodal.report.seg import build_seg
from nodal.report.sr import build_sr
from nodal.report.summary import summary_image

__all__ = ["build"]


def build(inputs: ReportInputs, target: Target) -> tuple[ResultObject, ...]:
    """Builds what the target can take, from what it may see: SEG, SR, PDF (either form), summary image, and what its
    profile asks for beside them.

    A pure function: the same inputs and target give the same bytes. Numbers are written at the six significant
    digits that enter the UIDs, so that one UID never stands for two contents.

    Returns:
        the objects in the order in which they should be sent: what is referred to comes first. For a FHIR server the
        FHIR report alone.
    """
    findings = canonical_findings(release(inputs.findings, target.accepts))
    inputs = replace(inputs, findings=findings)
    if target.fhir is not None:
        return (fhir_report(render_pdf(inputs, target), inputs, target),)
    seg = build_seg(inputs, target)
    built = [seg, build_sr(inputs, target, seg)]
    pdf = render_pdf(inputs, target)
    if target.profile.pdf in ("encapsulated", "both"):
        built.append(encapsulate(pdf, inputs, target))
    if target.profile.pdf in ("secondary_capture", "both"):
        built.append(capture(pdf, inputs, target))
    summary, outlines = summary_image(inputs, target), lesion_outlines(inputs, target)
    built += [summary, rotating_mip(inputs, target), structure_set(inputs, target)]
    built += [*outlines, key_images(inputs, target, summary, outlines)]
    return tuple(result for result in built if result is not None)
