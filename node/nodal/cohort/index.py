"""Digests of files and what was found in them, kept beside the cohort so that a second look is quick.

Files are read again when the size or the time of change of one differs; what was found in a patient's images is kept
under the digest of their content. Where the folder cannot be written, every look is a first one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from lymphoma.training.files import file_sha256
from pydantic import TypeAdapter, ValidationError

from nodal.cohort.model import ImageFacts

__all__ = ["INDEX_NAME", "Index"]

_LOG = structlog.get_logger()

INDEX_NAME = ".nodal-index.json"


@dataclass(frozen=True)
class _Stored:
    """The file on disk. ``layout`` counts up whenever the rules of the check change, and old facts are forgotten.

    Attributes:
        digests: stamp of some files (names, sizes, times of change) -> digest of their bytes.
        facts: digest of a patient's content -> what was found.
    """

    layout: int
    digests: dict[str, str]
    facts: dict[str, ImageFacts]


_ADAPTER: TypeAdapter[_Stored] = TypeAdapter(_Stored)
_LAYOUT = 1


@dataclass(frozen=True)
class Index:
    """What is known of a cohort's files; :meth:`open` reads it, :meth:`save` writes it."""

    root: Path
    _digests: dict[str, str] = field(default_factory=dict)
    _facts: dict[str, ImageFacts] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, root: Path) -> Index:
        """Reads the index of a cohort folder; an empty one where there is none or it is damaged."""
        try:
            stored = _ADAPTER.validate_json((root / INDEX_NAME).read_bytes())
        except (OSError, ValidationError):
            return cls(root)
        return cls(root, stored.digests, stored.facts) if stored.layout == _LAYOUT else cls(root)

    def digest(self, *paths: Path) -> str:
        """Hex digest over the bytes of files, whatever they are called; read only where one of them is new or changed.

        Raises:
            OSError: a file that is not there or cannot be read.
        """
        stamp = self._stamp(paths)
        self._used.add(stamp)
        if stamp not in self._digests:
            self._digests[stamp] = _joined(sorted(map(file_sha256, paths)))
        return self._digests[stamp]

    def _stamp(self, paths: Iterable[Path]) -> str:
        """Of names relative to the cohort where a file lies in it, so that a moved folder keeps its index."""
        lines = []
        for path in paths:
            facts = path.stat()
            name = path.relative_to(self.root) if path.is_relative_to(self.root) else path
            lines.append(f"{name} {facts.st_size} {facts.st_mtime_ns}")
        return _joined(sorted(lines))

    def facts(self, content: str) -> ImageFacts | None:
        """What was found in images of this content; None where they were never read."""
        return self._facts.get(content)

    def keep(self, content: str, facts: ImageFacts) -> None:
        """Notes what was found."""
        self._facts[content] = facts

    def save(self, contents: Iterable[str] | None = None) -> None:
        """Writes the index, whole or not at all.

        Args:
            contents: keep only the facts of these and the digests that were asked for; None keeps everything.
        """
        digests, facts = self._digests, self._facts
        if contents is not None:
            digests = {stamp: digest for stamp, digest in digests.items() if stamp in self._used}
            facts = {content: facts[content] for content in contents if content in facts}
        part = self.root / f"{INDEX_NAME}.{secrets.token_hex(4)}.part"
        try:
            part.write_bytes(_ADAPTER.dump_json(_Stored(_LAYOUT, digests, facts)))
            part.replace(self.root / INDEX_NAME)
        except OSError as fault:
            _LOG.warning("the cohort's index cannot be kept; the next look reads every file", errno=fault.errno)


def _joined(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
