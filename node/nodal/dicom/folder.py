"""A folder of files becomes the series of one study: headers only, and every file that cannot be used named."""

from __future__ import annotations

import filecmp
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import structlog
from pydicom import Dataset, dcmread
from pydicom.encaps import parse_fragments
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from nodal.clinical.file import BESIDE_NAMES
from nodal.errors import Code, Refused
from nodal.study import PassedFile, SeriesFiles, StudyFiles

__all__ = ["has_modality", "read_instance", "read_study"]

_LOG = structlog.get_logger()
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_Found = tuple[Path, Dataset]


def read_study(folder: Path) -> StudyFiles:
    """Reads the headers of every file below a folder, whatever the files are called.

    Args:
        folder: searched recursively; links to folders are not followed. A DICOMDIR is skipped, and so is a clinical
            record in the folder itself, which is read elsewhere.

    Returns:
        The series of the one study found, in ascending order of Series Instance UID, each with its instances in
        ascending order of path; private elements are kept. A file that is no DICOM object (NOT_DICOM) or ends
        before its header promises (TRUNCATED_FILE) is listed in ``unreadable``. Of two files that hold the same
        instance with the same content, the first by path is kept; two files that share a SOP Instance UID and
        differ are both kept, and loading that series refuses them.

    Raises:
        Refused: EMPTY_STUDY, no readable instance; SEVERAL_STUDIES, more than one Study Instance UID.
    """
    found: list[_Found] = []
    unreadable: list[PassedFile] = []
    for path in _files(folder):
        outcome = _read(path)
        if isinstance(outcome, PassedFile):
            unreadable.append(outcome)
        elif outcome is not None:
            found.append((path, outcome))
    if not found:
        raise Refused(Code.EMPTY_STUDY, f"The folder holds no readable DICOM instance ({len(unreadable)} other files).")
    studies = {str(header.StudyInstanceUID) for _, header in found}
    if len(studies) > 1:
        raise Refused(Code.SEVERAL_STUDIES, f"The folder holds instances of {len(studies)} studies; one is expected.")
    by_series: dict[str, list[_Found]] = defaultdict(list)
    for path, header in _without_duplicates(found):
        by_series[str(header.SeriesInstanceUID)].append((path, header))
    series = tuple(_series(uid, by_series[uid]) for uid in sorted(by_series))
    _LOG.debug("study read", instances=len(found), series=len(series), unreadable=len(unreadable))
    return StudyFiles(studies.pop(), series, tuple(unreadable))


def has_modality(folder: Path, modality: str) -> bool:
    """Whether any instance below a folder is of a modality; its headers are read no further than that."""
    for path in _files(folder):
        try:
            found = dcmread(path, specific_tags=["Modality"], stop_before_pixels=True, force=True).get("Modality")
        except Exception as fault:  # noqa: BLE001 - what cannot be read is no instance
            _LOG.debug("a file could not be read", fault=type(fault).__name__)
            continue
        if found == modality:
            return True
    return False


def _series(uid: str, found: list[_Found]) -> SeriesFiles:
    modality = str(found[0][1].get("Modality", None) or "")
    return SeriesFiles(uid, modality, tuple(path for path, _ in found), tuple(header for _, header in found))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent) / name
            beside = name in BESIDE_NAMES and Path(parent) == folder
            if path.is_file() and name.upper() != "DICOMDIR" and not beside:
                yield path


def _read(path: Path) -> Dataset | PassedFile | None:
    """The header; why the file is passed over; or None for a media directory."""
    try:
        with path.open("rb") as stream:
            header = _header(stream)
            if header is None:
                return PassedFile(path, Code.NOT_DICOM, "The file is not a DICOM object.")
            if header.get("SOPClassUID", None) is None and _media_directory(header):
                return None
            missing = [
                keyword
                for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
                if not header.get(keyword, None)
            ]
            cut = _cut_short(header, stream)
    except Exception as fault:  # noqa: BLE001 - the file is passed over and recorded with its reason
        return PassedFile(
            path, Code.TRUNCATED_FILE, f"The data set could not be read to its end ({type(fault).__name__})."
        )
    if cut is not None:
        return PassedFile(path, Code.TRUNCATED_FILE, cut, str(header.get("SeriesInstanceUID", "") or "") or None)
    if missing:
        code = Code.NOT_DICOM if "SOPClassUID" in missing else Code.TRUNCATED_FILE
        return PassedFile(path, code, f"The data set lacks {', '.join(missing)}.")
    return header


