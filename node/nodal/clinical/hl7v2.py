"""An HL7 v2 result message (ORU^R01) as statements of the clinical record.

Read are PID (id, birth date, sex), OBR-7 and OBX; HL7 v2.5.1 chapters 2 (control), 3 (PID) and 7 (OBR, OBX), which
later versions keep. The fields stand in docs/reference/clinical-sources.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import hl7

from nodal.clinical import wording
from nodal.clinical.fhir_codes import system_of
from nodal.clinical.observed import Coding, Concept, Limit, Observed, Origin, Quantity, Raw, hiding
from nodal.clinical.readings import Read, field_of, read, together
from nodal.clinical.record import Statement, Unusable
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Refused

__all__ = ["CHARACTER_SETS", "Header", "decoded", "header_of", "statements_of_message"]

CHARACTER_SETS: Mapping[str, str] = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "UNICODE UTF-8": "utf-8",
}
"""HL7 table 0211 -> codec, of the single-byte sets and UTF-8; sets that switch by escapes are refused."""

_PURPOSES = ("P",)  # HL7 table 0103: production; training and debugging messages are not about patients
_SEXES: Mapping[str, str] = {"M": "M", "F": "F"}
_OTHER_SEXES = frozenset(("O", "A", "N"))  # HL7 table 0001: other, ambiguous, not applicable
_WITHDRAWN: Mapping[str, str] = {"D": "deleted", "W": "posted to a wrong patient"}  # HL7 table 0085
_NO_RESULT = frozenset(("I", "N", "O", "X"))  # pending, not asked, order only, cannot be obtained
_REMARKS: Mapping[str, str] = {"P": "preliminary", "R": "not verified", "S": "partial"}
_TEXT_TYPES = frozenset(("ST", "TX", "FT", "IS", "ID", "DT"))
_CODED_TYPES = frozenset(("CE", "CWE", "CNE", "CF", "IS"))
_DELIMITERS = "^~\\&"
_MARKS = (5, 6)  # field separator, four delimiters, and from v2.7 on the truncation character
_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)?([+-]\d{4})?")


@dataclass(frozen=True)
class Header:
    """What MSH says, each field as it stands in the message; empty where it says nothing.

    ``field`` is the field separator (MSH-1); ``delimiters`` component, repetition, escape, subcomponent (MSH-2).
    """

    field: str = "|"
    delimiters: str = _DELIMITERS
    sender: tuple[str, str] = ("", "")
    receiver: tuple[str, str] = ("", "")
    kind: str = ""
    control_id: str = ""
    purpose: str = ""
    version: str = ""
    character_set: str = ""


def header_of(text: str) -> Header:
    """The header of a message, or of the beginning of one; whatever is not there is empty. Never raises."""
    first = re.split(r"[\r\n]", text.lstrip("\r\n "), maxsplit=1)[0]
    if not first.startswith("MSH") or len(first) < 5 or first[3].isalnum():
        return Header()
    fields = first.split(first[3])

    def at(number: int) -> str:
        return fields[number - 1].strip() if len(fields) >= number else ""

    delimiters = at(2) + _DELIMITERS[len(at(2)) :]
    return Header(
        first[3],
        delimiters,
        (at(3), at(4)),
        (at(5), at(6)),
        at(9),
        at(10),
        at(11),
        at(12),
        at(18).split(delimiters[1])[0],
    )


def decoded(data: bytes, assumed: str) -> str:
    """The text of a message in the character set of MSH-18, else in the one ``assumed`` (HL7 table 0211).

    Raises:
        Refused: the set is not one of those read, or the bytes do not belong to it.
    """
    named = header_of(data[:4096].decode("latin-1")).character_set or assumed
    codec = CHARACTER_SETS.get(named)
    if codec is None:
        raise Refused(Code.HL7_UNSUPPORTED, "a character set in MSH-18 that is not read")
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise Refused(Code.HL7_UNREADABLE, f"the bytes are not {named}") from None


def statements_of_message(
    text: str, received: str, issuers: Mapping[str, str], *, purposes: Collection[str] = _PURPOSES
) -> PatientStatements:
    """The statements of a result message.

    Args:
        text: one message, decoded; segments end with CR, LF or both.
        received: DICOM DT, when it reached the node.
        issuers: assigning authority (namespace or universal id of PID-3.4) -> Issuer of Patient ID as the scanners
            write it; an authority that is not listed is the issuer itself.
        purposes: values of MSH-11 to take.

    Raises:
        Refused: HL7_UNSUPPORTED for another type or purpose, HL7_UNREADABLE, PATIENT_UNIDENTIFIED.
    """
    header = header_of(text)
    components = header.kind.split(header.delimiters[0])
    if components[:2] != ["ORU", "R01"]:
        raise Refused(Code.HL7_UNSUPPORTED, "only result messages (ORU^R01) are read")
    if (header.purpose.split(header.delimiters[0])[0] or "P") not in purposes:
        raise Refused(Code.HL7_UNSUPPORTED, "MSH-11 says that the message is not for production")
    message = _Message(text, header)
    people = [segment for segment in message.segments if segment.name == "PID"]
    if len(people) != 1:
        raise Refused(Code.PATIENT_UNIDENTIFIED, "the message does not hold exactly one PID segment")
    person = people[0]
    origin = Origin("hl7", received, _hiding(person))
    key = _patient_key(person, issuers)
    usable, unusable = together((*_of_person(person, origin), *_of_results(message, origin)), origin)
    return PatientStatements(key, usable, unusable)


# ----- segments


class _Segment:
    """A segment, its parts by HL7's numbers, escapes undone; what is not there is empty, the null \"\" too."""

    def __init__(self, segment: hl7.Segment, header: Header) -> None:
        self._fields = [str(field) for field in segment]
        self._header = header
        self.name = self._fields[0]

    def repetitions(self, field: int) -> list[list[str]]:
        """Each repetition of a field as its components."""
        raw = self._fields[field] if field < len(self._fields) else ""
        component, repetition = tuple(self._header.delimiters)[:2]
        if not raw or raw == '""':
            return []
        return [[self._plain(one) for one in part.split(component)] for part in raw.split(repetition)]

    def subcomponents(self, field: int, repetition: int, component: int) -> list[str]:
        """Of a component, escapes undone."""
        separators = self._header.delimiters
        raw = self._fields[field].split(separators[1])[repetition].split(separators[0])
        return [self._plain(one) for one in (raw[component - 1] if len(raw) >= component else "").split(separators[3])]

    def text(self, field: int, component: int = 1) -> str:
        """A component of the first repetition."""
        first = next(iter(self.repetitions(field)), [])
        return first[component - 1] if len(first) >= component else ""

    def _plain(self, raw: str) -> str:
        """HL7 v2.5.1 section 2.7. The package's own routine writes a field that it cannot read into the log."""
        if raw == '""':
            return ""
        component, repetition, escape, subcomponent = tuple(self._header.delimiters)[:4]
        known = {"F": self._header.field, "S": component, "R": repetition, "E": escape, "T": subcomponent, ".br": "\n"}

        def undone(found: re.Match[str]) -> str:
            sequence = found[1]
            if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", sequence):
                codec = CHARACTER_SETS.get(self._header.character_set, "utf-8")
                return bytes.fromhex(sequence[1:]).decode(codec, "replace")
            return known.get(sequence, "")

        mark = re.escape(escape)
        return re.sub(f"{mark}([^{mark}]*){mark}", undone, raw).strip()


