"""Attributes as plain values: what is absent, empty or malformed is None or an empty text, never an exception."""

from __future__ import annotations

import math
from decimal import InvalidOperation

from pydicom import Dataset

__all__ = ["number", "numbers", "text", "texts"]


def _value(dataset: Dataset, keyword: str) -> object:
    try:
        return dataset.get(keyword, None)
    except (ValueError, TypeError, OverflowError, InvalidOperation):  # a DS or IS that is no number
        return None


def text(dataset: Dataset, keyword: str) -> str:
    """The value as stripped text; empty where there is none."""
    value = _value(dataset, keyword)
    return "" if value is None else str(value).strip()


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of a multi-valued attribute as stripped texts."""
    value = _value(dataset, keyword)
    if value is None or value == "":
        return ()
    return tuple(str(item).strip() for item in ((value,) if isinstance(value, str) else value))  # type: ignore[attr-defined]


def number(dataset: Dataset, keyword: str) -> float | None:
    """One finite number, or None."""
    found = numbers(dataset, keyword)
    return found[0] if found is not None and len(found) == 1 else None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...] | None:
    """All values as finite numbers; None where one of them is none, or there is none."""
    value = _value(dataset, keyword)
    if value is None or value == "":
        return None
    items = (value,) if isinstance(value, str) or not hasattr(value, "__iter__") else tuple(value)
    try:
        found = tuple(float(item) for item in items)
    except (TypeError, ValueError):
        return None
    return found if found and all(math.isfinite(item) for item in found) else None
