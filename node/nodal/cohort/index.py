"""Digests of files and what was found in them, kept beside the cohort so that a second look is quick.

A file's digest is taken again when its size or its time of change differs; what was found in a patient's images is
kept under the digest of their content. Where the folder cannot be written, every look is a first one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from nodal.cohort.model import ImageFacts

__all__ = ["INDEX_NAME", "Index"]

_LOG = structlog.get_logger()

INDEX_NAME = ".nodal-index.json"


@dataclass(frozen=True)
class _KnownFile:
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class _Stored:
    """The file on disk. ``layout`` counts up whenever the rules of the check change, and old facts are forgotten."""

    layout: int
    files: dict[str, _KnownFile]
    facts: dict[str, ImageFacts]


_ADAPTER: TypeAdapter[_Stored] = TypeAdapter(_Stored)
_LAYOUT = 1


@dataclass(frozen=True)
class Index:
    """What is known of a cohort's files; :meth:`open` reads it, :meth:`save` writes it."""

    root: Path
    _files: dict[str, _KnownFile] = field(default_factory=dict)
    _facts: dict[str, ImageFacts] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path) -> Index:
        """Reads the index of a cohort folder; an empty one where there is none or it is damaged."""
        try:
            stored = _ADAPTER.validate_json((root / INDEX_NAME).read_bytes())
        except (OSError, ValidationError):
            return cls(root)
        return cls(root, stored.files, stored.facts) if stored.layout == _LAYOUT else cls(root)

    def sha256(self, path: Path) -> str:
        """Hex digest of a file's bytes, read only where size or time of change is new."""
        facts = path.stat()
        key = self._key(path)
        known = self._files.get(key)
        if known is None or (known.size, known.mtime_ns) != (facts.st_size, facts.st_mtime_ns):
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            known = _KnownFile(facts.st_size, facts.st_mtime_ns, digest)
            self._files[key] = known
        return known.sha256

    def facts(self, content: str) -> ImageFacts | None:
        """What was found in images of this content; None where they were never read."""
        return self._facts.get(content)

    def keep(self, content: str, facts: ImageFacts) -> None:
        """Notes what was found."""
        self._facts[content] = facts

    def save(self, contents: Iterable[str]) -> None:
        """Writes the index, whole or not at all: the facts of ``contents``, and the files that are still there."""
        files = {key: known for key, known in self._files.items() if (self.root / key).exists()}
        kept = {content: self._facts[content] for content in contents if content in self._facts}
        data = _ADAPTER.dump_json(_Stored(_LAYOUT, files, kept), indent=1)
        try:
            handle, name = tempfile.mkstemp(dir=self.root, prefix=f"{INDEX_NAME}.")
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(name).replace(self.root / INDEX_NAME)
        except OSError as fault:
            _LOG.warning("the cohort's index cannot be kept; the next look reads every file", errno=fault.errno)

    def _key(self, path: Path) -> str:
        """Relative to the cohort where it lies in it, so that a moved folder keeps its index."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)
