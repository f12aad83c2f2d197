"""What makes two copies of an instance the same: a digest that no archive on the way alters.

The same study comes by the listener and by Orthanc, once compressed and once not, in another byte order, with other
group lengths. All of these are one study and must be one job. A changed value, a changed voxel or a further slice is
another study.

The canonical form of an instance is the sequence of its elements in ascending order of tag, sequences included:

* values as bytes in little-endian order without the trailing padding of text; text outside ASCII as UTF-8; the VR is
  left out, since implicit VR does not tell it; an empty element counts as absent;
* pixels decoded, of each only the stored bits;
* left out are file meta and group lengths, how and by whom the instance is stored and passed on
  (:data:`LEFT_OUT`), and private elements other than those the node reads (:data:`PRIVATE_READ`): in implicit VR the
  structure of a private element is unknown, so a transcoder may rewrite it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from pydicom import Dataset, FileDataset, dcmread
from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.pixels import get_decoder
from pydicom.tag import BaseTag
from pydicom.uid import ImplicitVRLittleEndian
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

from nodal.errors import Code, Refused
from nodal.study import Selection

__all__ = ["LEFT_OUT", "PRIVATE_READ", "canonical_digest", "study_digest"]

LEFT_OUT = frozenset(
    {
        0x00080001,  # Length to End (retired)
        0x00080005,  # Specific Character Set: text is compared as text
        0x00080015,  # Instance Coercion DateTime
        0x00080053,  # Query/Retrieve View
        0x00080054,  # Retrieve AE Title
        0x00080056,  # Instance Availability
        0x00081190,  # Retrieve URL
        0x00082111,  # Derivation Description: lossless encoders write their name into it
        0x0018A001,  # Contributing Equipment Sequence: gateways add themselves
        0x00280006,  # Planar Configuration: changes with the encoding of colour
        0x00280100,  # Bits Allocated
        0x00280102,  # High Bit
        0x00880130,  # Storage Media File-set ID
        0x00880140,  # Storage Media File-set UID
        0x00880200,  # Icon Image Sequence: encoded again with the image
        0x04000500,  # Encrypted Attributes Sequence
        0x04000561,  # Original Attributes Sequence: the trail of coercions
        0x04000600,  # Instance Origin Status
        0x04000550,  # Modified Attributes Sequence
        0x0040E010,  # Retrieve URI
        0x4FFE0001,  # MAC Parameters Sequence
        0x7FE00001,  # Extended Offset Table
        0x7FE00002,  # Extended Offset Table Lengths
        0x7FE00010,  # Pixel Data: decoded, at the end
        0xFFFAFFFA,  # Digital Signatures Sequence
        0xFFFCFFFC,  # Data Set Trailing Padding
    }
)

# (group, private creator, low byte of the element). Philips files without the creator are read all the same.
PRIVATE_READ = frozenset(
    {
        (0x0009, "GEMS_PETD_01", 0x0D),
        (0x7053, "Philips PET Private Group", 0x00),
        (0x7053, "Philips PET Private Group", 0x09),
        (0x0099, "NODAL VIRTUAL", 0x01),
    }
)
_NO_CREATOR_NEEDED = 0x7053
_LOSSY_IMAGE_COMPRESSION = 0x00282110  # "00" says no more than its absence

_ITEM_BYTES = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "US or SS": 2, "US or OW": 2, "US or SS or OW": 2}
_ITEM_BYTES |= {"UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4, "FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}
_CODED_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_TEXT = _CODED_TEXT | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_NO_CORRECTION = {
    "correct_unused_bits": False,
    "apply_jls_sign_correction": False,
    "apply_j2k_sign_correction": False,
}
_UNREADABLE = (
    ValueError,
    RuntimeError,
    AttributeError,
    KeyError,
    TypeError,
    NotImplementedError,
    EOFError,
    struct.error,
)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def canonical_digest(path: Path) -> str:
    """Hex SHA-256 of the canonical form of one instance.

    Raises:
        Refused: NOT_DICOM; PIXELS_UNREADABLE where the pixels do not decode.
    """
    try:
        dataset = dcmread(path, force=True)
    except (InvalidDicomError, *_UNREADABLE) as error:
        raise Refused(Code.NOT_DICOM, "a file of the study cannot be read as DICOM") from error
    if "SOPInstanceUID" not in dataset:
        raise Refused(Code.NOT_DICOM, "a file of the study holds no DICOM instance")
    digest = hashlib.sha256()
    try:
        _feed(digest, dataset, [default_encoding])
        _feed_pixels(digest, dataset)
    except _UNREADABLE as error:
        raise Refused(Code.PIXELS_UNREADABLE, "an instance of the study cannot be decoded") from error
    return digest.hexdigest()


def study_digest(selection: Selection) -> str:
    """Hex SHA-256 over (SOP Instance UID, canonical digest) of every selected PET and CT instance, sorted.

    Raises:
        Refused: as :func:`canonical_digest`.
    """
    paths = (*selection.pet.paths, *selection.ct.paths)
    headers = (*selection.pet.headers, *selection.ct.headers)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        digests = pool.map(canonical_digest, paths)
        lines = sorted(f"{header.SOPInstanceUID} {digest}\n" for header, digest in zip(headers, digests, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _feed(digest: _Hash, dataset: Dataset, encodings: list[str]) -> None:
    """Feeds every element that counts, in ascending order of tag."""
    encodings = _encodings(dataset, encodings)
    # Taken before any is touched: to read a sequence, pydicom converts other elements in place.
    elements = {tag: dataset.get_item(tag) for tag in sorted(dataset.keys()) if _counts(dataset, tag)}
    for tag, element in elements.items():
        vr = _vr(element)
        name = struct.pack("<HH", tag.group, tag.element & 0xFF if tag.is_private else tag.element)
        if vr == "SQ":
            items = dataset[tag].value
            if items:
                digest.update(name + struct.pack("<BI", 1, len(items)))
                for item in items:
                    _feed(digest, item, encodings)
                    digest.update(b"\xfe\xff\x0d\xe0")
            continue
        value = _value_bytes(element, vr, encodings)
        if value and not (tag == _LOSSY_IMAGE_COMPRESSION and value == b"00"):
            digest.update(name + struct.pack("<BI", 0, len(value)) + value)


def _counts(dataset: Dataset, tag: BaseTag) -> bool:
    """Whether an element takes part: no group length, nothing left out, of the private ones only those read."""
    return tag not in LEFT_OUT and tag.element != 0 and (not tag.is_private or _is_read(dataset, tag))


def _encodings(dataset: Dataset, inherited: list[str]) -> list[str]:
    element = dataset.get_item(0x00080005) if 0x00080005 in dataset else None
    if element is None or not element.value:
        return inherited
    value = element.value
    names = value.decode("ascii", "replace").rstrip(" \0").split("\\") if isinstance(value, bytes) else value
    return list(convert_encodings(names))


def _is_read(dataset: Dataset, tag: BaseTag) -> bool:
    """Whether the node reads this private element (its creator may be missing at Philips)."""
    block, offset = tag.element >> 8, tag.element & 0xFF
    wanted = [creator for group, creator, low in PRIVATE_READ if (group, low) == (tag.group, offset)]
    if block < 0x10 or not wanted:
        return False
    creator = dataset.get_item((tag.group, block)) if (tag.group, block) in dataset else None
    if creator is None:
        return bool(tag.group == _NO_CREATOR_NEEDED)
    value = creator.value
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \0") in wanted


def _vr(element: RawDataElement | DataElement) -> str:
    """The VR, from the dictionary where the file does not tell it or hides it as UN (PS3.5 6.2.2)."""
    if element.VR not in (None, "UN"):
        return str(element.VR)
    try:
        return str(dictionary_VR(element.tag))
    except KeyError:
        return "UN"


def _value_bytes(element: RawDataElement | DataElement, vr: str, encodings: list[str]) -> bytes:
    value = element.value
    if not isinstance(value, bytes):
        return b"" if value is None else str(value).encode()
    if isinstance(element, RawDataElement) and not element.is_little_endian and vr in _ITEM_BYTES:
        return np.frombuffer(value, dtype=f">u{_ITEM_BYTES[vr]}").astype(f"<u{_ITEM_BYTES[vr]}").tobytes()
    if vr in _CODED_TEXT and (not value.isascii() or b"\x1b" in value):
        delimiters = PN_DELIMS if vr == "PN" else TEXT_VR_DELIMS
        value = str(decode_bytes(value, encodings, delimiters)).encode()
    return value.rstrip(b" \0") if vr in _TEXT or vr == "UN" else value


def _feed_pixels(digest: _Hash, dataset: FileDataset) -> None:
    """Feeds each frame's stored bits, little endian, row by row.

    The decoder's corrections of sign and unused bits are switched off: none of them touches a stored bit.
    """
    if "PixelData" not in dataset:
        return
    syntax = dataset.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    stored = int(dataset.BitsStored)
    for frame, _ in get_decoder(syntax).iter_array(dataset, raw=True, **_NO_CORRECTION):
        unsigned = frame.view(np.dtype(f"u{frame.dtype.itemsize}").newbyteorder(frame.dtype.byteorder))
        if stored < 8 * frame.dtype.itemsize:
            unsigned = unsigned & unsigned.dtype.type((1 << stored) - 1)
        digest.update(np.ascontiguousarray(unsigned, dtype=unsigned.dtype.newbyteorder("<")).tobytes())
