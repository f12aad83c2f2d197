"""Results that a person has accepted: the flags, the observer's name, and nothing else changed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from nodal.errors import WrongUsage
from nodal.findings import Review
from nodal.jobs.review import review_by, reviewed
from nodal.report.build import build
from nodal.report.inputs import FhirForm, ReportInputs, ResultObject, Target
from nodal.report.verified import NO_ORGANISATION, review_sentence
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.paper import letters
from tests.unit.report.sample import sample_inputs
from tests.unit.report.test_validators import errors

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "measurements")
REVIEW = Review("Doe^Jane^^Dr", "20260301120500")


def accepted(inputs: ReportInputs) -> ReportInputs:
    return replace(inputs, findings=reviewed(inputs.findings, REVIEW))


def made(inputs: ReportInputs) -> dict[str, ResultObject]:
    return {one.kind: one for one in build(inputs, OWN)}


def read(result: ResultObject) -> Dataset:
    return dcmread(io.BytesIO(result.data))


def test_the_report_is_verified_by_its_observer() -> None:
    before, after = made(sample_inputs()), made(accepted(sample_inputs()))
    sr = read(before["sr"])
    assert (sr.VerificationFlag, sr.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "VerifyingObserverSequence" not in sr
    sr = read(after["sr"])
    assert (sr.VerificationFlag, sr.PreliminaryFlag, sr.CompletionFlag) == ("VERIFIED", "FINAL", "COMPLETE")
    (observer,) = sr.VerifyingObserverSequence
    assert observer.VerifyingObserverName == "Doe^Jane^^Dr"
    assert observer.VerificationDateTime == "20260301120500+0000"
    assert observer.VerifyingOrganization
    assert read(before["pdf"]).VerificationFlag == "UNVERIFIED"
    assert read(after["pdf"]).VerificationFlag == "VERIFIED"
    for kind in before:
        assert before[kind].sop_instance_uid != after[kind].sop_instance_uid


def test_what_else_is_asked_for_says_it_too() -> None:
    inputs = accepted(sample_inputs())
    (fhir,) = build(inputs, Target(Profile(), "measurements", FhirForm()))
    assert {entry["resource"]["status"] for entry in json.loads(fhir.data)["entry"]} == {"final"}
    built = {one.kind: one for one in build(inputs, Target(Profile(key_images="references"), "measurements"))}
    for told in (fhir.data, built["key_images"].data):
        assert b"VERIFIED" in told
        assert b"UNVERIFIED" not in told


def test_nothing_else_in_the_report_changes() -> None:
    before, after = (read(made(inputs)["sr"]) for inputs in (sample_inputs(), accepted(sample_inputs())))
    tree = [str(one.ContentSequence[-1].ContentSequence) for one in (before, after)]
    assert tree[0] == tree[1]


@pytest.mark.parametrize(("institution", "expected"), [("St Elsewhere", "St Elsewhere"), (None, NO_ORGANISATION)])
def test_the_organisation_is_that_of_the_images(institution: str | None, expected: str) -> None:
    inputs = accepted(sample_inputs())
    for header in inputs.pet_headers:
        header.InstitutionName = institution
    assert read(made(inputs)["sr"]).VerifyingObserverSequence[0].VerifyingOrganization == expected


def test_a_verified_report_is_valid(tmp_path: Path) -> None:
    inputs = accepted(sample_inputs())
    sr = tmp_path / "sr.dcm"
    sr.write_bytes(made(inputs)["sr"].data)
    assert errors(sr) == set()


def test_every_sheet_names_the_observer() -> None:
    pages = letters(dict_pdf(accepted(sample_inputs())))
    texts = ["".join(one.text for one in page).replace(" ", "") for page in pages]
    assert "AUTOMATIC·VERIFIED" in texts[0]
    assert all("VERIFIEDbyDrJaneDoeon2026-03-01(UTC)" in text for text in texts)
    assert not any("UNVERIFIED" in text for text in texts)


def dict_pdf(inputs: ReportInputs) -> bytes:
    return bytes(read(made(inputs)["pdf"]).EncapsulatedDocument)


@pytest.mark.parametrize(
    ("given", "said"),
    [("  Jane   Doe ", "Jane Doe"), ("Doe^Jane", "Jane Doe"), ("Müller^Änne^^Prof.", "Prof. Änne Müller")],
)
def test_a_name_in_any_form_is_a_name(given: str, said: str) -> None:
    findings = reviewed(sample_inputs().findings, review_by(given))
    assert f"VERIFIED by {said} on" in review_sentence(findings)
    assert findings.content_datetime >= sample_inputs().findings.content_datetime


@pytest.mark.parametrize("name", ["", " ", "^^", "a\\b", "a=b", "a\x00b", "x" * 65])
def test_what_is_no_name_verifies_nothing(name: str) -> None:
    with pytest.raises(WrongUsage):
        review_by(name)
