"""A folder as one zip archive: the same files give the same bytes, and only the digest that was told opens it.

A fitted AutoGluon model is made of pickles, which run code when they are read. One archive with one digest makes a
single check of all of them: not a byte is unpacked before.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from lymphoma.errors import BundleRefused
from lymphoma.training.weights import Tensors

__all__ = ["archive_of", "as_tensors", "digest_of", "packed", "unpacked"]

_TIME = (1980, 1, 1, 0, 0, 0)
"""The first moment a zip can tell, for every file: a date would change the digest."""
PIECE_BYTES = 8_000_000
"""Of a tensor: a file of a bundle has a limit that one tensor may not pass, and a large cohort makes a large forest."""


def packed(folder: Path) -> bytes:
    """All files of a folder, sorted by name, without dates and rights."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", compression=zipfile.ZIP_LZMA) as archive:
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _TIME)
            entry.compress_type = zipfile.ZIP_LZMA
            archive.writestr(entry, file.read_bytes())
    return whole.getvalue()


def digest_of(archive: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(archive).hexdigest()


def as_tensors(archive: bytes) -> dict[str, torch.Tensor]:
    """An archive as a bundle carries it among its weights: tensors of bytes, one after another."""
    whole = np.frombuffer(archive, dtype=np.uint8)
    return {
        _piece(number): torch.from_numpy(whole[start : start + PIECE_BYTES].copy())
        for number, start in enumerate(range(0, len(whole), PIECE_BYTES))
    }


def archive_of(tensors: Tensors) -> bytes:
    """The way back.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``: they are other tensors.
    """
    names = [_piece(number) for number in range(len(tensors))]
    if not names or set(names) != tensors.keys():
        raise BundleRefused("BUNDLE_UNREADABLE", "the bundle holds no archive of a signature")
    if any(one.dtype != torch.uint8 or one.ndim != 1 for one in tensors.values()):
        raise BundleRefused("BUNDLE_UNREADABLE", "the archive of a signature is not bytes")
    return b"".join(tensors[name].numpy().tobytes() for name in names)


def _piece(number: int) -> str:
    return f"archive_{number:04d}"


def unpacked(archive: bytes, sha256: str, folder: Path) -> None:
    """Unpacks into an empty folder.

    Raises:
        BundleRefused: ``BUNDLE_DIGEST_MISMATCH``, and nothing was read; ``BUNDLE_UNREADABLE``: no archive, or a name
            that leads out of the folder.
    """
    if digest_of(archive) != sha256:
        raise BundleRefused("BUNDLE_DIGEST_MISMATCH", "the signature is not the one that was exported")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            names = [PurePosixPath(name) for name in opened.namelist()]
            if any(name.is_absolute() or ".." in name.parts for name in names):
                raise BundleRefused("BUNDLE_UNREADABLE", "the archive of the signature names a file outside itself")
            opened.extractall(folder)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the signature is no archive") from error
