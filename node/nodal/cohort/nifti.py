"""What the image library does not tell of a NIfTI file: voxels that are not finite numbers, and its description.

The NIfTI library within ITK sets voxels that are not finite to 0 as it reads, without a word; a PET with a hole would
pass as one with a cold spot.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

__all__ = ["description", "not_finite"]

_FLOATS = {16: "f4", 64: "f8"}
_CHUNK_BYTES = 1 << 24
_GZIP = b"\x1f\x8b"
_DESCRIPTION_BYTES = 80


@dataclass(frozen=True)
class _Layout:
    """Where fields stand in the header: type of the voxels (int16), their offset, the description."""

    type_at: int
    offset_at: int
    offset_type: str
    description_at: int


_LAYOUTS = {348: _Layout(70, 108, "f4", 148), 540: _Layout(12, 168, "i8", 240)}  # NIfTI-1 and -2, by header size


def not_finite(path: Path) -> int:
    """How many stored values are not finite; 0 for integers and for a file that is no NIfTI (its reader will tell).

    Raises:
        OSError, EOFError, zlib.error: the file cannot be read to its end.
    """
    with _unpacked(path) as stream:
        header = stream.read(540)
        known = _layout(header)
        if known is None:
            return 0
        layout, order = known
        kind = _FLOATS.get(_integer(header, layout.type_at, f"{order}i2"))
        if kind is None:
            return 0
        stream.seek(_integer(header, layout.offset_at, f"{order}{layout.offset_type}"))
        return _counted(stream, np.dtype(f"{order}{kind}"))


def description(path: Path) -> str:
    """The header's free text (``descrip``); empty where there is none or the file is no NIfTI.

    Raises:
        OSError, EOFError: as :func:`not_finite`.
    """
    with _unpacked(path) as stream:
        header = stream.read(540)
    known = _layout(header)
    if known is None:
        return ""
    at = known[0].description_at
    return header[at : at + _DESCRIPTION_BYTES].split(b"\0")[0].decode("ascii", "replace").strip()


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.open(raw) as stream:
            yield stream


def _layout(header: bytes) -> tuple[_Layout, str] | None:
    """The layout and the byte order (< or >); None for what is no NIfTI."""
    for order in "<>" if len(header) >= 348 else "":
        layout = _LAYOUTS.get(_integer(header, 0, f"{order}i4"))
        if layout is not None:
            return layout, order
    return None


def _counted(stream: BinaryIO | gzip.GzipFile, values: np.dtype[np.floating]) -> int:
    found = 0
    while chunk := stream.read(_CHUNK_BYTES):
        whole = len(chunk) // values.itemsize * values.itemsize
        found += int(np.count_nonzero(~np.isfinite(np.frombuffer(chunk[:whole], values))))
    return found


def _integer(header: bytes, at: int, kind: str) -> int:
    return int(np.frombuffer(header, kind, count=1, offset=at)[0])
