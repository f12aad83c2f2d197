"""A FHIR Bundle as a set of resources: what version they are, whether they are valid, whom they are about.

R4 and R5 share every element that is read here; a resource is valid if it is valid in either version (R4 read as R4B).
FHIR R5, sections 3.1 (Bundle) and 2.6 (references); https://hl7.org/fhir/R5/bundle.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from nodal.clinical.fhir_elements import Json, elements, text_of
from nodal.clinical.observed import NotUsable
from nodal.errors import Code, Refused

__all__ = ["Entry", "Patients", "entries_of", "faults_of", "identified", "versions_of"]

_KINDS = ("Patient", "Condition", "Observation")
_DEEPEST = 3  # Bundles within Bundles: a batch response holds the searches' Bundles, a message a collection
_VERSION_SEGMENT = re.compile(r"(?:\||/)(R?[45])(?:\.\d+)*B?(?:$|/)")
_NORTH_AMERICAN_GUIDES = "hl7.org/fhir/us/"  # US Core and mCODE, in all their releases, are guides to R4
_NAME_OF_ELEMENT = re.compile(r"[A-Za-z_]\w{0,63}")
_MEDICAL_RECORD = "MR"  # HL7 table 0203


@dataclass(frozen=True)
class Entry:
    """A resource of a Bundle and the URL under which others refer to it; empty where it has none."""

    url: str
    resource: Json

    @property
    def kind(self) -> str:
        return text_of(self.resource, "resourceType")


def entries_of(bundle: Json) -> tuple[Entry, ...]:
    """The Patients, Conditions and Observations of a Bundle, of Bundles inside it too; deletions are left out.

    Raises:
        Refused: it is no Bundle.
    """
    if text_of(bundle, "resourceType") != "Bundle":
        raise Refused(Code.FHIR_UNREADABLE, "the body is not a FHIR Bundle")
    return tuple(_entries(bundle, _DEEPEST))


def _entries(bundle: Json, depth: int) -> Iterator[Entry]:
    for entry in elements(bundle, "entry"):
        deleted = any(text_of(request, "method") == "DELETE" for request in elements(entry, "request"))
        for resource in () if deleted else elements(entry, "resource"):
            kind = text_of(resource, "resourceType")
            if kind == "Bundle" and depth:
                yield from _entries(resource, depth - 1)
            elif kind in _KINDS:
                yield Entry(text_of(entry, "fullUrl"), resource)


def versions_of(bundle: Json) -> tuple[str, ...]:
    """The packages of models to try, the likelier version first by the profiles that Bundle and entries claim."""
    resources = [bundle, *(resource for entry in elements(bundle, "entry") for resource in elements(entry, "resource"))]
    claimed = [
        profile
        for resource in resources
        for meta in elements(resource, "meta")
        if isinstance(profiles := meta.get("profile"), list)
        for profile in profiles
        if isinstance(profile, str)
    ]
    versions = set(map(_version_in, claimed))
    five, four = "fhir.resources", "fhir.resources.R4B"
    return (four, five) if "4" in versions and "5" not in versions else (five, four)


def _version_in(profile: str) -> str:
    """Of the specification's own profiles; the version behind a guide's profile is the guide's."""
    if _NORTH_AMERICAN_GUIDES in profile:
        return "4"
    found = _VERSION_SEGMENT.search(profile) if profile.startswith("http://hl7.org/fhir/") else None
    return found[1][-1] if found else ""


@cache
def _model(package: str, kind: str) -> Any:
    """Loaded when first needed: the models cost half a second."""
    return getattr(import_module(f"{package}.{kind.lower()}"), kind)


def faults_of(resource: Json, versions: tuple[str, ...]) -> dict[str, str]:
    """What is not valid FHIR in any of the versions: top element -> sentence; empty where it is valid.

    The sentences name elements and kinds of fault, never values: an id or a name may be among them.
    """
    faults: dict[str, str] = {}
    kind = text_of(resource, "resourceType")
    for package in reversed(versions):
        try:
            _model(package, kind).model_validate(dict(resource))
        except ValidationError as error:
            faults = {}
            for one in error.errors(include_input=False):
                element, sentence = _fault(kind, one["loc"], one["type"])
                faults.setdefault(element, sentence)
        else:
            return {}
    return faults


