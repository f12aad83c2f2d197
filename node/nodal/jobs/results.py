"""Result objects on disk: the bytes once, under their digest, and a list of what belongs to whom."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from nodal.report.inputs import FhirForm, ObjectKind, ResultObject, Target
from nodal.settings import Destination, FhirSettings, Profile, ResultSettings, Settings

__all__ = ["FILES", "OWN_ORTHANC", "ResultStore", "StoredObject", "own_target", "target_of", "targets"]

OWN_ORTHANC = "orthanc"
"""Name of the node's own Orthanc among the destinations; it gets everything."""

FILES = "files"
"""Name of what is made for nobody but the results' own folder: no delivery knows it."""


@dataclass(frozen=True)
class StoredObject:
    """A finished result object; ``sha256`` names its bytes in the store, ``target`` for whom it was built."""

    target: str
    kind: ObjectKind
    sop_class_uid: str
    sop_instance_uid: str
    sha256: str


_OBJECTS: TypeAdapter[tuple[StoredObject, ...]] = TypeAdapter(tuple[StoredObject, ...])


def own_target(results: ResultSettings) -> Target:
    """What the node's own Orthanc and ``nodal process`` get: everything computed, and the further objects asked for."""
    return Target(Profile(**results.model_dump(exclude={"fhir"})), "simulation_trained")


def target_of(destination: Destination, fhir: FhirSettings) -> Target:
    """What a destination can take and may get."""
    form = _fhir_form(fhir) if destination.kind == "fhir" else None
    return Target(destination.profile, destination.accepts, form)


def _fhir_form(settings: FhirSettings) -> FhirForm:
    """The settings' systems by their issuers; of two systems with one issuer the first counts."""
    by_issuer: dict[str, str] = {}
    for system, issuer in settings.issuers.items():
        by_issuer.setdefault(issuer, system)
    return FhirForm(tuple(sorted(by_issuer.items())))


def targets(settings: Settings) -> dict[str, Target]:
    """The targets to build for, by the name of every destination; equal targets are built once."""
    named = {destination.name: target_of(destination, settings.fhir) for destination in settings.destinations}
    own = {OWN_ORTHANC: own_target(settings.results)}
    if settings.results.fhir:
        own[FILES] = Target(Profile(), "simulation_trained", _fhir_form(settings.fhir))
    return {**own, **named}


class ResultStore:
    """``results/<sha256>`` of the state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Where the bytes with this digest lie."""
        return self._folder / sha256

    def put(self, result: ResultObject, target: str) -> StoredObject:
        """Stores the bytes, on disk when this returns; what is there already is left as it is."""
        path = self.path(result.sha256)
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
            with temporary.open("wb") as stream:
                stream.write(result.data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        return StoredObject(target, result.kind, result.sop_class_uid, result.sop_instance_uid, result.sha256)


def objects_to_json(objects: Sequence[StoredObject]) -> list[dict[str, str]]:
    """Plain JSON of the list, the content of a job's ``objects.json``."""
    return [asdict(entry) for entry in objects]


def objects_from_json(value: object) -> tuple[StoredObject, ...]:
    """The list back, checked."""
    return _OBJECTS.validate_python(value)
