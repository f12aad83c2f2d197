"""Voxels of a NIfTI file that are not finite numbers, seen in the file itself.

The NIfTI library within ITK sets such voxels to 0 as it reads, without a word; a PET with a hole would pass as one with
a cold spot.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import BinaryIO

import numpy as np

__all__ = ["not_finite"]

_FLOATS = {16: "f4", 64: "f8"}
_CHUNK_BYTES = 1 << 24
_GZIP = b"\x1f\x8b"
# NIfTI-1: 348 bytes of header, the type as int16 at 70, the offset of the voxels as float32 at 108.
# NIfTI-2: 540 bytes, the type as int16 at 12, the offset as int64 at 168.
_LAYOUTS = {348: (70, 108, "f4"), 540: (12, 168, "i8")}


def not_finite(path: Path) -> int:
    """How many stored values are not finite; 0 for integers and for a file that is no NIfTI (its reader will tell).

    Raises:
        OSError, EOFError: the file cannot be read to its end.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if not packed:
            return _counted(raw)
        with gzip.open(raw) as stream:
            return _counted(stream)


def _counted(stream: BinaryIO | gzip.GzipFile) -> int:
    header = stream.read(540)
    order = next((o for o in "<>" if len(header) > 347 and _integer(header, 0, f"{o}i4") in _LAYOUTS), None)
    if order is None:
        return 0
    type_at, offset_at, offset_type = _LAYOUTS[_integer(header, 0, f"{order}i4")]
    kind = _FLOATS.get(_integer(header, type_at, f"{order}i2"))
    if kind is None:
        return 0
    values = np.dtype(f"{order}{kind}")
    stream.seek(_integer(header, offset_at, f"{order}{offset_type}"))
    found = 0
    while chunk := stream.read(_CHUNK_BYTES):
        whole = len(chunk) // values.itemsize * values.itemsize
        found += int(np.count_nonzero(~np.isfinite(np.frombuffer(chunk[:whole], values))))
    return found


def _integer(header: bytes, at: int, kind: str) -> int:
    return int(np.frombuffer(header, kind, count=1, offset=at)[0])
