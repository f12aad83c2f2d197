"""Data sets to bytes, quickly: a result object repeats the same few codes thousands of times.

Each code item is encoded by pydicom once and its bytes are put in place of every repetition, as a raw element; pydicom
writes raw elements as they are. The bytes are the same as without.
"""

from __future__ import annotations

import io

from pydicom import Dataset, dcmwrite
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr_element, write_dataset
from pydicom.valuerep import AMBIGUOUS_VR, VR

__all__ = ["encode"]

_Key = tuple[tuple[int, str], ...]
# Item tag (FFFE,E000), little endian; the item's length follows in four bytes (PS3.5 7.5).
_ITEM = b"\xfe\xff\x00\xe0"


def _key(element: DataElement) -> _Key | None:
    """What a sequence of one plain code item says; None for any other sequence.

    Text outside ASCII is left to the writer, which knows the data set's character set.
    """
    if len(element.value) != 1:
        return None
    pairs: list[tuple[int, str]] = []
    for inner in element.value[0]:
        if inner.tag.group != 0x0008 or not isinstance(inner.value, str) or not inner.value.isascii():
            return None
        pairs.append((int(inner.tag), inner.value))
    return tuple(pairs)


def _item_bytes(item: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, item)
    content = stream.getvalue()
    return b"".join((_ITEM, len(content).to_bytes(4, "little"), content))


def _prepare(dataset: Dataset, known: dict[_Key, bytes], *, is_item: bool) -> None:
    """Gives every element its final VR, and says so of the data set: the writer then takes elements as they are."""
    for element in list(dataset):
        if element.VR in AMBIGUOUS_VR:
            correct_ambiguous_vr_element(element, dataset, True)
        if element.VR != VR.SQ:
            continue
        key = _key(element) if is_item else None
        if key is None:
            for item in element.value:
                _prepare(item, known, is_item=True)
            continue
        if key not in known:
            known[key] = _item_bytes(element.value[0])
        value = known[key]
        dataset[element.tag] = RawDataElement(element.tag, VR.SQ, len(value), value, 0, False, True)
    named = dataset.get("SpecificCharacterSet")
    dataset.set_original_encoding(False, True, convert_encodings(named) if named else default_encoding)


def encode(dataset: Dataset) -> bytes:
    """The data set as a Part 10 file, in the explicit little endian syntax that its file meta names.

    The data set's items are changed: their codes stand there encoded afterwards.
    """
    _prepare(dataset, {}, is_item=False)
    stream = io.BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()