def _fault(kind: str, location: tuple[int | str, ...], fault: str) -> tuple[str, str]:
    names = [part for part in location if isinstance(part, str) and _NAME_OF_ELEMENT.fullmatch(part)]
    return (names[0] if names else ""), f"not valid FHIR: {'.'.join((kind, *names))} ({fault})"


# ----- whom a resource is about


def identified(resource: Json, issuers: Mapping[str, str]) -> str:
    """``issuer~id`` of a Patient, or of a reference by identifier.

    The identifier of type MR counts (HL7 table 0203), or the only one; an old one never. Its system is the issuer as
    DICOM's Issuer of Patient ID (0010,0021) has it: by ``issuers``, else the system itself, an OID without "urn:oid:".

    Raises:
        NotUsable: none or several could be meant.
    """
    known = [one for one in elements(resource, "identifier") if text_of(one, "value") and text_of(one, "use") != "old"]
    records = [one for one in known if _is_medical_record(one)] or known
    usual = [one for one in records if text_of(one, "use") in ("usual", "official")]
    keys = {_key(one, issuers) for one in (records if len(records) == 1 else usual or records)}
    if len(keys) != 1:
        raise NotUsable("no identifier" if not keys else "several identifiers, and none of them alone is of type MR")
    key = keys.pop()
    if key.count("~") > 1:
        raise NotUsable("an identifier with a tilde")
    return key


def _is_medical_record(identifier: Json) -> bool:
    kinds = elements(identifier, "type")
    return any(text_of(coding, "code") == _MEDICAL_RECORD for kind in kinds for coding in elements(kind, "coding"))


def _key(identifier: Json, issuers: Mapping[str, str]) -> str:
    system = text_of(identifier, "system")
    plain = system.removeprefix("urn:oid:")
    return f"{issuers.get(system, issuers.get(plain, plain))}~{text_of(identifier, 'value')}"


class Patients:
    """The Patients of a Bundle, by every way in which a resource may refer to them."""

    def __init__(self, entries: tuple[Entry, ...], key_of: Callable[[Json], str]) -> None:
        self._key_of = key_of
        self._by_url: dict[str, Json] = {}
        self._by_id: dict[str, list[Json]] = {}
        for entry in entries:
            if entry.kind == "Patient":
                if entry.url:
                    self._by_url[entry.url] = entry.resource
                if identity := text_of(entry.resource, "id"):
                    self._by_id.setdefault(f"Patient/{identity}", []).append(entry.resource)

    def key_of_subject(self, entry: Entry) -> str | None:
        """``issuer~id`` of the subject; None where the subject is no patient.

        Raises:
            NotUsable: the subject is not named, not in the Bundle, or cannot be identified.
        """
        subject = next(iter(elements(entry.resource, "subject")), None)
        if subject is None:
            raise NotUsable("it names no subject")
        reference = text_of(subject, "reference").split("/_history/")[0]
        if not reference:
            return self._key_of(subject)
        found = self._by_url.get(reference) or self._by_url.get(f"{_base(entry.url)}{reference}")
        known = self._by_id.get(reference, [])
        if found is None and len(known) == 1:
            found = known[0]
        if found is not None:
            return self._key_of(found)
        if not reference.startswith(("urn:", "#")) and "Patient/" not in reference:
            return None
        if elements(subject, "identifier"):
            return self._key_of(subject)
        raise NotUsable("its subject is not in the Bundle")


def _base(url: str) -> str:
    """The server's base of a RESTful URL, with its slash; empty for others."""
    parts = url.rsplit("/", 2)
    return f"{parts[0]}/" if len(parts) == 3 and url.startswith("http") else ""
