"""FHIR Bundles of R4 and R5: what becomes a statement, what cannot be used and why, and whose it is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from nodal.clinical import fhir_codes as codes
from nodal.clinical.combine import record_of
from nodal.clinical.fhir import read_bundle, statements_of_bundle
from nodal.clinical.record import Unusable, Value
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Refused
from pydicom.sr._concepts_dict import concepts

from tests.conftest import ROOT

pytestmark = pytest.mark.unit

RECEIVED = "20260310120000+0000"
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
MR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
Json = dict[str, Any]


def patient(identity: str = "77001", system: str = "urn:oid:1.2.826.99", **more: Any) -> Json:
    identifier = {"type": MR, "system": system, "value": identity}
    return {"resourceType": "Patient", "identifier": [identifier], **more}


def coded(code: str, display: str = "", system: str = LOINC) -> Json:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def observation(code: Json, subject: str = "urn:uuid:eva", **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": subject},
        **more,
    }


def ldh(value: float = 480, high: float | None = 240, unit: str = "U/L", **more: Any) -> Json:
    quantity = {"value": value, "unit": unit}
    limits = {"referenceRange": [{"high": {"value": high, "unit": unit}}]} if high is not None else {}
    return observation(coded("2532-0"), valueQuantity=quantity, **limits, **more)


def condition(text: str = "Diffuse large B-cell lymphoma", **more: Any) -> Json:
    return {"resourceType": "Condition", "code": {"text": text}, "subject": {"reference": "urn:uuid:eva"}, **more}


def bundle(*resources: Json, kind: str = "collection", person: Json | None = None, **more: Any) -> Json:
    entries = [{"fullUrl": "urn:uuid:eva", "resource": person or patient()}]
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [*entries, *({"resource": one} for one in resources)],
        **more,
    }


def said_by(*resources: Json, **more: Any) -> PatientStatements:
    (found,) = statements_of_bundle(bundle(*resources, **more), RECEIVED)
    return found


def values(found: PatientStatements) -> dict[str, Value]:
    return {statement.field: statement.value for statement in found.statements}


def reason(found: PatientStatements) -> str:
    (one,) = found.unusable
    return one.reason


# ----- versions and validity


def test_a_complete_r5_bundle() -> None:
    stage = coded("385388004", system=SNOMED)
    found = said_by(
        ldh(effectiveDateTime="2026-03-01T08:30:00.5+01:00", performer=[{"display": "Central laboratory"}]),
        observation(coded("89247-1"), valueInteger=1),
        observation(stage, valueCodeableConcept={"text": "Ann Arbor stage IIIB"}, effectiveDateTime="2026-02-27"),
        observation(coded("29463-7"), valueQuantity={"value": 81.5, "unit": "kg", "system": UCUM, "code": "kg"}),
        observation(coded("8302-2"), valueQuantity={"value": 178, "unit": "cm", "system": UCUM, "code": "cm"}),
        observation({"text": "Cell of origin (Hans)"}, valueString="non-GCB"),
        observation({"text": "Bulky disease"}, valueBoolean=False),
        observation({"text": "Extranodal sites"}, valueString="lung; bone marrow"),
        person=patient(birthDate="1960-05-04", gender="female"),
        meta={"profile": ["http://hl7.org/fhir/StructureDefinition/Bundle|5.0.0"]},
    )
    assert values(found) == {
        "birth_date": "19600504",
        "sex": "F",
        "ldh_ratio": 2.0,
        "ecog": 1,
        "stage": 3,
        "b_symptoms": True,
        "weight_kg": 81.5,
        "height_m": 1.78,
        "cell_of_origin": "non-GCB",
        "bulky": False,
        "extranodal_sites": ("bone_marrow", "lung"),
    }
    assert found.patient_key == "1.2.826.99~77001"
    assert found.unusable == ()
    told = next(one for one in found.statements if one.field == "ldh_ratio")
    assert (told.effective, told.by, told.said) == (
        "20260301083000.5+0100",
        "Central laboratory",
        "480 U/L, upper limit 240 U/L",
    )
    assert {one.source for one in found.statements} == {"fhir"}
    assert {one.entered_at for one in found.statements} == {RECEIVED}


R4_ONLY = condition(
    stage=[{"summary": {"text": "Stage II"}}],
    asserter={"reference": "Practitioner/7", "display": "Ward 3"},  # no such element in R5, which asks for a status
)
R5_ONLY = ldh(triggeredBy=[{"observation": {"reference": "Observation/1"}, "type": "reflex"}])


@pytest.mark.parametrize(
    "meta", [{}, {"profile": ["http://hl7.org/fhir/5.0/StructureDefinition/Bundle"]}, {"profile": ["urn:own"]}]
)
def test_a_resource_of_either_version_is_read_whatever_the_bundle_claims(meta: Json) -> None:
    found = said_by(R4_ONLY, R5_ONLY, **({"meta": meta} if meta else {}))
    assert values(found) == {"stage": 2, "ldh_ratio": 2.0}
    assert found.unusable == ()


def test_one_bad_observation_does_not_lose_the_others_and_its_values_stay_out_of_the_reason() -> None:
    broken = ldh()
    broken["valueQuantity"] = {"value": "Eva Muster 480"}
    found = said_by(broken, observation(coded("89247-1"), valueInteger=2))
    assert values(found) == {"ecog": 2}
    assert found.unusable == (
        Unusable(
            "ldh_ratio",
            "fhir",
            RECEIVED,
            "not read",
            "not valid FHIR: Observation.valueQuantity.value (value_error)",
        ),
    )


def test_a_fault_is_that_of_the_version_that_the_bundle_claims() -> None:
    """R5 would ask for a clinicalStatus first, which R4 does not."""
    broken = condition(stage=[{"summary": "III"}])
    guide = {"profile": ["http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-patient-bundle|4.0.0"]}
    assert "Condition.stage.summary" in reason(said_by(broken, meta=guide))


def test_a_patient_with_a_bad_birth_date_is_still_known() -> None:
    found = said_by(ldh(), person=patient(birthDate="1960-31-04", gender="male"))
    assert values(found) == {"sex": "M", "ldh_ratio": 2.0}
    assert [one.field for one in found.unusable] == ["birth_date"]


@pytest.mark.parametrize(
    ("person", "field"), [(patient(birthDate="1960-05"), "birth_date"), (patient(gender="other"), "sex")]
)
def test_what_a_patient_does_not_tell_exactly_is_not_guessed(person: Json, field: str) -> None:
    found = said_by(person=person)
    assert values(found) == {}
    assert [one.field for one in found.unusable] == [field]


@pytest.mark.parametrize("kind", ["transaction", "batch", "searchset", "message", "document", "history"])
def test_every_type_of_bundle(kind: str) -> None:
    whole = bundle(ldh(), kind=kind)
    deleted = {"request": {"method": "DELETE", "url": "Observation/9"}}
    whole["entry"] += [deleted, deleted | {"resource": observation(coded("89247-1"), valueInteger=1)}]
    whole["entry"].append({"resource": {"resourceType": "OperationOutcome", "issue": []}})
    (found,) = statements_of_bundle(whole, RECEIVED)
    assert values(found) == {"ldh_ratio": 2.0}


def test_a_bundle_within_a_bundle() -> None:
    inner = bundle(ldh())
    (found,) = statements_of_bundle(
        {"resourceType": "Bundle", "type": "batch-response", "entry": [{"resource": inner}]}, RECEIVED
    )
    assert values(found) == {"ldh_ratio": 2.0}


# ----- whose it is


def two_patients(*resources: Json) -> Json:
    people = [
        {"fullUrl": "https://a.example/fhir/Patient/1", "resource": patient("A-0001", id="1")},
        {"fullUrl": "urn:uuid:second", "resource": patient("B-0002", id="2")},
    ]
    own = [{"fullUrl": f"https://a.example/fhir/Observation/{n}", "resource": one} for n, one in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "searchset", "entry": [*own, *people]}


@pytest.mark.parametrize(
    ("reference", "who"),
    [
        ("Patient/1", "A-0001"),
        ("https://a.example/fhir/Patient/1", "A-0001"),
        ("https://a.example/fhir/Patient/1/_history/3", "A-0001"),
        ("Patient/2", "B-0002"),
        ("urn:uuid:second", "B-0002"),
    ],
)
def test_each_resource_goes_to_its_subject(reference: str, who: str) -> None:
    one = ldh() | {"subject": {"reference": reference}}
    found = {one.patient_key: values(one) for one in statements_of_bundle(two_patients(one), RECEIVED)}
    assert found.pop(f"1.2.826.99~{who}") == {"ldh_ratio": 2.0}
    assert list(found.values()) == [{}]


@pytest.mark.parametrize(
    "subject", [{"reference": "Patient/3"}, {"reference": "https://other.example/fhir/Patient/1"}, {"display": "Eva"}]
)
def test_nobody_gets_what_is_about_nobody_here(subject: Json) -> None:
    read = read_bundle(two_patients(ldh() | {"subject": subject}), RECEIVED)
    assert [values(one) for one in read.patients] == [{}, {}]
    assert len(read.unattributed) == 1
    assert "Eva" not in read.unattributed[0]


def test_an_id_that_two_patients_share_names_neither() -> None:
    people = [
        {"fullUrl": f"https://{host}.example/fhir/Patient/1", "resource": patient(f"{host}-0001", id="1")}
        for host in "ab"
    ]
    one = {"resource": ldh() | {"subject": {"reference": "Patient/1"}}}
    read = read_bundle({"resourceType": "Bundle", "type": "collection", "entry": [*people, one]}, RECEIVED)
    assert [values(found) for found in read.patients] == [{}, {}]
    assert len(read.unattributed) == 1
    own = {"fullUrl": "https://b.example/fhir/Observation/5", **one}
    read = read_bundle({"resourceType": "Bundle", "type": "collection", "entry": [*people, own]}, RECEIVED)
    assert [values(found) for found in read.patients] == [{}, {"ldh_ratio": 2.0}]


def test_an_observation_without_subject_is_nobodys_even_beside_one_patient() -> None:
    stray = ldh()
    del stray["subject"]
    read = read_bundle(bundle(stray), RECEIVED)
    assert values(read.patients[0]) == {}
    assert read.unattributed == ("Observation left out: it names no subject",)


def test_a_reference_by_identifier_needs_no_patient_in_the_bundle() -> None:
    one = ldh() | {"subject": {"identifier": {"type": MR, "system": "urn:oid:1.2.826.99", "value": "77001"}}}
    (found,) = statements_of_bundle(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one}]}, RECEIVED
    )
    assert found.patient_key == "1.2.826.99~77001"


def test_the_issuer_is_what_the_scanners_write() -> None:
    person = patient(system="https://hospital.example/mrn")
    person["identifier"].append({"system": "urn:insurance", "value": "X9"})
    whole = bundle(ldh(), person=person)
    keys = [
        statements_of_bundle(whole, RECEIVED, issuers)[0].patient_key
        for issuers in ({}, {"https://hospital.example/mrn": "HOSP"}, {"https://hospital.example/mrn": ""})
    ]
    assert keys == ["https://hospital.example/mrn~77001", "HOSP~77001", "~77001"]


@pytest.mark.parametrize(
    "identifiers",
    [
        [],
        [{"value": "1"}, {"value": "2"}],
        [{"type": MR, "value": "1"}, {"type": MR, "value": "2"}],
        [{"value": "1", "use": "old"}],
        [{"value": "1~2"}],
    ],
)
def test_a_patient_who_could_be_two_is_refused(identifiers: list[Json]) -> None:
    person = {"resourceType": "Patient", "identifier": identifiers}
    with pytest.raises(Refused) as refusal:
        statements_of_bundle(bundle(ldh(), person=person), RECEIVED)
    assert refusal.value.code == Code.FHIR_NO_PATIENT


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        statements_of_bundle(patient(), RECEIVED)
    assert refusal.value.code == Code.FHIR_UNREADABLE


# ----- LDH


@pytest.mark.parametrize(
    ("one", "ratio"),
    [
        (ldh(500, 250), 2.0),
        (ldh(8.4, 4.2, "ukat/L"), 2.0),
        (ldh(250.01, 250), 250.01 / 250),  # above the limit by a hair is above it
        (ldh(300, None, referenceRange=[{"text": "135-225 U/L"}]), 300 / 225),
        (ldh(300, None, referenceRange=[{"text": "<250"}]), 1.2),
        (ldh(300, None, referenceRange=[{"high": {"value": 200}}]), 1.5),
        (ldh(480, 240) | {"code": coded("14804-9")}, 2.0),
        (ldh(480, 240) | {"code": coded("14805-6")}, 2.0),
        (ldh(480, 240) | {"code": {"text": "LDH"}}, 2.0),
        (observation({"text": "LDH ratio"}, valueQuantity={"value": 1.8}), 1.8),
    ],
)
def test_ldh_over_its_own_upper_limit(one: Json, ratio: float) -> None:
    assert values(said_by(one)) == {"ldh_ratio": pytest.approx(ratio, rel=1e-12)}


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (ldh(480, None), "without the laboratory's upper limit"),
        (ldh(480, None, referenceRange=[{"high": {"value": 4.2, "unit": "ukat/L"}}]), "different units"),
        (ldh() | {"valueQuantity": {"value": 1000, "comparator": ">", "unit": "U/L"}}, "only a bound"),
        (ldh(480, None, referenceRange=[{"high": {"value": 240}}, {"high": {"value": 250}}]), "more than one"),
        (ldh(48000, 240), "times the upper limit"),
        (ldh(480, 0), "not above zero"),
        (
            observation(coded("2532-0"), dataAbsentReason={"text": "haemolysed"}, referenceRange=[{"text": "<250"}]),
            "no value",
        ),
    ],
)
def test_ldh_that_gives_no_ratio_says_why(one: Json, word: str) -> None:
    found = said_by(one)
    assert values(found) == {}
    assert word in reason(found)


def test_the_limit_is_that_of_the_patients_sex_and_of_health() -> None:
    ranges = [
        {"high": {"value": 250}, "appliesTo": [coded("248153007", system=SNOMED)]},
        {"high": {"value": 200}, "appliesTo": [coded("248152002", system=SNOMED)]},
        {"high": {"value": 900}, "type": coded("therapeutic", system="urn:x")},
    ]
    one = ldh(400, None, referenceRange=ranges)
    assert values(said_by(one, person=patient(gender="female")))["ldh_ratio"] == 2.0
    assert values(said_by(one, person=patient(gender="male")))["ldh_ratio"] == 1.6
    assert "more than one" in reason(said_by(one))


@pytest.mark.parametrize(
    "code",
    [
        coded("14803-1", "Lactate dehydrogenase [Enzymatic activity/volume] in Body fluid by Lactate to pyruvate"),
        coded("1742-6", "Alanine aminotransferase"),
        {"text": "LDH in pleural fluid"},
        {"text": "LDH isoenzyme 1"},
        {"text": "Glucose"},
    ],
)
def test_what_is_not_serum_ldh_says_nothing(code: Json) -> None:
    found = said_by(ldh() | {"code": code})
    assert (found.statements, found.unusable) == ((), ())


# ----- status and dates


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_what_was_taken_back_is_shown_and_not_used(status: str) -> None:
    found = said_by(ldh() | {"status": status})
    assert values(found) == {}
    assert status in reason(found)


def test_a_result_that_is_only_registered_says_nothing() -> None:
    found = said_by(observation(coded("2532-0")) | {"status": "registered"})
    assert (found.statements, found.unusable) == ((), ())


def test_a_patient_who_measured_at_home_is_not_named() -> None:
    (told,) = said_by(ldh(performer=[{"reference": "Patient/1", "display": "Somebody"}])).statements
    assert told.by is None


def test_a_preliminary_value_is_taken_and_says_so() -> None:
    (told,) = said_by(ldh() | {"status": "preliminary"}).statements
    assert (told.value, told.said) == (2.0, "480 U/L, upper limit 240 U/L (preliminary)")


def test_every_dated_value_is_handed_on_each_once() -> None:
    early, late = ldh(effectiveDateTime="2026-02-01"), ldh(300, effectiveDateTime="2026-03")
    found = said_by(early, late, early)
    assert [(one.value, one.effective) for one in found.statements] == [(2.0, "20260201"), (1.25, "202603")]


def test_the_record_takes_the_value_of_the_scan_not_the_latest() -> None:
    found = said_by(
        ldh(effectiveDateTime="2026-02-26T07:00:00Z"),
        ldh(200, effectiveDateTime="2026-07-01"),  # after treatment
        person=patient(birthDate="1960-05-04", gender="male"),
    )
    record = record_of(found.statements, found.unusable, study_date="20260301")
    assert (record.ldh_ratio, record.age_years, record.sex) == (2.0, 65.0, "M")
    assert record.sources["ldh_ratio"] == "fhir"


def test_a_period_counts_from_its_start_and_utc_is_told() -> None:
    period = {"start": "2026-02-01T00:00:00Z", "end": "2026-02-02"}
    (told,) = said_by(ldh(effectivePeriod=period)).statements
    assert told.effective == "20260201000000+0000"


# ----- the other observations


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        ({"valueInteger": 0}, 0),
        ({"valueQuantity": {"value": 3}}, 3),
        ({"valueString": "ECOG 2"}, 2),
        ({"valueCodeableConcept": coded("LA9624-3")}, 2),
        ({"valueCodeableConcept": coded("423053003", system=SNOMED)}, 3),
        ({"valueCodeableConcept": {"text": "ECOG Grade 2: Symptomatic, <50% in bed during the day"}}, 2),
        ({"interpretation": [coded("LA9623-5")]}, 1),
        ({"valueInteger": 5}, None),
        ({"valueString": "1-2"}, None),
        ({"valueString": "1 or 2"}, None),
        ({"valueQuantity": {"value": 1.5}}, None),
        ({"valueBoolean": True}, None),
        ({"valueCodeableConcept": coded("LA9627-6", "Dead")}, None),
    ],
)
def test_ecog(value: Json, grade: int | None) -> None:
    found = said_by(observation(coded("89247-1"), **value))
    assert values(found) == ({} if grade is None else {"ecog": grade})
    assert len(found.unusable) == (grade is None)


def staged(text: str) -> dict[str, Value]:
    return values(said_by(observation({"text": "Ann Arbor stage"}, valueString=text)))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("IIIB", {"stage": 3, "b_symptoms": True}),
        ("IV A", {"stage": 4, "b_symptoms": False}),
        ("Ann Arbor stage IIIB", {"stage": 3, "b_symptoms": True}),
        ("Stage IE", {"stage": 1}),
        ("IIIBES", {"stage": 3, "b_symptoms": True}),
        ("II (E), A", {"stage": 2, "b_symptoms": False}),
        ("IIX", {"stage": 2, "bulky": True}),
        ("Lugano stage II bulky", {"stage": 2, "bulky": True}),
        ("stage II non-bulky", {"stage": 2, "bulky": False}),
        ("4", {"stage": 4}),
        ("Stage IV without B symptoms", {"stage": 4, "b_symptoms": False}),
        ("II-III", {}),
        ("III or IV", {}),
        ("advanced", {}),
        ("V", {}),
        ("T2N1M0 stage II", {}),
        ("AJCC stage III", {}),
        ("stage III in January, IV now", {}),
    ],
)
def test_ann_arbor_in_words(text: str, read: dict[str, Value]) -> None:
    assert staged(text) == read


def test_stage_with_the_modifiers_of_mcode() -> None:
    components = [
        {"code": coded("106252000", system=SNOMED), "valueCodeableConcept": {"text": "B - systemic symptoms"}},
        {"code": coded("260873006", system=SNOMED), "valueCodeableConcept": coded("52101004", system=SNOMED)},
    ]
    found = said_by(
        observation(
            coded("385388004", system=SNOMED),
            valueCodeableConcept=coded("44255004", system=SNOMED),
            method=coded("254374001", system=SNOMED),
            component=components,
        )
    )
    assert values(found) == {"stage": 3, "b_symptoms": True, "bulky": True}


@pytest.mark.parametrize(
    ("more", "read"),
    [
        ({"valueCodeableConcept": {"text": "Ann Arbor III"}}, {"stage": 3}),
        ({"valueString": "III", "method": {"text": "Lugano classification"}}, {"stage": 3}),
        (
            {"valueCodeableConcept": coded("258228008", system=SNOMED), "method": coded("254372002", system=SNOMED)},
            {"stage": 4},
        ),
        ({"valueString": "III"}, {}),
        ({"valueString": "III", "method": {"text": "AJCC 8th edition"}}, {}),
        ({"valueString": "III", "method": {"text": "FIGO staging, not Ann Arbor"}}, {}),
    ],
)
def test_a_stage_group_of_any_cancer_must_name_ann_arbor(more: Json, read: dict[str, Value]) -> None:
    found = said_by(observation(coded("21908-9"), **more))
    assert values(found) == read
    assert len(found.unusable) == (not read)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("GCB", "GCB"),
        ("Germinal centre B-cell-like", "GCB"),
        ("non-GCB", "non-GCB"),
        ("Non-germinal center type", "non-GCB"),
        ("ABC", "non-GCB"),
        ("unclassified", None),
        ("GCB or non-GCB", None),
    ],
)
def test_cell_of_origin(said: str, read: str | None) -> None:
    found = said_by(observation({"text": "Cell of origin"}, valueCodeableConcept={"text": said}))
    assert values(found) == ({} if read is None else {"cell_of_origin": read})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"valueBoolean": True}, True),
        ({"valueString": "absent"}, False),
        ({"valueCodeableConcept": coded("2667000", system=SNOMED)}, False),
        ({"valueCodeableConcept": coded("Y", system="http://terminology.hl7.org/CodeSystem/v2-0136")}, True),
        ({"valueString": "perhaps"}, None),
    ],
)
def test_b_symptoms(value: Json, read: bool | None) -> None:
    found = said_by(observation({"text": "B symptoms"}, **value))
    assert values(found) == ({} if read is None else {"b_symptoms": read})


@pytest.mark.parametrize(
    ("code", "quantity", "read"),
    [
        ("29463-7", {"value": 81500, "unit": "g"}, {"weight_kg": 81.5}),
        ("29463-7", {"value": 180, "unit": "[lb_av]"}, {"weight_kg": 81.6466}),
        ("3141-9", {"value": 81.5, "unit": "kg"}, {"weight_kg": 81.5}),
        ("8302-2", {"value": 1.78, "unit": "m"}, {"height_m": 1.78}),
        ("8302-2", {"value": 178, "unit": "m"}, {}),
        ("29463-7", {"value": 81.5}, {}),
        ("29463-7", {"value": 81.5, "unit": "stone"}, {}),
    ],
)
def test_weight_and_height(code: str, quantity: Json, read: dict[str, Value]) -> None:
    found = said_by(observation(coded(code), valueQuantity=quantity))
    assert values(found) == read
    assert len(found.unusable) == (not read)


# ----- extranodal sites


def sites(**more: Any) -> PatientStatements:
    return said_by(observation({"text": "Extranodal involvement"}, **more))


@pytest.mark.parametrize(
    ("more", "read"),
    [
        ({"valueString": "none"}, ()),
        ({"valueBoolean": False}, ()),
        ({"valueInteger": 0}, ()),
        ({"valueString": "left kidney, right kidney"}, ("kidney",)),
        ({"valueString": "Spleen, lung"}, ("lung",)),
        ({"valueString": "head and neck and liver"}, ("head_neck", "liver")),
        ({"valueCodeableConcept": coded("14016003", system=SNOMED)}, ("bone_marrow",)),
        ({"valueBoolean": True, "bodySite": coded("69695003", system=SNOMED)}, ("stomach",)),
        ({"bodySite": coded("C34.1", system="urn:oid:2.16.840.1.113883.6.43.1")}, ("lung",)),
        ({"bodySite": coded("C34.1", system=codes.ICD_O_3)}, ("lung",)),
        ({"valueBoolean": False, "bodySite": coded("69695003", system=SNOMED)}, None),
        ({"valueInteger": 2}, None),
        ({"valueString": "ovary, lung"}, None),
        ({"valueString": "no bone marrow involvement"}, None),
        ({"valueString": "lung?"}, None),
        ({"valueString": "soft tissue of the breast"}, None),
        ({"valueString": "pleural effusion"}, None),
        ({"valueBoolean": True}, None),
    ],
)
def test_extranodal_sites(more: Json, read: tuple[str, ...] | None) -> None:
    found = sites(**more)
    assert values(found) == ({} if read is None else {"extranodal_sites": read})
    assert len(found.unusable) == (read is None)


def organ(code: str, day: str) -> Json:
    return observation(
        {"text": "Extranodal involvement"},
        valueBoolean=True,
        bodySite=coded(code, system=SNOMED),
        effectiveDateTime=day,
    )


def test_sites_of_one_day_are_one_list() -> None:
    found = said_by(organ("69695003", "2026-02-01"), organ("39607008", "2026-02-01"), organ("10200004", "2026-05-01"))
    assert [one.value for one in found.statements] == [("lung", "stomach"), ("liver",)]


def test_half_a_list_of_sites_is_none() -> None:
    found = said_by(organ("69695003", "2026-02-01"), organ("15497006", "2026-02-01"))  # stomach, and an ovary
    assert values(found) == {}
    assert [one.field for one in found.unusable] == ["extranodal_sites", "extranodal_sites"]


@pytest.mark.parametrize(("code", "site"), codes.SITE_BY_SNOMED.items())
def test_the_body_structures_are_those_of_ps3_16(code: str, site: str) -> None:
    """pydicom's copy of PS3.16 gives each code's meaning; the meaning read as words must be the same organ."""
    meanings = {
        meaning for by_code in concepts["SCT"].values() for known, (meaning, *_) in by_code.items() if known == code
    }
    assert meanings, "a code that PS3.16 does not have"
    by_words = {found.get("extranodal_sites") for found in (values(sites(valueString=word)) for word in meanings)}
    assert by_words <= {(site,), None}


@pytest.mark.parametrize(
    ("code", "site"),
    [
        ("C16.9", "stomach"),
        ("C42.1", "bone_marrow"),
        ("C41", "bone"),
        ("C77.0", ""),
        ("C09.9", ""),
        ("C56.9", None),
        ("X", None),
    ],
)
def test_topography_of_icd_o_3(code: str, site: str | None) -> None:
    assert codes.site_of_topography(code) == site


# ----- conditions


def test_the_diagnosis_gives_stage_cell_of_origin_and_site() -> None:
    found = said_by(
        condition(
            "DLBCL, germinal center B-cell type",
            stage=[{"summary": {"text": "Stage IVB"}, "type": coded("254372002", system=SNOMED)}],
            bodySite=[coded("69695003", system=SNOMED)],
            onsetDateTime="2026-01-15",
        )
    )
    assert values(found) == {"stage": 4, "b_symptoms": True, "cell_of_origin": "GCB", "extranodal_sites": ("stomach",)}
    assert {one.effective for one in found.statements} == {"20260115"}


@pytest.mark.parametrize(
    ("code", "read"),
    [
        (coded("C83.3", system="http://hl7.org/fhir/sid/icd-10-cm"), {"stage": 3}),
        (coded("9680/3", system=codes.ICD_O_3), {"stage": 3}),
        (coded("1163043007", system=SNOMED), {"stage": 3}),
        (coded("999", "Follicular lymphoma", SNOMED), {"stage": 3}),
        (coded("C50.9", system="http://hl7.org/fhir/sid/icd-10-cm"), {}),
        ({"text": "Breast cancer"}, {}),
        ({"text": "No lymphoma"}, {}),
    ],
)
def test_a_stage_without_system_counts_for_a_lymphoma_only(code: Json, read: dict[str, Value]) -> None:
    found = said_by(condition(stage=[{"summary": {"text": "Stage III"}}]) | {"code": code})
    assert values(found) == read
    assert len(found.unusable) == (not read)


@pytest.mark.parametrize(
    ("stage", "word"),
    [
        ({"summary": {"text": "Stage III"}, "type": {"text": "TNM clinical stage group"}}, "another system"),
        ({"summary": coded("44255004", system=SNOMED) | {"text": "Stage II"}}, "different stages"),
        ({"summary": {"text": "limited"}}, "not an Ann Arbor stage"),
    ],
)
def test_a_stage_of_a_lymphoma_that_is_not_plain(stage: Json, word: str) -> None:
    found = said_by(condition(stage=[stage]))
    assert values(found) == {}
    assert word in reason(found)


def test_a_refuted_diagnosis_stages_nothing() -> None:
    one = condition(
        stage=[{"summary": {"text": "Ann Arbor III"}}],
        verificationStatus=coded("refuted", system="http://terminology.hl7.org/CodeSystem/condition-ver-status"),
    )
    found = said_by(one)
    assert values(found) == {}
    assert "refuted" in reason(found)


def test_a_nodal_diagnosis_does_not_deny_extranodal_sites() -> None:
    assert values(said_by(condition(bodySite=[coded("59441001", system=SNOMED)]))) == {}


# ----- the patient's data


def test_names_and_ids_stay_out_of_what_was_said() -> None:
    person = patient(name=[{"family": "Muster", "given": ["Eva", "III"]}])
    found = said_by(
        condition(stage=[{"summary": {"text": "Ann Arbor stage III"}}]),
        observation({"text": "Extranodal sites"}, valueString="none in Frau MUSTER, 77001"),
        observation({"text": "Cell of origin"}, valueString="GCB (Eva Muster)", performer=[{"display": "Dr Eva Kern"}]),
        person=person,
    )
    shown = " ".join(filter(None, (part for one in found.statements for part in (one.said, one.by)))) + " ".join(
        one.said + one.reason for one in found.unusable
    )
    assert all(word in shown for word in ("GCB", "stage III", "Kern"))
    assert not any(word in shown for word in ("Muster", "MUSTER", "Eva", "77001"))


# ----- whatever comes

ODD: tuple[Any, ...] = (None, 0, -1.5, True, "", "x" * 500, [], {}, [None], [[]], {"x": [1]}, "2026-13-45", 10**400)


def rich() -> Json:
    return bundle(
        ldh(effectiveDateTime="2026-03-01", performer=[{"display": "Laboratory"}]),
        observation(
            coded("385388004", system=SNOMED),
            valueCodeableConcept=coded("44255004", system=SNOMED),
            component=[{"code": coded("106252000", system=SNOMED), "valueCodeableConcept": {"text": "B"}}],
        ),
        organ("69695003", "2026-02-01"),
        condition(stage=[{"summary": {"text": "Stage II"}}], bodySite=[coded("69695003", system=SNOMED)]),
        person=patient(birthDate="1960-05-04", gender="female", name=[{"family": "Muster", "given": ["Eva"]}]),
        meta={"profile": ["http://hl7.org/fhir/4.0/StructureDefinition/Bundle"]},
    )


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(deeper for key, value in inner for deeper in paths(value, (*path, key)))]


def test_an_odd_value_anywhere_is_refused_or_left_out() -> None:
    whole, refused, read = rich(), 0, 0
    for path in paths(whole)[1:]:
        for odd in ODD:
            changed = deepcopy(whole)
            node: Any = changed
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = odd
            try:
                statements_of_bundle(changed, RECEIVED)
                read += 1
            except Refused:
                refused += 1
    assert read > refused > 0


def test_every_code_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/clinical-sources.md").read_text(encoding="utf-8")
    known = {*codes.FIELD_BY_LOINC, *codes.FIELD_BY_SNOMED, *codes.SITE_BY_SNOMED, *codes.LYMPHATIC}
    pairs = {*codes.STAGE_BY_CODE, *codes.LYMPHOMA_STAGING_SYSTEMS, *codes.PRESENT_OR_YES, *codes.ABSENT_OR_NO}
    known |= {code for _, code in pairs if len(code) > 1}
    known |= {code for system, code in codes.ECOG_ANSWERS if system == codes.SNOMED}
    assert {code for code in known if code not in page} == set()
