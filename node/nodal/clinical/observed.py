"""What a source observed, before it is a statement of the record: one shape for FHIR and HL7 v2."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nodal.clinical.record import Source

__all__ = ["Coding", "Concept", "Limit", "NotUsable", "Observed", "Origin", "Quantity", "Raw", "hiding", "words_of"]

_ROMAN = re.compile(r"[IVX]+|[A-Z]", re.IGNORECASE)
_SHORTEST_ID = 4  # characters; a shorter id would take values out of a text too


@dataclass(frozen=True)
class Coding:
    """``system`` as a URL of :mod:`nodal.clinical.fhir_codes`, or as the source named it."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True)
class Concept:
    """Something named by codes, by words, or by both."""

    codings: tuple[Coding, ...] = ()
    text: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The text and the displays, as far as there are any."""
        return tuple(dict.fromkeys(filter(None, (self.text, *(coding.display for coding in self.codings)))))

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """System and code of each coding."""
        return frozenset((coding.system, coding.code) for coding in self.codings)


@dataclass(frozen=True)
class Quantity:
    """A measured value; ``comparator`` is empty for an exact one."""

    value: float
    unit: str = ""
    comparator: str = ""


@dataclass(frozen=True)
class Limit:
    """Upper limit of normal, in ``unit``; empty where the source names none."""

    value: float
    unit: str = ""


Raw = Quantity | Concept | bool | int | str


@dataclass(frozen=True)
class Observed:
    """One observation as its source gave it.

    Attributes:
        values: none where the source gives no value. method: how it was found, such as a staging system.
        body_sites: where. limits: distinct upper limits of normal. effective: DICOM DA or DT.
        remark: what readers should see behind the value, such as "preliminary". by: who said it.
    """

    name: Concept
    values: tuple[Raw, ...] = ()
    method: Concept = Concept()
    body_sites: tuple[Concept, ...] = ()
    limits: tuple[Limit, ...] = ()
    effective: str | None = None
    remark: str = ""
    by: str | None = None


@dataclass(frozen=True)
class Origin:
    """Where a statement comes from. ``hide`` takes the patient's names and ids out of a text."""

    source: Source
    received: str
    hide: Callable[[str], str] = str


class NotUsable(Exception):
    """What was said cannot be used; the argument is the reason, a sentence without the patient's data."""


def words_of(value: Raw) -> str:
    """A value as a reader wants it."""
    if isinstance(value, Quantity):
        return " ".join(filter(None, (f"{value.comparator}{value.value:g}", value.unit)))
    if isinstance(value, Concept):
        return value.words[0] if value.words else ", ".join(f"code {coding.code}" for coding in value.codings)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def hiding(names: Iterable[str], ids: Iterable[str]) -> Callable[[str], str]:
    """A function that takes a patient's names and ids out of a text.

    A name of one letter, or that reads as a Roman numeral, is left: it would hide the stage.
    """
    words = {word for name in names for word in re.findall(r"[^\W_]+", name)}
    words = {word for word in words if not _ROMAN.fullmatch(word)} | {one for one in ids if len(one) >= _SHORTEST_ID}
    if not words:
        return str
    longest_first = sorted(words, key=len, reverse=True)
    form = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
    return lambda text: form.sub("…", text)
