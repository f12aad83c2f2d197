"""The report in DICOM's two wrappings."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from nodal.report.encapsulated import capture, encapsulate
from nodal.report.inputs import ReportInputs, Target
from nodal.report.pdf import render_pdf
from nodal.report.raster import rgb_pages
from nodal.settings import Profile
from pydicom import dcmread

from tests.unit.report.sample import sample_inputs
from tests.unit.report.test_validators import errors

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "measurements")
# Made once: nobody changes inputs.
made = cache(sample_inputs)


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return made(8)


@pytest.fixture(scope="module")
def pdf(inputs: ReportInputs) -> bytes:
    return render_pdf(inputs, OWN)


def test_the_document_comes_out_as_it_went_in(inputs: ReportInputs, pdf: bytes) -> None:
    dataset = dcmread(io.BytesIO(encapsulate(pdf, inputs, OWN).data))
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == pdf
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert dataset.BurnedInAnnotation == "YES"
    assert "Specimen" not in dataset.DocumentTitle
    referenced = {item.ReferencedSOPInstanceUID for item in dataset.SourceInstanceSequence}
    assert referenced == {header.SOPInstanceUID for header in (*inputs.pet_headers, *inputs.ct_headers)}


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_dciodvfy_finds_no_error(virtual: bool, partial: bool, tmp_path: Path) -> None:
    inputs = made(2, virtual=virtual, partial=partial)
    pdf = render_pdf(inputs, OWN)
    for name, result in (("pdf", encapsulate(pdf, inputs, OWN)), ("capture", capture(pdf, inputs, OWN))):
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(result.data)
        assert errors(path) == set(), name


def test_captured_pages_show_the_document(inputs: ReportInputs, pdf: bytes) -> None:
    dataset = dcmread(io.BytesIO(capture(pdf, inputs, OWN).data))
    assert dataset.NumberOfFrames == 2
    assert dataset.BurnedInAnnotation == "YES"
    pages = dataset.pixel_array
    assert pages.shape == (2, 1474, 1042, 3)
    for page in pages:
        ink = (page < 128).all(axis=-1)
        assert 0.005 < ink.mean() < 0.3
        assert not ink[:, :20].any()
        assert not ink[:, -20:].any()


def test_same_input_same_bytes(inputs: ReportInputs, pdf: bytes) -> None:
    again = sample_inputs(8)
    assert encapsulate(pdf, inputs, OWN) == encapsulate(pdf, again, OWN)
    assert capture(pdf, inputs, OWN) == capture(pdf, again, OWN)


def test_the_two_are_different_objects(inputs: ReportInputs, pdf: bytes) -> None:
    first, second = encapsulate(pdf, inputs, OWN), capture(pdf, inputs, OWN)
    assert (first.kind, second.kind) == ("pdf", "pdf_capture")
    assert first.sop_instance_uid != second.sop_instance_uid
    series = [dcmread(io.BytesIO(one.data)).SeriesInstanceUID for one in (first, second)]
    assert series[0] != series[1]


def test_pages_are_rendered_on_white_in_colour(pdf: bytes) -> None:
    pages = rgb_pages(pdf, 1.0)
    assert [page.shape for page in pages] == [(842, 596, 3)] * 2
    assert all((page[0, 0] == 255).all() for page in pages)
    assert np.ptp(pages[0].astype(int), axis=-1).max() > 60
