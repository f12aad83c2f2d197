"""Settings: what an administrator may write, and what is refused with a sentence."""

from __future__ import annotations

import pytest
from nodal.jobs.results import FILES, OWN_ORTHANC, targets
from nodal.settings import Destination, FhirSettings, Profile, ResultSettings, Settings
from pydantic import ValidationError

pytestmark = pytest.mark.unit


def test_further_results_are_off_until_asked_for() -> None:
    assert Profile().model_dump(include={"rotating_mip", "key_images", "rtstruct"}) == {
        "rotating_mip": False,
        "key_images": "none",
        "rtstruct": False,
    }


def test_results_are_those_of_the_nodes_own_orthanc_alone() -> None:
    archive = Destination(name="archive", host="pacs.example", port=104, ae_title="PACS")
    planning = Destination(
        name="planning", host="tps.example", port=104, ae_title="TPS", profile=Profile(sr="none", rtstruct=True)
    )
    results = ResultSettings(rotating_mip=True, key_images="outlined")
    asked = targets(Settings(destinations=(archive, planning), results=results))
    own = asked[OWN_ORTHANC].profile
    assert (own.rotating_mip, own.key_images, own.rtstruct) == (True, "outlined", False)
    assert asked[OWN_ORTHANC].accepts == "simulation_trained"
    assert asked["archive"].profile == Profile()
    assert (asked["planning"].profile.rotating_mip, asked["planning"].profile.rtstruct) == (False, True)


def test_a_fhir_server_gets_a_report_and_knows_its_patients_by_the_settings_systems() -> None:
    clinic = Destination(name="clinic", kind="fhir", url="https://fhir.example/r4")
    fhir = FhirSettings(issuers={"urn:example:mrn": "HOSPITAL", "urn:example:old": "HOSPITAL", "urn:example:none": ""})
    asked = targets(Settings(destinations=(clinic,), fhir=fhir))
    assert asked["clinic"].fhir is not None
    assert dict(asked["clinic"].fhir.systems) == {"HOSPITAL": "urn:example:mrn", "": "urn:example:none"}
    assert asked["clinic"].accepts == "measurements"
    assert FILES not in asked
    assert asked[OWN_ORTHANC].fhir is None
    beside = targets(Settings(results=ResultSettings(fhir=True), fhir=fhir))
    assert beside[FILES].fhir == asked["clinic"].fhir


@pytest.mark.parametrize("name", ["orthanc", "files"])
def test_names_of_the_nodes_own_results_are_no_destination(name: str) -> None:
    with pytest.raises(ValidationError, match="the node's own results"):
        Destination(name=name, host="pacs.example", port=104, ae_title="PACS")


@pytest.mark.parametrize("kind", ["stow", "fhir"])
def test_a_web_destination_needs_its_url(kind: str) -> None:
    with pytest.raises(ValidationError, match=f"a {kind} destination needs url"):
        Destination.model_validate({"name": "web", "kind": kind})
