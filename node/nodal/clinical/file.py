"""A clinical record in a file: named by a person, or lying beside the study."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nodal.clinical.record import Source, Statement, Unusable
from nodal.clinical.statements import PatientStatements
from nodal.clinical.values import STATED_FIELDS, checked
from nodal.errors import WrongUsage

__all__ = ["BESIDE_NAMES", "beside_or_note", "statements_beside", "statements_of_file"]

BESIDE_NAMES = ("clinical.json", "clinical.yaml", "clinical.yml")
"""Names under which a record lies in a study's folder itself, not in a folder below it."""

LARGEST_BYTES = 1_000_000
"""A record is a page of text; what is larger is another file under this name."""


def _dicom_date(value: object) -> object:
    """YAML reads 2026-01-02 as a date, and 20260102 as a number."""
    if isinstance(value, datetime):
        return value.strftime("%Y%m%d%H%M%S%z")
    if isinstance(value, date):
        return value.strftime("%Y%m%d")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.replace("-", "") if isinstance(value, str) and len(value) == len("2026-01-02") else value


_Day = Annotated[str, BeforeValidator(_dicom_date), Field(pattern=r"^\d{8}(\d{6}(\.\d{1,6})?([+-]\d{4})?)?$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Stated(_Strict):
    """The long form of a field."""

    value: Any
    date: _Day | None = None
    by: str | None = Field(None, max_length=64)
    said: str | None = Field(None, max_length=200)


class _About(_Strict):
    """What a file may say beside its fields: the form in which earlier versions took whole records."""

    entered_at: _Day | None = None
    by: str | None = Field(None, max_length=64)
    sources: dict[str, Source] = {}
    dates: dict[str, _Day] = {}
    said: dict[str, str] = {}


def statements_of_file(path: Path) -> PatientStatements:
    """The statements of a JSON or YAML file of fields; of no patient in particular.

    A field is a plain value, ``stage: 3``, or has its date and words with it, ``stage: {value: 3, date: 2026-01-02,
    by: Dr Who, said: IIIB}``. A field that is null is unknown. Without ``entered_at`` the time of the file counts.

    Raises:
        WrongUsage: it cannot be read, is no record, or holds a value that its field cannot have.
    """
    content = _content(path)
    try:
        about = _About.model_validate({name: content[name] for name in _About.model_fields if name in content})
        entered_at = about.entered_at or _changed(path)
        stated = {name: value for name, value in content.items() if name not in _About.model_fields}
        statements = tuple(
            _statement(str(name), value, about, entered_at) for name, value in stated.items() if value is not None
        )
    except ValidationError as error:
        raise WrongUsage(f"{path.name} is not a clinical record: {_faults(error)}") from None
    except ValueError as error:
        raise WrongUsage(f"{path.name} is not a clinical record: {error}") from None
    return PatientStatements("", statements)


def statements_beside(folder: Path) -> PatientStatements | None:
    """The record that lies in a study's folder; None where there is none.

    Raises:
        WrongUsage: as :func:`statements_of_file`, or there are several.
    """
    found = [folder / name for name in BESIDE_NAMES if (folder / name).is_file()]
    if len(found) > 1:
        raise WrongUsage(f"several clinical records lie beside the study: {', '.join(path.name for path in found)}")
    return statements_of_file(found[0]) if found else None


def beside_or_note(folder: Path) -> PatientStatements | None:
    """As :func:`statements_beside`, for where nobody waits for the error: it becomes a note in the record."""
    try:
        return statements_beside(folder)
    except WrongUsage as error:
        found = [folder / name for name in BESIDE_NAMES if (folder / name).is_file()]
        latest = max((_changed(path) for path in found), default=_changed(folder))
        said = ", ".join(path.name for path in found)
        return PatientStatements("", (), (Unusable("record", "file", latest, said, error.message),))


def _changed(path: Path) -> str:
    """When a file was last written, DICOM DT in UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y%m%d%H%M%S%z")


def _content(path: Path) -> Mapping[Any, Any]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise WrongUsage(f"{path.name} is too large for a clinical record")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise WrongUsage(f"{path.name} is not a clinical record: it is not UTF-8 text") from None
    try:
        content = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise WrongUsage(f"{path.name} is not a clinical record: it is neither JSON nor YAML{where}") from None
    if not isinstance(content, Mapping):
        raise WrongUsage(f"{path.name} is not a clinical record: it holds no fields")
    return content


def _statement(name: str, value: object, about: _About, entered_at: str) -> Statement:
    long = _Stated.model_validate(value) if isinstance(value, Mapping) else _Stated(value=value)
    given = _dicom_date(long.value) if name == "birth_date" else long.value
    try:
        usable = checked(name, given)
    except ValueError as error:
        raise ValueError(str(error) if name not in STATED_FIELDS else f"{name}: {error}") from None
    return Statement(
        name,
        usable,
        about.sources.get(name, "file"),
        entered_at,
        long.date or about.dates.get(name),
        long.by or about.by,
        long.said or about.said.get(name),
    )


def _faults(error: ValidationError) -> str:
    """The places and the rules, never the values."""
    return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
