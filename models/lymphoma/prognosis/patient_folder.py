"""A folder of what systems read of patients: one file a patient, named by the digest of the content; no id, no name.

index.json                      what made the arrays, and the digest of every file
patients/<content>.safetensors  arrays, clinical factors, PET measures, outcomes
truth/<content>.npz             what is true of a virtual patient: a table of one row, as lymphoma.simulation keeps it

A patient is in the folder as soon as the index says so; a run that was killed goes on with the next.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lymphoma.errors import NotComputable
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome
from lymphoma.training.files import file_sha256, write_whole

__all__ = ["Arrays", "KnownPatient", "PatientFolder"]

INDEX = "index.json"
LAYOUT = 1
_CONTENT = re.compile(r"[0-9a-f]{16,64}")

Arrays = Mapping[str, npt.NDArray[Any]]
S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class KnownPatient:
    """One patient.

    Attributes:
        content: digest of all that the arrays were made from; the only name that he or she has here.
        outcomes: None where not known. arrays: by the system's own names.
        truth: an ``.npz`` file of a virtual patient; None for any other.
    """

    content: str
    centre: str
    clinical: ClinicalFactors
    pet: PetMeasures
    outcomes: Mapping[Endpoint, Outcome | None]
    arrays: Arrays
    truth: bytes | None = None


@dataclass(frozen=True)
class _Known:
    """Everything of a patient but arrays."""

    centre: str
    clinical: ClinicalFactors
    pet: PetMeasures
    outcomes: dict[Endpoint, Outcome | None]


@dataclass(frozen=True)
class _Entry:
    sha256: str
    truth_sha256: str | None = None


@dataclass(frozen=True)
class _Index(Generic[S]):
    layout: int
    source: S
    patients: dict[str, _Entry] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)


_KNOWN = TypeAdapter(_Known)


class PatientFolder(Generic[S]):
    """A folder of patients; :meth:`open` reads one, :meth:`make` begins one or goes on with it.

    A subclass names the class of its source, a frozen dataclass that pydantic can read back.
    """

    source_class: type[S]
    holds: str = "patients' arrays"

    def __init__(self, folder: Path, index: _Index[S]) -> None:
        self.folder = folder
        self._index = index

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Reads the index.

        Raises:
            NotComputable: ``FEATURES_UNREADABLE``: no such folder, or an index that this version cannot read.
        """
        reader: TypeAdapter[_Index[S]] = TypeAdapter(_Index[cls.source_class])  # type: ignore[name-defined]
        try:
            index = reader.validate_json((folder / INDEX).read_bytes())
        except (OSError, ValidationError) as fault:
            raise NotComputable("FEATURES_UNREADABLE", f"{folder.name} is no folder of {cls.holds}") from fault
        if index.layout != LAYOUT:
            raise NotComputable("FEATURES_UNREADABLE", f"{folder.name} has layout {index.layout}, not {LAYOUT}")
        return cls(folder, index)

    @classmethod
    def make(cls, folder: Path, source: S) -> Self:
        """A folder for the arrays of ``source``; one that is there already is gone on with.

        Raises:
            NotComputable: ``BUNDLE_MISMATCH``: the folder is of another source; ``FEATURES_UNREADABLE``.
        """
        if (folder / INDEX).exists():
            found = cls.open(folder)
            if found.source != source:
                raise NotComputable("BUNDLE_MISMATCH", f"{folder.name} was made by another network or in another way")
            return found
        for part in ("patients", "truth"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        made = cls(folder, _Index(LAYOUT, source))
        made._keep_index()
        return made

    @property
    def source(self) -> S:
        """What made the arrays."""
        return self._index.source

    @property
    def contents(self) -> tuple[str, ...]:
        """Digests of the patients, in ascending order."""
        return tuple(sorted(self._index.patients))

    @property
    def passed_over(self) -> Mapping[str, str]:
        """Digest of a patient without arrays -> code of the reason."""
        return self._index.passed_over

    def __contains__(self, content: str) -> bool:
        return content in self._index.patients

    def lacks(self, content: str) -> bool:
        """Whether the folder holds neither the patient nor the reason why not."""
        return content not in self and content not in self.passed_over

    def __len__(self) -> int:
        return len(self._index.patients)

    def keep(self, patient: KnownPatient) -> None:
        """Keeps a patient; the same content again takes the place of the one before.

        Raises:
            ValueError: a content that is no digest.
        """
        if not _CONTENT.fullmatch(patient.content):
            raise ValueError("a patient is named by the digest of the content, in hexadecimal")
        write_whole(self._file(patient.content), _encoded(patient))
        truth = None
        if patient.truth is not None:
            write_whole(self._truth(patient.content), patient.truth)
            truth = hashlib.sha256(patient.truth).hexdigest()
        entry = _Entry(file_sha256(self._file(patient.content)), truth)
        self._index = replace(self._index, patients={**self._index.patients, patient.content: entry})
        self._keep_index()

    def pass_over(self, content: str, code: str) -> None:
        """Keeps that a patient has no arrays, so that the next run does not look again."""
        self._index = replace(self._index, passed_over={**self._index.passed_over, content: code})
        self._keep_index()

    def known(self, content: str) -> KnownPatient:
        """One patient.

        Raises:
            NotComputable: ``FEATURES_UNREADABLE``: not in the folder, or its file is not the one that was written.
        """
        entry = self._index.patients.get(content)
        if entry is None:
            raise NotComputable("FEATURES_UNREADABLE", "the folder does not hold this patient")
        file = self._file(content)
        _check(file, entry.sha256)
        truth = None
        if entry.truth_sha256 is not None:
            _check(self._truth(content), entry.truth_sha256)
            truth = self._truth(content).read_bytes()
        return _decoded(content, file, truth)

    def _file(self, content: str) -> Path:
        return self.folder / "patients" / f"{content}.safetensors"

    def _truth(self, content: str) -> Path:
        return self.folder / "truth" / f"{content}.npz"

    def _keep_index(self) -> None:
        text = json.dumps(asdict(self._index), indent=1, sort_keys=True) + "\n"
        write_whole(self.folder / INDEX, text.encode())


def _encoded(patient: KnownPatient) -> bytes:
    known = _Known(patient.centre, patient.clinical, patient.pet, dict(patient.outcomes))
    about = {"known": _KNOWN.dump_json(known).decode()}
    return save({name: np.ascontiguousarray(one) for name, one in patient.arrays.items()}, about)


def _decoded(content: str, file: Path, truth: bytes | None) -> KnownPatient:
    try:
        with safe_open(file, framework="numpy") as stored:
            known = _KNOWN.validate_json(stored.metadata()["known"])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, ValidationError, KeyError, TypeError) as fault:
        raise NotComputable("FEATURES_UNREADABLE", f"{file.name} holds nothing of a patient") from fault
    outcomes = {endpoint: known.outcomes.get(endpoint) for endpoint in ENDPOINTS}
    return KnownPatient(content, known.centre, known.clinical, known.pet, outcomes, arrays, truth)


def _check(file: Path, sha256: str) -> None:
    try:
        same = file_sha256(file) == sha256
    except OSError as fault:
        raise NotComputable("FEATURES_UNREADABLE", f"{file.name} cannot be read") from fault
    if not same:
        raise NotComputable("FEATURES_UNREADABLE", f"{file.name} is not the file that was written")
