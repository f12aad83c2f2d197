"""The report as DICOM: the PDF itself, or its pages as pictures for archives that take no documents."""

from __future__ import annotations

import numpy as np

from nodal.report.capture import add_pixels, references, source_images
from nodal.report.codes import PET_MEASUREMENT_REPORT, code_item
from nodal.report.identity import content_instant, finish, start_object
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.pdf import TITLE
from nodal.report.provenance import series_title
from nodal.report.raster import rgb_pages
from nodal.report.verified import verification_flag

__all__ = ["ENCAPSULATED_PDF", "MULTI_FRAME_TRUE_COLOUR", "SERIES_NUMBER", "capture", "encapsulate"]

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
MULTI_FRAME_TRUE_COLOUR = "1.2.840.10008.5.1.4.1.1.7.4"
SERIES_NUMBER = 9904
CAPTURE_SERIES_NUMBER = 9905

_PIXELS_PER_POINT = 1.75
"""126 dots an inch: small print stays legible, a page stays near 4.6 MB."""


def encapsulate(pdf: bytes, inputs: ReportInputs, target: Target) -> ResultObject:
    """The PDF as an Encapsulated PDF object (PS3.3 A.45.1), with every PET and CT instance it was made from.

    Args:
        pdf: what :func:`nodal.report.pdf.render_pdf` gave for the same inputs and target.
    """
    dataset = start_object(
        inputs,
        target,
        kind="pdf",
        sop_class_uid=ENCAPSULATED_PDF,
        modality="DOC",
        series_number=SERIES_NUMBER,
        series_description=series_title("Report", inputs.findings),
    )
    dataset.ConversionType = "SYN"
    dataset.AcquisitionDateTime = "".join(content_instant(inputs.findings))
    dataset.BurnedInAnnotation = "YES"
    dataset.VerificationFlag = verification_flag(inputs.findings)
    dataset.SourceInstanceSequence = references((*inputs.pet_headers, *inputs.ct_headers))
    dataset.DocumentTitle = TITLE
    dataset.ConceptNameCodeSequence = [code_item(PET_MEASUREMENT_REPORT)]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return finish(dataset, "pdf")


def capture(pdf: bytes, inputs: ReportInputs, target: Target) -> ResultObject:
    """The PDF's pages as a Multi-frame True Color Secondary Capture (PS3.3 A.8.5), one frame a page.

    Args:
        pdf: as for :func:`encapsulate`.
    """
    dataset = start_object(
        inputs,
        target,
        kind="pdf_capture",
        sop_class_uid=MULTI_FRAME_TRUE_COLOUR,
        modality="OT",
        series_number=CAPTURE_SERIES_NUMBER,
        series_description=series_title("Report", inputs.findings),
    )
    pages = np.stack(rgb_pages(pdf, _PIXELS_PER_POINT))
    add_pixels(dataset, pages, names_patient=True)
    dataset.NumberOfFrames = len(pages)
    # Pages have no order in time or space: the frame increment points at a label for each (PS3.3 C.8.6.4).
    dataset.FrameIncrementPointer = 0x00182002
    dataset.FrameLabelVector = [f"Page {number}" for number in range(1, len(pages) + 1)]
    dataset.SourceImageSequence = source_images(inputs.pet_headers)
    return finish(dataset, "pdf_capture")
