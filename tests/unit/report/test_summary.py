"""The summary image: totals and projections, nobody's name, valid DICOM."""

from __future__ import annotations

import io
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from nodal.report.colours import lesion_colour
from nodal.report.inputs import ReportInputs, Target
from nodal.report.summary import summary_image, summary_pdf
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.sample import sample_inputs
from tests.unit.report.test_validators import errors

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "measurements")
# Made once: nobody changes inputs.
made = cache(sample_inputs)


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return made(3)


@pytest.fixture(scope="module")
def image(inputs: ReportInputs) -> Dataset:
    return dcmread(io.BytesIO(summary_image(inputs, OWN).data))


def text_of(inputs: ReportInputs, folder: Path) -> str:
    path = folder / "summary.pdf"
    path.write_bytes(summary_pdf(inputs))
    said = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return " ".join(said.stdout.split())


def test_it_is_a_colour_picture_of_the_study(image: Dataset, inputs: ReportInputs) -> None:
    assert image.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert (image.PhotometricInterpretation, image.SamplesPerPixel) == ("RGB", 3)
    assert image.BurnedInAnnotation == "NO"
    assert image.StudyInstanceUID == inputs.findings.study_instance_uid
    assert image.PatientName == "Specimen^Ada"
    referenced = [item.ReferencedSOPInstanceUID for item in image.SourceImageSequence]
    assert referenced == [header.SOPInstanceUID for header in inputs.pet_headers]
    assert image.pixel_array.shape == (1080, 1080, 3)


@pytest.mark.parametrize("lesions", [0, 1, 60])
@pytest.mark.parametrize("virtual", [False, True])
def test_dciodvfy_finds_no_error(lesions: int, virtual: bool, tmp_path: Path) -> None:
    path = tmp_path / "summary.dcm"
    path.write_bytes(summary_image(made(lesions, virtual=virtual), OWN).data)
    assert errors(path) == set()


def test_every_lesion_is_outlined_in_its_colour(image: Dataset, inputs: ReportInputs) -> None:
    pixels = image.pixel_array.astype(int)
    for lesion in inputs.findings.lesions:
        near = np.abs(pixels - np.array(lesion_colour(lesion.number))).max(axis=-1) <= 2
        assert near.sum() > 20  # an outline of some millimetres, in two pictures


def test_projection_is_in_the_picture(image: Dataset) -> None:
    grey = image.pixel_array.astype(int)
    neutral = (np.ptp(grey, axis=-1) <= 2) & (grey[..., 0] > 60) & (grey[..., 0] < 235)
    assert neutral.sum() > 5000


def test_nobody_is_named(inputs: ReportInputs, tmp_path: Path) -> None:
    text = text_of(inputs, tmp_path)
    for private in ("Specimen", "Ada", "NODAL-0001", "1958", "2024", "ACC0815", "Referrer"):
        assert private not in text


def test_totals_method_and_marks_are_said(inputs: ReportInputs, tmp_path: Path) -> None:
    text = text_of(inputs, tmp_path)
    totals = inputs.findings.totals
    for expected in (
        f"TMTV {totals.tmtv_ml:.1f} mL", f"SUVmax {totals.suv_max:.1f}", "3 lesions", "Dmax 612 mm", "SUV ≥ 4.0",
        "g/mL", "SUV 0", "7 and above", "Physiological uptake not removed", "UNVERIFIED", "coronal", "sagittal",
    ):  # fmt: skip
        assert expected in text, expected
    assert "Limited field of view, not whole-body TMTV" in text_of(made(2, partial=True), tmp_path)
    assert "VIRTUAL PATIENT" in text_of(made(2, virtual=True), tmp_path)
    assert "No FDG-avid lesion" in text_of(made(0), tmp_path)
    assert "1 lesion " in text_of(made(1), tmp_path)


def test_same_input_same_bytes(inputs: ReportInputs) -> None:
    assert summary_image(inputs, OWN) == summary_image(sample_inputs(3), OWN)
