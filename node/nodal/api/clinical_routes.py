"""The endpoints of clinical records: one source's own words in, what all sources say together out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from fastapi.concurrency import run_in_threadpool

from nodal.api.clinical import BundleTaken, ClinicalIn, PatientTaken, patient_key_of
from nodal.api.security import caller
from nodal.api.service import NodeApi
from nodal.clinical.fhir import read_bundle
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Refused
from nodal.jobs.clinical import ClinicalView
from nodal.jobs.model import JobView
from nodal.settings import FhirSettings

__all__ = ["clinical_router"]

PATIENT = "/patients/{patient_key:path}/clinical"
DA = r"^\d{8}$"

_BUNDLE = {"required": True, "content": {"application/fhir+json": {"schema": {"type": "object"}}}}


def clinical_router(service: NodeApi, fhir_settings: FhirSettings) -> APIRouter:
    """``PUT`` and ``GET`` of a patient's record, and ``POST`` of a FHIR Bundle."""
    router = APIRouter(tags=["clinical records"])

    @router.put(
        PATIENT,
        summary="A patient's clinical record; patient_key is issuer~id, percent-encoded; answers the new revisions",
    )
    def put_clinical(patient_key: str, clinical: Annotated[ClinicalIn, Body()], request: Request) -> list[JobView]:
        by = caller(request)
        told = clinical.statements(patient_key_of(patient_key), by, datetime.now(UTC))
        return list(service.put_clinical(told, by))

    @router.get(PATIENT, summary="What every source says of a patient, and the record that it makes")
    def clinical(
        patient_key: str,
        study_date: Annotated[
            str | None, Query(pattern=DA, description="Of the scan; the last one seen when left out.")
        ] = None,
    ) -> ClinicalView:
        return service.clinical(patient_key_of(patient_key), study_date)

    @router.post(
        "/fhir",
        summary="A FHIR R4 or R5 Bundle with Patient, Condition and Observation; what was taken of each patient",
        openapi_extra={"requestBody": _BUNDLE},
    )
    async def fhir(request: Request) -> BundleTaken:
        body, received = await request.body(), datetime.now(UTC).strftime("%Y%m%d%H%M%S%z")
        return await run_in_threadpool(_take_bundle, service, body, received, fhir_settings.issuers)

    return router


def _take_bundle(service: NodeApi, body: bytes, received: str, issuers: Mapping[str, str]) -> BundleTaken:
    read = read_bundle(_json_object(body), received, issuers)
    return BundleTaken(tuple(_taken(service, patient) for patient in read.patients), read.unattributed)


def _taken(service: NodeApi, patient: PatientStatements) -> PatientTaken:
    jobs = service.put_statements(patient, replace_source=False)
    return PatientTaken(
        patient.patient_key,
        tuple(dict.fromkeys(one.field for one in patient.statements)),
        patient.unusable,
        tuple(view.job_id for view in jobs),
    )


def _json_object(body: bytes) -> Mapping[str, object]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # neither text nor JSON, or nested beyond any resource
        raise Refused(Code.FHIR_UNREADABLE, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Refused(Code.FHIR_UNREADABLE, "the body is no JSON object")
    return content
