"""The FHIR report: valid, complete, addressed to the right patient, and nothing that may not leave."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from nodal.report.build import build
from nodal.report.canonical import canonical_findings
from nodal.report.inputs import FhirForm, ReportInputs, ResultObject, Target
from nodal.report.pdf import render_pdf
from nodal.report.release import release
from nodal.settings import Accepts, Profile

from tests.unit.report.judged import judged
from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit

KNOWN = FhirForm((("HOSPITAL", "urn:example:mrn"),))


def made(inputs: ReportInputs, accepts: Accepts = "measurements", form: FhirForm = KNOWN) -> ResultObject:
    [result] = build(inputs, Target(Profile(), accepts, form))
    return result


def read(result: ResultObject) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The DiagnosticReport and the Observations."""
    bundle = json.loads(result.data)
    Bundle.model_validate(bundle)
    first, *others = [entry["resource"] for entry in bundle["entry"]]
    assert first["resourceType"] == "DiagnosticReport"
    assert {one["resourceType"] for one in others} == {"Observation"}
    return first, others


@cache
def plain() -> ResultObject:
    return made(sample_inputs(3))


def quantities(observations: list[dict[str, Any]]) -> dict[str, tuple[float, str]]:
    return {
        one["code"]["text"]: (one["valueQuantity"]["value"], one["valueQuantity"]["code"])
        for one in observations
        if "valueQuantity" in one
    }


def test_the_totals_are_observations() -> None:
    totals = sample_inputs(3).findings.totals
    found = quantities(read(plain())[1])
    for text, value, unit in (
        ("Metabolic Volume, Total", totals.tmtv_ml, "ml"),
        ("Total Lesion Glycolysis, Total", totals.tlg_g, "g"),
        ("SUVbw, Maximum", totals.suv_max, "g/ml{SUVbw}"),
        ("Number of lesions", 3, "1"),
    ):
        assert found[text] == (pytest.approx(value, rel=1e-5), unit)


def test_everything_is_preliminary_and_of_one_study() -> None:
    report, observations = read(plain())
    study = f"urn:oid:{sample_inputs(1).findings.study_instance_uid}"
    assert {one["status"] for one in (report, *observations)} == {"preliminary"}
    assert report["imagingStudy"][0]["identifier"] == {"system": "urn:dicom:uid", "value": study}
    assert all(one["derivedFrom"][0]["identifier"]["value"] == study for one in observations)
    assert report["basedOn"][0]["identifier"]["value"] == "ACC0815"
    assert report["effectiveDateTime"] == "2024-06-11"  # without an offset from UTC a time of day is none
    urns = [entry["fullUrl"] for entry in json.loads(plain().data)["entry"]]
    assert [one["reference"] for one in report["result"]] == urns[1:]
    assert len(set(urns)) == len(urns)


def test_the_offset_of_the_study_makes_it_an_instant() -> None:
    report, _ = read(made(sample_inputs(1, TimezoneOffsetFromUTC="+0130")))
    assert report["effectiveDateTime"] == "2024-06-11T09:15:00+01:30"
    assert report["issued"] == "2024-06-11T10:15:30+01:30"


def test_the_pdf_is_the_one_of_the_target() -> None:
    inputs, target = sample_inputs(3), Target(Profile(), "measurements", KNOWN)
    [form] = read(plain())[0]["presentedForm"]
    assert form["contentType"] == "application/pdf"
    released = replace(inputs, findings=canonical_findings(release(inputs.findings, "measurements")))
    assert base64.b64decode(form["data"]) == render_pdf(released, target)


def test_a_known_issuer_makes_the_server_find_the_patient() -> None:
    subject = read(plain())[0]["subject"]
    assert subject["reference"] == "Patient?identifier=urn%3Aexample%3Amrn%7CNODAL-0001"
    assert subject["identifier"] == {"system": "urn:example:mrn", "value": "NODAL-0001"}


def test_an_unknown_issuer_is_never_matched_by_number_alone() -> None:
    subject = read(made(sample_inputs(1), form=FhirForm()))[0]["subject"]
    assert "reference" not in subject
    assert subject["identifier"] == {"value": "NODAL-0001", "assigner": {"display": "HOSPITAL"}}


def test_each_resource_is_created_once() -> None:
    for entry in json.loads(plain().data)["entry"]:
        [identifier] = entry["resource"]["identifier"]
        asked = entry["request"]["ifNoneExist"]
        assert entry["request"]["method"] == "POST"
        assert asked.startswith("identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A2.25.")
        assert asked.endswith(identifier["value"].removeprefix("urn:oid:"))


def test_systems_above_the_limit_are_in_no_resource() -> None:
    inputs = judged(sample_inputs(1), "E0")
    text = made(inputs).data.decode()
    assert "LAMP: " not in text
    assert "DeepMTS: " not in text
    allowed = read(made(inputs, "simulation_trained"))
    assert "Simulation-trained, not for clinical use" in allowed[0]["conclusion"]
    risks = [one for one in allowed[1] if one["code"]["text"].startswith("LAMP: ")]
    assert risks
    for one in risks:
        limits = [part["valueCodeableConcept"]["coding"][0]["display"] for part in one["component"]
                  if part["code"]["coding"][0]["code"] == "LIMITS"]  # fmt: skip
        assert "Simulation-trained, not for clinical use" in limits


def test_withheld_survival_is_in_no_resource() -> None:
    inputs = judged(sample_inputs(1), "E0", withheld=True)
    _, observations = read(made(inputs, "simulation_trained"))
    texts = [one["code"]["text"] for one in observations]
    assert any(text.startswith("LAMP: PFS, risk score") for text in texts)
    assert not any(text.startswith("LAMP: ") and "predicted" in text for text in texts)
    assert not any("p_event" in text for text in texts)


def test_a_local_system_says_no_more_than_it_is() -> None:
    report, observations = read(made(judged(sample_inputs(1)), "locally_trained"))
    assert "imulation" not in report["conclusion"]
    assert any("predicted" in one["code"]["text"] for one in observations)


def test_a_virtual_patient_is_test_data() -> None:
    report, observations = read(made(sample_inputs(2, virtual=True)))
    for one in (report, *observations):
        assert one["meta"]["security"][0]["code"] == "HTEST"
    assert "Virtual patient" in report["conclusion"]
    assert "meta" not in read(plain())[0]


@pytest.mark.parametrize("inputs", [sample_inputs(0), sample_inputs(2, partial=True)], ids=["no lesion", "partial"])
def test_limits_are_in_the_conclusion(inputs: ReportInputs) -> None:
    report, observations = read(made(inputs))
    said = "Limited field of view" if inputs.findings.lesions else "no FDG-avid lesion"
    assert said in report["conclusion"]
    assert report["conclusion"].endswith("UNVERIFIED")
    assert quantities(observations)["Number of lesions"][0] == len(inputs.findings.lesions)


def test_same_input_same_bytes_and_another_input_another_identity() -> None:
    assert made(sample_inputs(3)) == plain()
    assert made(sample_inputs(3), form=FhirForm()).sop_instance_uid != plain().sop_instance_uid
    assert made(sample_inputs(2)).sop_instance_uid != plain().sop_instance_uid
