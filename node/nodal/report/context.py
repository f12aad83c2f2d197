"""The patient and study a result object belongs to: what is copied from the source, and in which character set."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from pydicom import DataElement, Dataset
from pydicom.charset import python_encoding
from pydicom.config import IGNORE
from pydicom.sequence import Sequence
from pydicom.valuerep import VR, PersonName

__all__ = ["VIRTUAL_CREATOR", "VIRTUAL_GROUP", "choose_character_set", "patient_context", "virtual_marks"]

VIRTUAL_GROUP = 0x0099
VIRTUAL_CREATOR = "NODAL VIRTUAL"
_VIRTUAL_OFFSET = 0x01

_UTF8 = "ISO_IR 192"
_ASCII = ("", "ISO_IR 6", "ISO 2022 IR 6")

# Patient, General Study and Patient Study modules (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2), and nothing else of them.
# True: type 2, present even when the source has no value.
_COPIED = {
    "PatientName": True,
    "PatientID": True,
    "IssuerOfPatientID": False,
    "IssuerOfPatientIDQualifiersSequence": False,
    "PatientBirthDate": True,
    "PatientSex": True,
    "PatientAge": False,
    "PatientSize": False,
    "PatientWeight": False,
    "PatientIdentityRemoved": False,
    "DeidentificationMethod": False,
    "DeidentificationMethodCodeSequence": False,
    "LongitudinalTemporalInformationModified": False,
    "StudyInstanceUID": True,
    "StudyDate": True,
    "StudyTime": True,
    "StudyID": True,
    "StudyDescription": False,
    "AccessionNumber": True,
    "IssuerOfAccessionNumberSequence": False,
    "ReferringPhysicianName": True,
    "TimezoneOffsetFromUTC": False,
}
_TEXT_VRS = {VR.PN, VR.LO, VR.SH, VR.LT, VR.ST, VR.UC, VR.UT}


def _plain(element: DataElement) -> DataElement:
    """The element with its text decoded, so that it can be written in any character set; lengths are not judged."""
    value = element.value
    if element.VR == VR.SQ:
        items = []
        for item in value:
            copied = Dataset()
            for inner in item:
                copied.add(_plain(inner))
            items.append(copied)
        value = Sequence(items)
    elif element.VR == VR.PN:
        names = [value] if isinstance(value, str | PersonName) else list(value or [])
        texts = [str(name) for name in names]
        value = texts if len(texts) > 1 else (texts[0] if texts else "")
    else:
        value = deepcopy(value)
    return DataElement(element.tag, element.VR, value, validation_mode=IGNORE)


def patient_context(header: Dataset) -> Dataset:
    """The patient and study attributes that every result object carries, exactly as in the source.

    Args:
        header: an instance of the PET series.

    Returns:
        those attributes alone, text decoded; required ones that the source lacks are empty. Free text of the
        source (Additional Patient History and its like) is not among them.
    """
    context = Dataset()
    for keyword, required in _COPIED.items():
        if keyword in header:
            context.add(_plain(header[keyword]))
        elif required:
            setattr(context, keyword, None)
    return context


def virtual_marks(header: Dataset) -> Dataset:
    """Quality Control Subject and the private block of a virtual patient, copied from its instance."""
    marks = Dataset()
    marks.QualityControlSubject = "YES"
    source = header.private_block(VIRTUAL_GROUP, VIRTUAL_CREATOR)[_VIRTUAL_OFFSET]
    block = marks.private_block(VIRTUAL_GROUP, VIRTUAL_CREATOR, create=True)
    value = source.value
    block.add_new(_VIRTUAL_OFFSET, VR.UT, value.decode("utf-8") if isinstance(value, bytes) else str(value))
    return marks


def _texts(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR == VR.SQ:
            for item in element.value:
                yield from _texts(item)
        elif element.VR in _TEXT_VRS and element.value:
            values = [element.value] if isinstance(element.value, str | PersonName) else element.value
            yield from (str(value) for value in values)


def _holds(text: str, codecs: list[str]) -> bool:
    for codec in codecs:
        try:
            text.encode(codec)
        except UnicodeEncodeError:
            continue
        return True
    return False


def choose_character_set(dataset: Dataset, wanted: str) -> str | None:
    """The Specific Character Set (0008,0005) to write a data set in.

    Args:
        dataset: its text, at any depth, is tried.
        wanted: a defined term of PS3.3 C.12.1.1.2, or several separated by a backslash.

    Returns:
        ``wanted`` where each text fits into one of its sets, else ISO_IR 192 (UTF-8), which holds every name; None
        where the default repertoire is wanted and suffices.
    """
    terms = [term.strip() for term in wanted.split("\\")]
    known = all(term in python_encoding for term in terms)
    codecs = ["ascii" if term in _ASCII else python_encoding[term] for term in terms] if known else []
    if not known or not all(_holds(text, codecs) for text in _texts(dataset)):
        return _UTF8
    return None if all(term in _ASCII for term in terms) else wanted
