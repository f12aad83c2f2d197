"""Numbers, dates and names as people read them: sensible digits, units beside them, nothing invented."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from nodal.findings import Findings, Segmentation
from nodal.report.fonts import HanStyle

__all__ = [
    "UNKNOWN",
    "Patient",
    "amount",
    "capital",
    "date",
    "han_style",
    "instant",
    "patient",
    "person_name",
    "rule",
    "said",
    "sentence",
    "yes_no",
]

UNKNOWN = "–"
_THIN = "\u2009"


def amount(value: float | None, unit: str = "", *, digits: int | None = None) -> str:
    """A number with its unit; without ``digits`` about three significant figures, at most one decimal."""
    if value is None:
        return UNKNOWN
    places = digits if digits is not None else (0 if abs(value) >= 100 else 1)
    text = f"{value:,.{places}f}".replace(",", _THIN)
    return f"{text} {unit}" if unit else text


def said(text: str) -> str:
    """A phrase with its comparison signs set as one sign and without a full stop."""
    return text.replace(">=", "≥").replace("<=", "≤").strip().rstrip(".")


def rule(used: Segmentation) -> str:
    """How lesions were drawn, with its connectivity."""
    text = said(used.description)
    return text if "connect" in text else f"{text}, {used.connectivity}-connected"


def sentence(text: str) -> str:
    """:func:`said` with a capital and a full stop."""
    return f"{capital(said(text))}."


def capital(text: str) -> str:
    """The text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def yes_no(value: bool | None) -> str:
    """Three states: unknown stays visible."""
    return UNKNOWN if value is None else ("yes" if value else "no")


def date(text: str) -> str:
    """DICOM DA as ISO 8601, which nobody mistakes; anything else as it stands."""
    digits = text.strip()
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 and digits.isdigit() else digits


def instant(text: str | None) -> str:
    """DICOM DT (date and time run together) as date and time of day; anything else as it stands."""
    if not text or not text[:14].isdigit() or len(text) < 14:
        return (text or UNKNOWN).replace("T", " ")
    return f"{date(text[:8])} {text[8:10]}:{text[10:12]}:{text[12:14]}"


def person_name(value: object) -> tuple[str, ...]:
    """A PN as lines to read: alphabetic, ideographic, phonetic, each "Family, Given Middle, Suffix (Prefix)".

    Ideographic and phonetic groups stand as they are spoken, family name first (PS3.5 6.2.1, annexes H to J).
    """
    text = str(value or "")
    alphabetic, ideographic, phonetic = (*text.split("="), "", "", "")[:3]
    lines = [_alphabetic(alphabetic)]
    lines += [" ".join(part for part in group.replace("^", " ").split()) for group in (ideographic, phonetic)]
    return tuple(line for line in lines if line)


def _alphabetic(group: str) -> str:
    family, given, middle, prefix, suffix = (part.strip() for part in (*group.split("^"), "", "", "", "", "")[:5])
    first = " ".join(part for part in (given, middle) if part)
    line = ", ".join(part for part in (family, first, suffix) if part)
    return f"{line} ({prefix})" if prefix and line else line or prefix


def han_style(header: Dataset) -> HanStyle:
    """Which regional forms Chinese characters take, by the character set that the scanner wrote (PS3.3 C.12.1.1.2)."""
    sets = str(header.get("SpecificCharacterSet") or "")
    name = str(header.get("PatientName") or "")
    if any(mark in sets for mark in ("GB18030", "GBK", "IR 58")):
        return "SC"
    if "IR 149" in sets or any("\uac00" <= letter <= "\ud7a3" for letter in name):
        return "KR"
    if any(mark in sets for mark in ("IR 87", "IR 159", "IR 13")) or any(
        "\u3040" <= letter <= "\u30ff" for letter in name
    ):
        return "JP"
    return "SC" if "=" in name else "JP"


@dataclass(frozen=True)
class Patient:
    """Who and when, as the PET's header states it.

    Attributes:
        names: the forms of the name, at least one line. fields: (label, value) in reading order.
        short: what names patient and study on later sheets: the name, and identity with date.
    """

    names: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    short: tuple[str, str]


def patient(header: Dataset, findings: Findings) -> Patient:
    """The patient block from a PET header; age is taken from the clinical record where the header has none."""

    def text(keyword: str) -> str:
        value = header.get(keyword)
        return "" if value is None else str(value).strip()

    names = person_name(header.get("PatientName")) or ("No name in the images",)
    issuer = text("IssuerOfPatientID")
    identity = text("PatientID") + (f" ({issuer})" if issuer else "")
    scanned = " ".join(part for part in (date(text("StudyDate")), _clock(text("StudyTime"))) if part)
    sex = {"M": "male", "F": "female", "O": "other"}.get(text("PatientSex"), text("PatientSex"))
    physician = header.get("ReferringPhysicianName")
    fields = (
        ("Patient ID", identity),
        ("Date of birth", date(text("PatientBirthDate"))),
        ("Sex", sex),
        ("Age", _age(text("PatientAge"), findings)),
        ("Study date", scanned),
        ("Accession number", text("AccessionNumber")),
        ("Referring physician", " / ".join(person_name(physician)) if physician else ""),
        ("Study", text("StudyDescription")),
    )
    shown = tuple((label, value or UNKNOWN) for label, value in fields)
    return Patient(names, shown, (names[0], f"{date(text('StudyDate')) or UNKNOWN} · {shown[0][1]}"))


def _clock(text: str) -> str:
    return f"{text[:2]}:{text[2:4]}" if len(text) >= 4 and text[:4].isdigit() else ""


def _age(text: str, findings: Findings) -> str:
    units = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}
    if len(text) == 4 and text[:3].isdigit() and text[3] in units:
        return f"{int(text[:3])} {units[text[3]]}"
    years = findings.clinical.age_years
    return text or ("" if years is None else f"{years:.0f} years")