class _Message:
    def __init__(self, text: str, header: Header) -> None:
        marks = header.field + header.delimiters
        if len(marks) not in _MARKS or len(set(marks)) < len(marks) or any(mark.isalnum() for mark in marks):
            raise Refused(Code.HL7_UNREADABLE, "MSH-1 and MSH-2 do not name the delimiters")
        try:
            parsed = hl7.parse(re.sub(r"\r?\n", "\r", text.strip()))
        except (hl7.HL7Exception, AssertionError, IndexError, KeyError, ValueError):  # the package asserts on input
            raise Refused(Code.HL7_UNREADABLE, "not a message of HL7 v2") from None
        self.segments = [_Segment(segment, header) for segment in parsed]
        self.by = ", ".join(filter(None, (part.split(header.delimiters[0])[0] for part in header.sender))) or None


# ----- PID


def _patient_key(person: _Segment, issuers: Mapping[str, str]) -> str:
    """``issuer~id`` of PID-3: the id of type MR, else PI, else the only one (HL7 table 0203)."""
    ids = [(number, one) for number, one in enumerate(person.repetitions(3)) if one[0]]
    for kind in ("MR", "PI"):
        typed = [(number, one) for number, one in ids if len(one) >= 5 and one[4] == kind]
        if typed:
            ids = typed
            break
    keys = set()
    for number, one in ids:
        namespace, universal = (*person.subcomponents(3, number, 4), "", "")[:2]
        issuer = next((issuers[name] for name in (namespace, universal) if name in issuers), namespace or universal)
        keys.add(f"{issuer}~{one[0]}")
    if len(keys) != 1 or "".join(keys).count("~") != 1:
        raise Refused(Code.PATIENT_UNIDENTIFIED, "PID-3 does not hold exactly one id of type MR")
    return keys.pop()


