"""The set of objects for a target."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from nodal.report.build import build
from nodal.report.inputs import ReportInputs, Target
from nodal.settings import Profile
from pydicom import dcmread

from tests.unit.report.judged import judged
from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "measurements")


def kinds(inputs: ReportInputs, **profile: str | bool) -> list[str]:
    return [result.kind for result in build(inputs, Target(Profile(**profile), "measurements"))]  # type: ignore[arg-type]


def test_the_set_follows_the_profile() -> None:
    inputs = sample_inputs(1)
    assert kinds(inputs) == ["seg", "sr", "pdf", "summary"]
    assert kinds(inputs, seg="none", sr="none", pdf="both") == ["pdf", "pdf_capture", "summary"]
    assert kinds(inputs, pdf="secondary_capture") == ["seg", "sr", "pdf_capture", "summary"]


def test_further_objects_are_made_where_asked_alone() -> None:
    assert kinds(sample_inputs(1), rtstruct=True) == ["seg", "sr", "pdf", "summary", "rtstruct"]
    assert kinds(sample_inputs(0), rtstruct=True, rotating_mip=True) == ["sr", "pdf", "summary", "rotating_mip"]
    assert kinds(sample_inputs(1), key_images="outlined")[-2:] == ["outlines", "key_images"]


def test_further_objects_change_no_other() -> None:
    inputs = sample_inputs(2)
    plain = build(inputs, OWN)
    asked = build(inputs, Target(Profile(rtstruct=True, rotating_mip=True, key_images="outlined"), "measurements"))
    assert asked[: len(plain)] == plain


def test_without_lesion_there_is_no_seg_but_all_else() -> None:
    assert kinds(sample_inputs(0)) == ["sr", "pdf", "summary"]


def test_twice_the_same_bytes_and_all_uids_are_the_objects_own() -> None:
    first, again = build(sample_inputs(3), OWN), build(sample_inputs(3), OWN)
    assert [result.data for result in first] == [result.data for result in again]
    read = [dcmread(io.BytesIO(result.data)) for result in first]
    assert len({dataset.SOPInstanceUID for dataset in read}) == 4
    assert len({dataset.SeriesInstanceUID for dataset in read}) == 4
    assert len({dataset.SeriesNumber for dataset in read}) == 4
    for dataset, result in zip(read, first, strict=True):
        assert dataset.SOPInstanceUID == result.sop_instance_uid
        assert dataset.StudyInstanceUID == sample_inputs(1).findings.study_instance_uid
        assert dataset.PatientID == "NODAL-0001"


@pytest.fixture(scope="module")
def uids_before() -> set[str]:
    return {result.sop_instance_uid for result in build(sample_inputs(2), OWN)}


@pytest.mark.parametrize(
    "change",
    [
        lambda i: with_findings(i, predecessor_sr_uid="2.25.7"),
        lambda i: with_findings(i, clinical=replace(i.findings.clinical, stage=4)),
        lambda i: replace(i, suv=i.suv.with_array(i.suv.array + np.float32(0.01))),
        lambda i: sample_inputs(2, PatientName="Married^Ada"),
        lambda i: sample_inputs(2, AccessionNumber="ACC0816"),
    ],
    ids=["predecessor", "clinical", "voxels", "name", "accession"],
)
def test_any_changed_input_is_a_new_identity(
    change: Callable[[ReportInputs], ReportInputs], uids_before: set[str]
) -> None:
    after = {result.sop_instance_uid for result in build(change(sample_inputs(2)), OWN)}
    assert len(after) == len(uids_before) == 4
    assert not uids_before & after


def test_what_lies_below_the_sixth_digit_changes_neither_uid_nor_byte() -> None:
    # Otherwise one UID would stand for two contents: an archive keeps the first and calls the second a duplicate.
    inputs = sample_inputs(2)
    totals = replace(inputs.findings.totals, tmtv_ml=inputs.findings.totals.tmtv_ml * (1 + 1e-9))
    changed = with_findings(inputs, totals=totals)
    assert [result.data for result in build(changed, OWN)] == [result.data for result in build(inputs, OWN)]


def test_numbers_in_the_sr_are_those_the_uid_was_made_of() -> None:
    inputs = sample_inputs(1)
    inputs = with_findings(inputs, totals=replace(inputs.findings.totals, sdmax_per_m=1 / 3))
    data = next(result.data for result in build(inputs, OWN) if result.kind == "sr")
    assert b"0.333333" in data
    assert b"0.3333333" not in data


def test_systems_above_the_limit_are_in_no_object_and_change_none() -> None:
    judged_by_two = judged(sample_inputs(1), "E0")
    unsent = build(judged_by_two, OWN)
    other = {
        name: replace(system, scores={"p_event_24m": 0.9}, endpoint={})
        for name, system in judged_by_two.findings.systems.items()
    }
    assert [r.data for r in unsent] == [r.data for r in build(with_findings(judged_by_two, systems=other), OWN)]
    assert any(b"systems.lamp: NOT_SENT" in result.data for result in unsent)
    assert not any(b"DeepMTS: " in result.data for result in unsent)


def test_sixty_lesions_give_every_object() -> None:
    results = build(sample_inputs(60), OWN)
    assert [result.kind for result in results] == ["seg", "sr", "pdf", "summary"]
    segmentation = dcmread(io.BytesIO(results[0].data))
    assert len(segmentation.SegmentSequence) == 60
