"""The report for a FHIR server (R4): a transaction Bundle of a DiagnosticReport with the PDF, and its Observations.

The Observations are the numbers and risk groups of the structured report's groups of the patient, with what stands
beside each of them; so what may leave, and what each figure is called, is decided in one place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pydicom import Dataset

from nodal.findings import Findings
from nodal.report import codes
from nodal.report.canonical import inputs_digest
from nodal.report.context import patient_context
from nodal.report.identity import MANUFACTURER, content_instant
from nodal.report.inputs import FhirForm, ReportInputs, ResultObject, Target
from nodal.report.pdf import TITLE
from nodal.report.risk_codes import COVARIATE
from nodal.report.sr_groups import patient_groups, patient_label
from nodal.report.system_words import SHOWN_SIMULATED, SIMULATION_TRAINED, shows_simulated
from nodal.report.uids import derived_uid, object_uid
from nodal.report.verified import verification_flag

__all__ = ["fhir_report"]

Json = dict[str, Any]

_DICOM_UID = "urn:dicom:uid"
_SYSTEMS: Mapping[str, str] = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
    "UMLS": "http://terminology.hl7.org/CodeSystem/umls",
    codes.PRIVATE_SCHEME: f"urn:oid:{codes.private_scheme_item().CodingSchemeUID}",
}
_NUCLEAR = {
    "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
    "code": "NMS",
    "display": "Nuclear Medicine Scan",
}
_IMAGING = {
    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
    "code": "imaging",
    "display": "Imaging",
}
_ACCESSION = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN", "display": "Accession ID"}
_TEST_DATA = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
_FINDING = "121071"


def fhir_report(pdf: bytes, inputs: ReportInputs, target: Target) -> ResultObject:
    """The transaction Bundle as JSON; the same inputs and target give the same bytes.

    Report and Observations are ``preliminary`` until a person has accepted them, then ``final``. The patient is told by
    identifier; where the target knows the identifier system of the issuer, the server is asked to find that patient
    (conditional reference) and refuses the whole where there is none or more than one. Every resource is created only
    once (ifNoneExist).

    Args:
        pdf: what :func:`nodal.report.pdf.render_pdf` gave for the same inputs and target.

    Raises:
        ValidationError: of pydantic, where the Bundle would not be valid FHIR.
    """
    from fhir.resources.R4B.bundle import Bundle

    findings = inputs.findings
    uid = object_uid("fhir", target, inputs_digest(inputs))
    header = patient_context(inputs.pet_headers[0])
    shared = _shared(findings, header, target.fhir or FhirForm())
    observations = [
        {
            "resourceType": "Observation",
            "identifier": [_identifier(derived_uid(uid, f"observation {number}"))],
            **one,
            **shared,
        }
        for number, one in enumerate(_observations(inputs), start=1)
    ]
    entries = [_entry(one) for one in observations]
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [_identifier(uid)],
        **_report(findings, header, pdf),
        "result": [{"reference": entry["fullUrl"]} for entry in entries],
        **{name: value for name, value in shared.items() if name in ("meta", "status", "subject", "effectiveDateTime")},
    }
    bundle = {
        "resourceType": "Bundle",
        "identifier": _identifier(derived_uid(uid, "bundle")),
        "type": "transaction",
        "entry": [_entry(report), *entries],
    }
    Bundle.model_validate(bundle)
    data = json.dumps(bundle, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")
    return ResultObject("fhir", "", uid, data, hashlib.sha256(data).hexdigest())


def _identifier(uid: str) -> Json:
    return {"system": _DICOM_UID, "value": f"urn:oid:{uid}"}


def _entry(resource: Json) -> Json:
    """A resource that the server creates unless it has one of this identifier."""
    (identifier,) = resource["identifier"]
    number = int(identifier["value"].removeprefix("urn:oid:2.25."))
    asked = quote(f"{identifier['system']}|{identifier['value']}", safe="")
    return {
        "fullUrl": uuid.UUID(int=number).urn,
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"], "ifNoneExist": f"identifier={asked}"},
    }


def _shared(findings: Findings, header: Dataset, form: FhirForm) -> Json:
    """What all resources have in common: status, patient, time; a virtual patient's are marked as test data."""
    when = _instant(str(header.get("StudyDate") or ""), str(header.get("StudyTime") or ""), header)
    return {
        **({"meta": {"security": [_TEST_DATA]}} if findings.virtual else {}),
        "status": "preliminary" if findings.review is None else "final",
        "subject": _subject(header, form),
        **({"effectiveDateTime": when} if when else {}),
        "device": {"display": f"{MANUFACTURER} {findings.provenance.node_version}"},
        "derivedFrom": [_study(findings)],
    }


def _subject(header: Dataset, form: FhirForm) -> Json:
    number, issuer = str(header.get("PatientID") or ""), str(header.get("IssuerOfPatientID") or "")
    if not number:
        return {"type": "Patient", "display": "without Patient ID"}
    system = dict(form.systems).get(issuer)
    identifier: Json = {"value": number}
    if system is None:
        if issuer:
            identifier["assigner"] = {"display": issuer}
        return {"type": "Patient", "identifier": identifier}
    asked = quote(f"{system}|{number}", safe="")
    return {
        "reference": f"Patient?identifier={asked}",
        "type": "Patient",
        "identifier": {"system": system, **identifier},
    }


def _study(findings: Findings) -> Json:
    return {"type": "ImagingStudy", "identifier": _identifier(findings.study_instance_uid)}


