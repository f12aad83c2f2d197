"""Whether a person has accepted the results, in words and in DICOM's attributes (PS3.3 C.17.2)."""

from __future__ import annotations

from typing import Literal

from pydicom import Dataset
from pydicom.valuerep import PersonName

from nodal.findings import Findings, Review
from nodal.report.pdf_words import date

__all__ = ["NO_ORGANISATION", "observer_words", "review_sentence", "verification_flag", "verifying_observer"]

UNVERIFIED = "Automatic result, UNVERIFIED: not yet reviewed by a physician."
NO_ORGANISATION = "not stated"
"""Verifying Organization must not be empty, and the images name no institution."""
_LO = 64


def verification_flag(findings: Findings) -> Literal["VERIFIED", "UNVERIFIED"]:
    """Of all result objects that carry one."""
    return "UNVERIFIED" if findings.review is None else "VERIFIED"


def review_sentence(findings: Findings) -> str:
    """Who has accepted the results and when, or that nobody has."""
    if (review := findings.review) is None:
        return UNVERIFIED
    return f"Automatic result, VERIFIED by {observer_words(review)} on {date(review.at[:8])} (UTC)."


def observer_words(review: Review) -> str:
    """The person's name as it is spoken: "Dr Jane Doe"."""
    name = PersonName(review.observer)
    parts = (name.name_prefix, name.given_name, name.middle_name, name.family_name, name.name_suffix)
    return " ".join(part for part in parts if part)


def verifying_observer(review: Review, header: Dataset) -> Dataset:
    """Item of the Verifying Observer Sequence.

    Args:
        header: of an instance that was measured, whose institution is taken for the observer's.
    """
    item = Dataset()
    item.VerifyingObserverName = review.observer
    item.VerifyingObserverIdentificationCodeSequence = []
    item.VerifyingOrganization = str(header.get("InstitutionName") or "")[:_LO].strip() or NO_ORGANISATION
    item.VerificationDateTime = f"{review.at}+0000"
    return item
