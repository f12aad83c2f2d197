"""Key images: the right slices, outlines where the lesions are, each slice with its own rescaling."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from nodal.report.build import build
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.key_images import nearest_slice
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.sample import enhanced, sample_inputs
from tests.unit.report.test_validators import errors, run

pytestmark = pytest.mark.unit

REFERENCES = Target(Profile(key_images="references", sr="none", seg="none"), "measurements")
OUTLINED = Target(Profile(key_images="outlined", sr="none", seg="none"), "measurements")


def rescaled(inputs: ReportInputs) -> ReportInputs:
    """Each slice with a slope of its own, as PET has."""
    for k, header in enumerate(inputs.pet_headers):
        header.RescaleSlope, header.RescaleIntercept = f"{0.5 + 0.01 * k:.6g}", "0"
    return inputs


def as_enhanced(inputs: ReportInputs) -> ReportInputs:
    headers = enhanced(rescaled(inputs).pet_headers)
    for frame, header in zip(headers[0].PerFrameFunctionalGroupsSequence, reversed(inputs.pet_headers), strict=True):
        scale = Dataset()
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = header.RescaleSlope, "0", "US"
        frame.PixelValueTransformationSequence = [scale]
    del headers[0].RescaleSlope, headers[0].RescaleIntercept
    return replace(inputs, pet_headers=headers)


CASES: dict[str, Callable[[], ReportInputs]] = {
    "none": lambda: sample_inputs(0),
    "three": lambda: rescaled(sample_inputs(3)),
    "sixty": lambda: rescaled(sample_inputs(60)),
    "virtual": lambda: sample_inputs(2, virtual=True),
    "enhanced": lambda: as_enhanced(sample_inputs(3)),
}


@cache
def made(case: str, target: Target = OUTLINED) -> tuple[ReportInputs, list[ResultObject]]:
    inputs = CASES[case]()
    return inputs, [one for one in build(inputs, target) if one.kind in ("key_images", "outlines", "summary")]


def read(result: ResultObject) -> Dataset:
    return dcmread(io.BytesIO(result.data))


def selection(case: str, target: Target = OUTLINED) -> tuple[ReportInputs, Dataset]:
    inputs, built = made(case, target)
    [document] = [read(one) for one in built if one.kind == "key_images"]
    return inputs, document


def images(document: Dataset) -> list[Dataset]:
    return [item.ReferencedSOPSequence[0] for item in document.ContentSequence if item.ValueType == "IMAGE"]


@pytest.mark.parametrize("case", list(CASES))
def test_validators_find_no_fault(case: str, tmp_path: Path) -> None:
    for number, result in enumerate(made(case)[1]):
        if result.kind == "summary":
            continue
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(result.data)
        assert errors(path) == set(), result.kind
        if result.kind == "outlines":
            checked = run("dcmpschk", path)
            said = [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith(("E:", "F:"))]
            assert checked.returncode == 0, checked.stderr
            assert not said
        else:
            dumped = run("dsrdump", path)
            assert dumped.returncode == 0, dumped.stderr
            assert "E: " not in dumped.stderr


@pytest.mark.parametrize("case", ["three", "sixty"])
def test_each_lesion_has_its_pet_and_its_ct_slice(case: str) -> None:
    inputs, document = selection(case, REFERENCES)
    summary = next(one for one in made(case, REFERENCES)[1] if one.kind == "summary")
    pointed = [str(item.ReferencedSOPInstanceUID) for item in images(document)]
    assert pointed[0] == summary.sop_instance_uid
    expected = set()
    for lesion in inputs.findings.lesions:
        z = lesion.hottest_mm[2]
        for headers in (inputs.pet_headers, inputs.ct_headers):
            nearest = min(headers, key=lambda one: abs(float(one.ImagePositionPatient[2]) - z))
            if abs(float(nearest.ImagePositionPatient[2]) - z) <= 10:
                expected.add(str(nearest.SOPInstanceUID))
    assert set(pointed[1:]) == expected
    assert len(pointed) == len(set(pointed))
    listed = {
        str(one.ReferencedSOPInstanceUID)
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert listed == set(pointed)
    assert document.ConceptNameCodeSequence[0].CodeValue == "113000"


def test_the_description_says_what_limits_it() -> None:
    _, document = selection("virtual", REFERENCES)
    texts = {item.ConceptNameCodeSequence[0].CodeValue: item for item in document.ContentSequence}
    text = texts["113012"].TextValue  # Key Object Description
    assert text.startswith("Virtual patient")
    assert "Lesion 1 SUVmax" in text
    assert text.endswith("UNVERIFIED")
    assert document.QualityControlSubject == "YES"


def test_without_lesion_the_summary_is_the_key_image() -> None:
    _, document = selection("none")
    assert len(images(document)) == 1


def outlines(case: str) -> tuple[ReportInputs, list[Dataset]]:
    inputs, built = made(case)
    return inputs, [read(one) for one in built if one.kind == "outlines"]


@pytest.mark.parametrize("case", ["three", "sixty", "enhanced"])
def test_outlines_enclose_the_lesions_pixels(case: str) -> None:
    inputs, states = outlines(case)
    rows, columns = inputs.suv.array.shape[1:]
    centres = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) + 0.5
    drawn = set()
    for state in states:
        k = slice_of(inputs, state)
        for annotation in state.GraphicAnnotationSequence:
            number = int(annotation.GraphicLayer.removeprefix("LESION_"))
            inside = np.zeros(rows * columns, dtype=bool)
            for graphic in annotation.GraphicObjectSequence:
                points = np.array(graphic.GraphicData).reshape(-1, 2)
                assert (points[0] == points[-1]).all()
                inside ^= Polygon(points, closed=True).contains_points(centres)
            assert np.array_equal(inside.reshape(rows, columns), inputs.lesion_map.array[k] == number)
            drawn.add(number)
        on_slice = set(np.unique(inputs.lesion_map.array[k])) - {0}
        assert on_slice == {int(one.GraphicLayer.removeprefix("LESION_")) for one in state.GraphicAnnotationSequence}
    assert drawn == {lesion.number for lesion in inputs.findings.lesions}


def slice_of(inputs: ReportInputs, state: Dataset) -> int:
    [series] = state.ReferencedSeriesSequence
    [reference] = series.ReferencedImageSequence
    if "ReferencedFrameNumber" in reference:
        frames = inputs.pet_headers[0].PerFrameFunctionalGroupsSequence
        position = frames[int(reference.ReferencedFrameNumber) - 1].PlanePositionSequence[0].ImagePositionPatient
        return round(float(inputs.suv.index_kji([float(value) for value in position])[0]))
    uids = [header.SOPInstanceUID for header in inputs.pet_headers]
    return uids.index(reference.ReferencedSOPInstanceUID)


@pytest.mark.parametrize("case", ["three", "enhanced"])
def test_each_state_has_its_slices_rescaling_and_the_suv_window(case: str) -> None:
    inputs, states = outlines(case)
    for state in states:
        assert float(state.RescaleSlope) == pytest.approx(0.5 + 0.01 * slice_of(inputs, state))
        [window] = state.SoftcopyVOILUTSequence
        top = (float(window.WindowCenter) + float(window.WindowWidth) / 2) * inputs.findings.suv.factor
        assert top == pytest.approx(7.0, rel=1e-5)
        assert state.PresentationLUTShape == "INVERSE"
    assert len({state.SOPInstanceUID for state in states}) == len(states)
    assert len({state.SeriesInstanceUID for state in states}) == 1


def test_a_key_image_names_its_state() -> None:
    _, document = selection("three")
    states = {state.SOPInstanceUID: state for state in outlines("three")[1]}
    for item in images(document):
        if "ReferencedSOPSequence" in item:
            state = states[item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
            referenced = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
            assert referenced == item.ReferencedSOPInstanceUID
    named = [item for item in images(document) if "ReferencedSOPSequence" in item]
    assert len(named) == len(states) >= 1
    assert selection("three", REFERENCES)[1].SOPInstanceUID != document.SOPInstanceUID


def test_no_free_text_and_no_name_is_lost_or_added() -> None:
    for state in outlines("three")[1]:
        assert state.PatientName == "Specimen^Ada"
        assert "AdditionalPatientHistory" not in state


def test_a_point_beyond_the_ct_has_no_slice() -> None:
    inputs = sample_inputs(1)
    last = inputs.ct_headers[-1].ImagePositionPatient
    assert nearest_slice(inputs.ct_headers, [0.0, 0.0, float(last[2]) + 5.0]) is not None
    assert nearest_slice(inputs.ct_headers, [0.0, 0.0, float(last[2]) + 50.0]) is None


def test_same_input_same_bytes() -> None:
    again = [one for one in build(CASES["three"](), OUTLINED) if one.kind in ("key_images", "outlines", "summary")]
    assert again == made("three")[1]