def _hiding(person: _Segment) -> Callable[[str], str]:
    names = (part for number in (5, 9) for name in person.repetitions(number) for part in name[:3])
    return hiding(names, (one[0] for number in (2, 3, 4, 18, 19) for one in person.repetitions(number)))


def _of_person(person: _Segment, origin: Origin) -> Iterator[Read]:
    born = _dicom_time(person.text(7))
    if born is not None and len(born) >= len("YYYYMMDD"):
        yield (Statement("birth_date", born[:8], "hl7", origin.received),), ()
    elif person.text(7):
        reason = "the date of birth is no full date"
        yield (), (Unusable("birth_date", "hl7", origin.received, "a date of birth", reason),)
    sex = person.text(8)
    if sex in _SEXES:
        yield (Statement("sex", _SEXES[sex], "hl7", origin.received),), ()
    elif sex in _OTHER_SEXES:
        reason = "the indices and lean body mass know male and female only"
        yield (), (Unusable("sex", "hl7", origin.received, sex, reason),)


# ----- OBX


def _of_results(message: _Message, origin: Origin) -> Iterator[Read]:
    ordered = ""
    for segment in message.segments:
        if segment.name == "OBR":
            ordered = segment.text(7)
        elif segment.name == "OBX":
            yield _result(segment, ordered, message.by, origin)


def _result(segment: _Segment, ordered: str, by: str | None, origin: Origin) -> Read:
    name, status = _concept(next(iter(segment.repetitions(3)), [])), segment.text(11)
    field = field_of(name)
    if field is None or status in _NO_RESULT:
        return (), ()
    if status in _WITHDRAWN:  # the value may be somebody else's, and is not kept
        reason = f"its source took it back ({_WITHDRAWN[status]})"
        return (), (Unusable(field, "hl7", origin.received, "a result", reason),)
    limit = wording.upper_limit(segment.text(7))
    unit = segment.text(6)
    observed = Observed(
        name,
        tuple(_values(segment, unit)),
        _concept(next(iter(segment.repetitions(17)), [])),
        tuple(map(_concept, segment.repetitions(20))),
        (Limit(limit[0], limit[1] or unit),) if limit else (),
        _dicom_time(segment.text(14) or ordered),
        _REMARKS.get(status, ""),
        by,
    )
    return read(observed, origin)


def _concept(components: list[str]) -> Concept:
    """CE and CWE: code, words, coding system, and the same of an alternative; CWE-9 is the original text."""
    parts = [*components, *[""] * 9]
    triples = (parts[0:3], parts[3:6])
    codings = tuple(Coding(system_of(system), code, words) for code, words, system in triples if code or words)
    return Concept(codings, parts[8])


def _values(segment: _Segment, unit: str) -> Iterator[Raw]:
    """OBX-5 by the type of OBX-2; a type that no field can have gives none."""
    kind, several = segment.text(2), segment.repetitions(5)
    if kind == "SN":
        yield from (_structured(one, unit) for one in several)
    elif kind == "NM":
        for one in several:
            number = wording.number(one[0])
            yield one[0] if number is None else Quantity(number, unit)
    elif kind in _CODED_TYPES and any(len(one) > 1 for one in several):
        yield from map(_concept, several)
    elif kind in _TEXT_TYPES | _CODED_TYPES:
        for one in several:
            measured = wording.number_with_unit(one[0]) if unit else None
            if measured is not None and measured[1] in ("", unit):
                yield Quantity(measured[0], unit, measured[2])
            elif one[0]:
                yield one[0]


def _structured(components: list[str], unit: str) -> Raw:
    """SN: comparator, number, separator, number; a range or ratio stays a text."""
    comparator, low, separator, high = (*components, "", "", "", "")[:4]
    number = wording.number(low)
    if number is None or separator or high:
        return " ".join(filter(None, (comparator, low, separator, high, unit)))
    return Quantity(number, unit, "" if comparator == "=" else comparator)


def _dicom_time(text: str) -> str | None:
    """DICOM DA or DT of HL7's time stamp, which differs only in what may be left out; None where it is no time."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    try:
        date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return None
    return text if found[4] else text.removesuffix(found[5] or "")
