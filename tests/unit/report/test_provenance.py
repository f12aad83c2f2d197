"""Who took part: bundles by name, digest and evidence, in every object that rests on them."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from nodal.findings import BundleUsed
from nodal.report.build import build
from nodal.report.inputs import Target
from nodal.report.provenance import bundle_description, bundle_parameters, contour_qualifier, delineation
from nodal.report.seg import build_seg
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.judged import judged
from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit

ALL = Target(Profile(), "simulation_trained")
WORDS = "Simulation-trained, not for clinical use"


def equipment(dataset: Dataset) -> dict[str, str]:
    return {item.ManufacturerModelName: item.ContributionDescription for item in dataset.ContributingEquipmentSequence}


def test_every_object_names_the_bundles_that_took_part() -> None:
    for result in build(judged(sample_inputs(1), "E0"), ALL):
        named = equipment(dcmread(io.BytesIO(result.data)))
        assert set(named) == {"Nodal lymphoma node", "lamp", "deepmts"}, result.kind
        assert named["lamp"].startswith("LAMP, E0")
        assert WORDS in named["lamp"]
        assert named["lamp"].endswith(f"SHA-256 {'ab' * 32}")


def test_a_bundle_of_no_system_is_named_by_its_digest() -> None:
    findings = judged(sample_inputs(1)).findings
    assert bundle_description(findings, BundleUsed("segmenter", "1", "ee" * 32)) == (
        f"Trained bundle, SHA-256 {'ee' * 32}"
    )


def test_another_version_of_a_bundle_is_not_taken_for_it() -> None:
    findings = judged(sample_inputs(1)).findings
    system = replace(findings.systems["lamp"], version="0.9.2")
    assert "bundle_sha256" not in bundle_parameters("lamp", system, findings)
    assert bundle_parameters("lamp", findings.systems["lamp"], findings)["bundle_sha256"] == "ab" * 32


def test_an_interval_that_is_not_known_is_not_written() -> None:
    findings = judged(sample_inputs(1)).findings
    system = replace(findings.systems["lamp"], harrell_c={"pfs": (0.7, None, None)})
    assert bundle_parameters("lamp", system, findings)["harrell_c_pfs"] == "0.700"


def test_a_contour_by_a_simulation_trained_network_says_so_everywhere() -> None:
    inputs = sample_inputs(1)
    assert contour_qualifier(inputs.findings) == ""
    drawn = with_findings(inputs, segmentation=replace(inputs.findings.segmentation, method="network", evidence="E0"))
    assert delineation(drawn.findings).parameters["limits"] == WORDS
    seg = build_seg(drawn, ALL)
    assert seg is not None
    dataset = dcmread(io.BytesIO(seg.data))
    assert dataset.ContentDescription == WORDS
    assert all(WORDS in segment.SegmentDescription for segment in dataset.SegmentSequence)
    report = next(result for result in build(drawn, ALL) if result.kind == "sr")
    assert f"Lesion contours: {WORDS}".encode() in report.data
    plain = build_seg(inputs, ALL)
    assert plain is not None
    assert WORDS.encode() not in plain.data


def test_a_contour_by_a_locally_trained_network_has_no_such_words() -> None:
    inputs = sample_inputs(1)
    local = replace(inputs.findings.segmentation, method="network", evidence="E1")
    assert contour_qualifier(with_findings(inputs, segmentation=local).findings) == ""


@pytest.mark.parametrize("uid", ["1.2.3", None], ids=["DICOM", "NIfTI"])
def test_a_given_contour_is_no_threshold(uid: str | None) -> None:
    inputs = sample_inputs(1)
    given = replace(inputs.findings.segmentation, method="reference", reference_sop_instance_uid=uid)
    made = delineation(with_findings(inputs, segmentation=given).findings)
    assert (made.segment_type, made.family.meaning) == ("SEMIAUTOMATIC", "Manual Processing")
    assert made.parameters.get("reference") == uid
    assert delineation(inputs.findings).segment_type == "AUTOMATIC"
