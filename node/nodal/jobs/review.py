"""A person's acceptance of a job's results: kept in the folder of the revision that says so.

Whoever runs the job again makes results that nobody has looked at: a review is not handed on.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter
from pydicom.valuerep import PersonName

from nodal.errors import WrongUsage
from nodal.findings import Findings, Review
from nodal.jobs.workspace import Workspace

__all__ = ["REVIEW_FILE", "read_review", "review_by", "reviewed", "write_review"]

REVIEW_FILE = "review.json"

_LONGEST = 64
"""Of a component group of a person's name (PS3.5 6.2, PN)."""
_REVIEW: TypeAdapter[Review] = TypeAdapter(Review)


def review_by(observer: str) -> Review:
    """A review at this moment.

    Args:
        observer: name as the report shall give it, free text or DICOM's PN ("Doe^Jane").

    Raises:
        WrongUsage: no name, or one that DICOM cannot hold.
    """
    name = " ".join(observer.split())
    if not name or not name.strip("^ "):
        raise WrongUsage("say who accepts: a report is verified by a person with a name")
    if len(name) > _LONGEST or any(sign in name for sign in "\\=") or not name.isprintable():
        raise WrongUsage(f"the name of who accepts has at most {_LONGEST} characters, and neither \\ nor =")
    return Review(str(PersonName(name)), datetime.now(UTC).strftime("%Y%m%d%H%M%S"))


def write_review(workspace: Workspace, review: Review) -> None:
    """Writes the review of a new job, before any of its stages runs."""
    workspace.write_json(REVIEW_FILE, asdict(review))


def read_review(workspace: Workspace) -> Review | None:
    """The review that a job was made by; None where nobody has accepted its results."""
    if not workspace.path(REVIEW_FILE).exists():
        return None
    return _REVIEW.validate_python(workspace.read_json(REVIEW_FILE))


def reviewed(findings: Findings, review: Review) -> Findings:
    """Findings that a person has accepted; nothing else in them changes but the instant of the objects."""
    return replace(findings, review=review, content_datetime=max(findings.content_datetime, review.at))
