"""Prepared cases on disk: made once, read often, thrown away when the disk's share is full.

MONAI's PersistentDataset was looked at first: it has no size limit, no check of what it reads beyond torch's own, and
its keys do not know the code that made the entry. Here the key is the case's content, the configuration and the code;
an entry is one safetensors file with a checksum; nothing stays in memory between two reads.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import secrets
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import structlog
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.training.case import Case, Cohort, Subject

__all__ = ["CachedCases", "DiskCache", "Entry", "Preparation", "code_digest", "config_digest"]

_LOG = structlog.get_logger()
_SUFFIX = ".safetensors"
_LAYOUT = "1"
_STALE_S = 3600.0  # a half-written file of a process that died; no write takes an hour

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Entry:
    """What one file of the cache holds: named arrays and a short note (JSON text)."""

    arrays: Arrays
    note: str = ""


@dataclass(frozen=True)
class DiskCache:
    """Files of arrays, one a key, of which the least recently used go when a limit is passed.

    Several processes may share a folder: files appear whole or not at all, a reader is not disturbed when its file is
    thrown out, and two that make the same entry at once write the same bytes.

    Attributes:
        folder: made where missing; nothing else may lie in it.
        limit_bytes: of all entries together. An entry that is larger is not kept.
    """

    folder: Path
    limit_bytes: int

    def get(self, key: str, make: Callable[[], Entry]) -> Entry:
        """The entry of ``key``, made and kept where it is not there or is damaged; a disk that is full keeps nothing.

        Args:
            key: names the content; letters and digits (a hex digest).
        """
        path = self.folder / f"{key}{_SUFFIX}"
        found = _read(path)
        if found is not None:
            _touch(path)
            return found
        made = make()
        try:
            self._keep(path, made)
        except OSError as fault:
            _LOG.warning("entry not kept", fault=type(fault).__name__, errno=fault.errno)
        return made

    def size_bytes(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size, _ in self._entries())

    def _keep(self, path: Path, entry: Entry) -> None:
        data = _encoded(entry)
        if len(data) > self.limit_bytes:
            _LOG.warning("entry larger than the cache", bytes=len(data), limit_bytes=self.limit_bytes)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._make_room(len(data), path)
            _write_whole(path, data)

    def _make_room(self, needed: int, coming: Path) -> None:
        entries = sorted(entry for entry in self._entries() if entry[2] != coming)
        total = sum(size for _, size, _ in entries) + needed
        for _, size, path in entries:
            if total <= self.limit_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        for left in self.folder.glob("*.part"):
            with _gone_is_fine():
                if time.time() - left.stat().st_mtime > _STALE_S:
                    left.unlink()

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """(instant of last use, bytes, path) of each entry."""
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with _gone_is_fine():
                facts = path.stat()
                yield facts.st_mtime_ns, facts.st_size, path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, so that two do not make room for the same bytes; released if the process dies."""
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """Another process may throw a file out between two looks."""
    try:
        yield
    except FileNotFoundError:
        return


def _touch(path: Path) -> None:
    with _gone_is_fine():
        os.utime(path)


def _encoded(entry: Entry) -> bytes:
    arrays = {name: np.ascontiguousarray(array) for name, array in entry.arrays.items()}
    return save(arrays, metadata={"checksum": _checksum(arrays, entry.note), "note": entry.note})


def _checksum(arrays: Arrays, note: str) -> str:
    value = zlib.crc32(note.encode())
    for name in sorted(arrays):
        array = arrays[name]
        value = zlib.crc32(f"{name}{array.dtype.str}{array.shape}".encode(), value)
        value = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, value)
    return f"{value:08x}"


def _write_whole(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.stem[:16]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _read(path: Path) -> Entry | None:
    """The entry; None where there is none, or where its bytes are not what was written (it is then removed)."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as stored:
            facts = stored.metadata() or {}
            arrays = {name: np.array(stored.get_tensor(name)) for name in stored.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, ValueError) as fault:
        _LOG.warning("cache entry unreadable, made again", fault=type(fault).__name__)
        path.unlink(missing_ok=True)
        return None
    note = facts.get("note", "")
    if facts.get("checksum") != _checksum(arrays, note):
        _LOG.warning("cache entry damaged, made again")
        path.unlink(missing_ok=True)
        return None
    return Entry(arrays, note)


class Preparation(Protocol):
    """What is done to a case before training, the same every time (resampling, cropping; no augmentation)."""

    @property
    def config_digest(self) -> str:
        """Digest of all that alters the result; :func:`config_digest` makes one of a dataclass."""
        ...

    @property
    def code_digest(self) -> str:
        """Digest of the code; :func:`code_digest` makes one of modules."""
        ...

    def __call__(self, case: Case) -> Case:
        """The case as it is kept."""
        ...


def config_digest(config: Any) -> str:
    """Hex SHA-256 of a dataclass: its kind and every field, as JSON with sorted keys.

    Raises:
        TypeError: not a dataclass, or a field that JSON cannot tell.
    """
    text = json.dumps([type(config).__qualname__, dataclasses.asdict(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(*modules: ModuleType) -> str:
    """Hex SHA-256 of the sources of modules, in the order given: a changed line is another version."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class CachedCases:
    """Loads a cohort's cases prepared, from the cache where they are in it.

    The key is the digest of the subject's content, the preparation's configuration and code, and this layout; clinical
    factors and outcomes are not in it, as they are taken from the subject at each load.
    """

    cohort: Cohort
    preparation: Preparation
    cache: DiskCache

    def load(self, subject: Subject) -> Case:
        """One prepared case; its arrays are the caller's own."""
        entry = self.cache.get(self.key(subject), lambda: _entry(self.preparation(self.cohort.load(subject))))
        return _case(entry, subject)

    def key(self, subject: Subject) -> str:
        """Name of the subject's file in the cache, without suffix."""
        parts = (_LAYOUT, subject.content, self.preparation.config_digest, self.preparation.code_digest)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _entry(case: Case) -> Entry:
    volumes = {"suv": case.suv, "ct_hu": case.ct_hu, "lesions": case.lesions, "organs": case.anatomy.organs}
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, volume in volumes.items():
        if volume is not None:
            arrays |= {name: volume.array, f"{name}.affine": volume.affine}
    names = {str(label): organ for label, organ in sorted(case.anatomy.names.items())}
    return Entry(arrays, json.dumps({"engine": case.anatomy.engine, "names": names}))


def _case(entry: Entry, subject: Subject) -> Case:
    def volume(name: str) -> Volume:
        return Volume(entry.arrays[name], entry.arrays[f"{name}.affine"])

    known = json.loads(entry.note)
    organs = volume("organs") if "organs" in entry.arrays else None
    anatomy = Anatomy(known["engine"], organs, {int(label): organ for label, organ in known["names"].items()})
    lesions = volume("lesions") if "lesions" in entry.arrays else None
    return Case(subject, volume("suv"), volume("ct_hu"), lesions, anatomy)