def _header(stream: BinaryIO) -> Dataset | None:
    """The data set before the pixels; also of a file without preamble that begins as a data set (PS3.10 7.1)."""
    try:
        return dcmread(stream, stop_before_pixels=True, force=False)
    except InvalidDicomError:
        stream.seek(0)
        start = stream.read(8)
        stream.seek(0)
    if len(start) < 8 or int.from_bytes(start[:2], "little") not in (0x0002, 0x0008):
        return None
    header = dcmread(stream, stop_before_pixels=True, force=True)
    return _with_syntax(header) if "SOPClassUID" in header else None


def read_instance(path: Path) -> Dataset:
    """A whole data set, also of a file without preamble and file meta; its errors are pydicom's own."""
    return _with_syntax(dcmread(path, force=True))


def _with_syntax(dataset: Dataset) -> Dataset:
    """Writes down the encoding in which a file without file meta was read; its pixels cannot be decoded otherwise."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        native = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = native if little else ExplicitVRBigEndian
    return dataset


def _media_directory(header: Dataset) -> bool:
    return bool(header.file_meta.get("MediaStorageSOPClassUID", "") == MediaStorageDirectoryStorage)


def _cut_short(header: Dataset, stream: BinaryIO) -> str | None:
    """Whether an image's pixels are missing or shorter than its header promises; a sentence, or None.

    The stream stands where the pixel data begins. Of compressed pixels the fragments are counted, not decoded.
    """
    if "Rows" not in header or "Columns" not in header:
        return None
    position = stream.tell()
    size = os.fstat(stream.fileno()).st_size
    syntax = header.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    if syntax.is_deflated:
        return None
    if position >= size:
        return "The file ends before its pixel data."
    if syntax.is_encapsulated:
        return None if _fragments_whole(stream, position, size) else "The file ends within its compressed pixel data."
    pixels = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel", 1) or 1)
    pixels *= int(header.get("NumberOfFrames", 1) or 1)
    promised = (pixels * int(header.get("BitsAllocated", 16)) + 7) // 8
    present = size - position - 8
    if present < promised:
        return f"The file ends after {max(present, 0)} of {promised} bytes of pixel data."
    return None


def _fragments_whole(stream: BinaryIO, position: int, size: int) -> bool:
    """Whether an offset table and at least one fragment end before the file does (PS3.5 A.4)."""
    stream.seek(position + 12)
    _, offsets = parse_fragments(stream)
    if len(offsets) < 2:
        return False
    stream.seek(offsets[-1] + 4)
    return bool(offsets[-1] + 8 + int.from_bytes(stream.read(4), "little") <= size)


def _without_duplicates(found: list[_Found]) -> list[_Found]:
    kept: list[_Found] = []
    first: dict[str, _Found] = {}
    for path, header in found:
        uid = str(header.SOPInstanceUID)
        if uid in first and _same_content(first[uid][0], path):
            continue
        first.setdefault(uid, (path, header))
        kept.append((path, header))
    return kept


def _same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same instance: the same bytes, or the same data set and decoded pixels."""
    if filecmp.cmp(one, other, shallow=False):
        return True
    try:
        first, second = read_instance(one), read_instance(other)
        if _without_pixels(first) != _without_pixels(second):
            return False
        return bool(np.array_equal(first.pixel_array, second.pixel_array))
    except Exception as fault:  # noqa: BLE001 - what cannot be compared is kept, and loading refuses it
        _LOG.info("duplicate instances could not be compared", fault=type(fault).__name__)
        return False


def _without_pixels(dataset: Dataset) -> Dataset:
    plain = Dataset()
    for element in dataset:
        if element.tag not in _PIXEL_TAGS and element.tag != 0xFFFCFFFC:
            plain.add(element)
    return plain
