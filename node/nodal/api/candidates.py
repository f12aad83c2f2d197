"""The endpoint by which a person takes a candidate for a lesion, or leaves it out."""

from __future__ import annotations

import re
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from nodal.api.security import caller
from nodal.api.service import NodeApi
from nodal.audit import Trail
from nodal.errors import Code, Failed
from nodal.jobs.decisions import Decision
from nodal.jobs.model import JobView

__all__ = ["CandidateIn", "JobId", "candidates_router"]

JOB_ID = re.compile(r"[0-9a-f]{32}-r[0-9]{1,6}")


def known_form(job_id: str) -> str:
    """A job id that looks like one; nothing else may become part of a path."""
    if not JOB_ID.fullmatch(job_id):
        raise Failed(Code.JOB_UNKNOWN, "there is no such job")
    return job_id


JobId = Annotated[str, Depends(known_form)]


class CandidateIn(BaseModel):
    """A person's word on one candidate, named by one of three."""

    model_config = ConfigDict(extra="forbid")

    is_lesion: bool = Field(description="Take it for a lesion, or leave it out.")
    number: int | None = Field(None, ge=1, description="Of a rejected candidate in the job's findings.")
    lesion: int | None = Field(None, ge=1, description="Of a lesion in the job's findings.")
    hottest_mm: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = Field(
        None, description="Hottest voxel of either, as in the findings (LPS)."
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if sum(name is not None for name in (self.number, self.lesion, self.hottest_mm)) != 1:
            raise ValueError("exactly one of number, lesion and hottest_mm names the candidate")
        return self


def candidates_router(service: NodeApi, trail: Trail) -> APIRouter:
    """``POST /jobs/{job_id}/candidates``."""
    router = APIRouter(tags=["jobs"])

    @router.post(
        "/jobs/{job_id}/candidates",
        status_code=202,
        summary="Confirm, reject or take back a candidate; answers the new revision",
    )
    def decide(job_id: JobId, asked: CandidateIn, request: Request) -> JobView:
        by = caller(request)
        view = service.decide(job_id, Decision(asked.is_lesion, asked.number, asked.lesion, asked.hottest_mm), by)
        trail.record(
            "job_candidate_decided",
            job_id=view.job_id,
            study_instance_uid=view.study_instance_uid,
            by=by,
            predecessor=job_id,
            **asked.model_dump(exclude_none=True),
        )
        return view

    return router
