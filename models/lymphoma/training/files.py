"""Files that are there whole or not at all, and the lock of a folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lymphoma.errors import TrainingFailed

__all__ = ["file_sha256", "locked", "put_in_place", "write_whole"]


def file_sha256(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def put_in_place(part: Path, file: Path) -> None:
    """Forces ``part`` to the disk and renames it to ``file`` in the same folder; a kill leaves the old or the new."""
    _sync(part)
    part.replace(file)
    _sync(file.parent)


def write_whole(file: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    put_in_place(part, file)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a training folder for this process; the system frees it when the process ends in whatever way.

    A record lock, not ``flock``: background workers that outlive a killed trainer for seconds do not inherit it.

    Raises:
        TrainingFailed: ``TRAINING_LOCKED``: another process trains there.
    """
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TrainingFailed("TRAINING_LOCKED", f"another process trains in {folder.name}") from error
        yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