def _instant(date: str, time: str, header: Dataset) -> str:
    """A FHIR dateTime; a time of day without an offset from UTC is none, so then the day alone."""
    if len(date) != 8:
        return ""
    day = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    offset = str(header.get("TimezoneOffsetFromUTC") or "").strip()
    if len(offset) != 5 or len(time) < 6:
        return day
    return f"{day}T{time[:2]}:{time[2:4]}:{time[4:6]}{offset[:3]}:{offset[3:]}"


def _report(findings: Findings, header: Dataset, pdf: bytes) -> Json:
    whole = findings.totals.field_of_view == "whole"
    procedure = codes.WHOLE_BODY_FDG if whole else codes.PET_UNSPECIFIED_REGION
    issued = _instant(*content_instant(findings), header)
    accession = str(header.get("AccessionNumber") or "")
    order = {"type": "ServiceRequest", "identifier": {"type": {"coding": [_ACCESSION]}, "value": accession}}
    return {
        **({"basedOn": [order]} if accession else {}),
        "category": [{"coding": [_NUCLEAR]}],
        "code": {"coding": [_coding(codes.code_item(procedure))], "text": TITLE},
        **({"issued": issued} if "T" in issued else {}),
        "imagingStudy": [_study(findings)],
        "conclusion": _conclusion(findings),
        "presentedForm": [
            {
                "contentType": "application/pdf",
                "language": "en",
                "data": base64.b64encode(pdf).decode("ascii"),
                "size": len(pdf),
                # FHIR asks for SHA-1 here (Attachment.hash); it guards against accidents alone.
                "hash": base64.b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode("ascii"),
                "title": TITLE,
            }
        ],
    }


def _conclusion(findings: Findings) -> str:
    """The totals and what limits them, and what must be said of risks by a model of virtual patients."""
    judged = any(one.evidence == "E0" and one.status == "computed" for one in findings.systems.values())
    limits = [f"Prognosis systems: {SIMULATION_TRAINED}"] if judged else []
    limits += [SHOWN_SIMULATED] if shows_simulated(findings) else []
    return ". ".join([patient_label(findings), *limits, f"Computed automatically, {verification_flag(findings)}"])


def _observations(inputs: ReportInputs) -> Iterator[Json]:
    """The numbers and coded statements of the patient's groups, each with what stands beside it."""
    for made in patient_groups(inputs):
        (group,) = made
        about = next((item for item in group.ContentSequence if _name(item).CodeValue == _FINDING), None)
        subject = _coding(about.ConceptCodeSequence[0])["display"] if about is not None else ""
        for item in group.ContentSequence:
            coded = item.ValueType == "CODE" and _name(item).CodingSchemeDesignator != "DCM"
            if (item.ValueType == "NUM" or coded) and item.RelationshipType == "CONTAINS" and not _is_of_axis(item):
                yield _observation(item, subject)


def _is_of_axis(item: Dataset) -> bool:
    """Whether it is a nomogram's points of one covariate, which mean nothing without the drawing in the PDF."""
    return any(_name(child).CodeValue == COVARIATE.value for child in item.get("ContentSequence", ()))


def _observation(item: Dataset, subject: str) -> Json:
    beside = [child for child in item.get("ContentSequence", ()) if child.ValueType in ("NUM", "CODE", "TEXT")]
    name = _concept(_name(item))
    modifiers = [child for child in beside if child.get("RelationshipType") == "HAS CONCEPT MOD"]
    words = [_coding(_name(item))["display"]]
    if item.ValueType == "NUM":
        # The names of the private scheme say all of it; "SUVbw" alone does not say that it is the maximum.
        public = (child for child in modifiers if _name(child).CodingSchemeDesignator != codes.PRIVATE_SCHEME)
        words += [_value_words(child) for child in public]
    else:
        words += [*([subject] if subject else []), *(_value_words(child) for child in modifiers)]
    name["text"] = ", ".join(words)
    return {
        "category": [{"coding": [_IMAGING]}],
        "code": name,
        **_value(item),
        **({"component": [{"code": _concept(_name(child)), **_value(child)} for child in beside]} if beside else {}),
    }


def _name(item: Dataset) -> Dataset:
    name: Dataset = item.ConceptNameCodeSequence[0]
    return name


def _value_words(item: Dataset) -> str:
    return str(item.TextValue) if item.ValueType == "TEXT" else _coding(item.ConceptCodeSequence[0])["display"]


def _value(item: Dataset) -> Json:
    if item.ValueType == "TEXT":
        return {"valueString": str(item.TextValue)}
    if item.ValueType == "CODE":
        return {"valueCodeableConcept": _concept(item.ConceptCodeSequence[0])}
    (measured,) = item.MeasuredValueSequence
    unit = measured.MeasurementUnitsCodeSequence[0]
    value = float(measured.NumericValue)
    return {
        "valueQuantity": {
            "value": int(value) if value.is_integer() else value,
            "unit": str(unit.CodeMeaning) if str(unit.CodeValue) == "1" else str(unit.CodeValue),
            "system": _SYSTEMS["UCUM"],
            "code": str(unit.CodeValue),
        }
    }


def _concept(item: Dataset) -> Json:
    return {"coding": [_coding(item)]}


def _coding(item: Dataset) -> dict[str, str]:
    scheme = str(item.CodingSchemeDesignator)
    return {"system": _SYSTEMS[scheme], "code": str(item.CodeValue), "display": str(item.CodeMeaning)}
