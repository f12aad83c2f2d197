"""What a scanner's header says of the patient."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydicom import Dataset

from nodal.clinical.record import Statement, Unusable, Value
from nodal.clinical.statements import PatientStatements
from nodal.clinical.values import calendar_day, checked
from nodal.dicom.values import number, text

__all__ = ["patient_key", "statements_of_header"]

_AGE = re.compile(r"(\d{3})([DWMY])")  # PS3.5 6.2, VR AS
_PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
_CENTIMETRES_FROM = 3.0  # nobody is that tall in metres

_MIDNIGHT = "000000"
_NO_DATE = "19000101"


def patient_key(header: Dataset) -> str:
    """``issuer~id``, the patient's key in this hospital; either part may be empty."""
    return f"{header.get('IssuerOfPatientID', '') or ''}~{header.get('PatientID', '') or ''}"


def statements_of_header(header: Dataset) -> PatientStatements:
    """Age, birth date, sex, height and weight of one instance (PS3.3 C.7.1.1 and C.7.2.2).

    What is absent says nothing; what cannot be meant (another sex than M or F, a height in centimetres, an age of
    200) is unusable, with its reason. The instant of entry is the study's own.
    """
    day = text(header, "StudyDate") or text(header, "SeriesDate") or text(header, "AcquisitionDate")
    told = _Told(_instant(day, text(header, "StudyTime")), day if len(day) == 8 else None)
    told.add("birth_date", text(header, "PatientBirthDate"), _birth_date)
    told.add("age_years", text(header, "PatientAge"), _age_years)
    told.add("sex", text(header, "PatientSex"), str)
    told.add("height_m", _number_text(header, "PatientSize"), _height_m)
    told.add("weight_kg", _number_text(header, "PatientWeight"), _float)
    return PatientStatements(patient_key(header), tuple(told.statements), tuple(told.unusable))


class _Told:
    """The statements of one header, as they are found."""

    def __init__(self, instant: str, day: str | None) -> None:
        self._instant, self._day = instant, day
        self.statements: list[Statement] = []
        self.unusable: list[Unusable] = []

    def add(self, field: str, said: str, read: Callable[[str], Value]) -> None:
        """Reads one attribute; an empty one says nothing."""
        if not said:
            return
        effective = self._day if field in ("age_years", "height_m", "weight_kg") else None
        try:
            value = checked(field, read(said))
        except ValueError as error:
            self.unusable.append(Unusable(field, "dicom", self._instant, said[:64], str(error)))
        else:
            self.statements.append(Statement(field, value, "dicom", self._instant, effective))


def _instant(day: str, clock: str) -> str:
    """DICOM DT, to the second."""
    known = clock.replace(":", "").split(".")[0]
    whole = known.ljust(6, "0") if known.isdigit() and len(known) <= 6 else _MIDNIGHT
    return (day if len(day) == 8 and day.isdigit() else _NO_DATE) + whole


def _number_text(header: Dataset, keyword: str) -> str:
    """The text of a DS; 0 stands for "not known" in many worklists and says nothing."""
    value = number(header, keyword)
    return "" if value == 0 else text(header, keyword)


def _float(said: str) -> float:
    try:
        return float(said)
    except ValueError:
        raise ValueError("it is no number") from None


def _height_m(said: str) -> float:
    value = _float(said)
    if value > _CENTIMETRES_FROM:
        raise ValueError("it is no height in metres; it looks like centimetres")
    return value


def _age_years(said: str) -> float:
    found = _AGE.fullmatch(said)
    if found is None:
        raise ValueError("it is no age of three digits and D, W, M or Y")
    return int(found[1]) / _PER_YEAR[found[2]]


def _birth_date(said: str) -> str:
    day = said.replace(".", "")  # ACR-NEMA wrote YYYY.MM.DD (PS3.5 6.2, VR DA)
    if len(day) != 8:
        raise ValueError("it is no date YYYYMMDD")
    calendar_day(day)
    return day
