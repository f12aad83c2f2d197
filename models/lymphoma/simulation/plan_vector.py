"""A plan as numbers: everything drawn about person, physiology and scan, under the name of its field.

Nothing is listed here by hand, so that a new field of a plan is a new covariate after the next fit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.sites import ORGANS
from lymphoma.simulation.tissues import TISSUES
from lymphoma.simulation.uptake import draw_uptake

__all__ = ["numbers_of", "planned_uptake", "vectors_of"]

Floats = npt.NDArray[np.float64]


def _membership() -> Floats:
    """Shape (K, tissues): each organ's row averages its tissues."""
    of = [[float(bool(t.organ) and organ.covers(str(t.organ))) for t in TISSUES] for organ in ORGANS]
    shares = np.array(of)
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1))


_MEMBERS: Floats = _membership()


def numbers_of(plan: PatientPlan) -> dict[str, float]:
    """Field -> number: truth values as 0 and 1, a word as ``field=word``: 1, parts of a list counted by their kind."""
    found: dict[str, float] = {}
    for part in ("person", "physiology", "scan"):
        for name, number in _flat(part, getattr(plan, part)):
            found[name] = found.get(name, 0.0) + number
    disease = plan.disease
    found["disease.log_total"] = float(np.log(1.0 + sum(lesion.volume_ml for lesion in disease.lesions)))
    found["disease.log_count"] = float(np.log(1.0 + len(disease.lesions)))
    found["disease.marrow"] = float(disease.marrow_suv is not None)
    found["disease.spleen"] = float(disease.spleen_suv is not None)
    return found


def _flat(name: str, value: object) -> Iterator[tuple[str, float]]:
    if value is None:
        return
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _flat(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, str):
        yield f"{name}={value}", 1.0
    elif isinstance(value, bool | int | float | np.number):
        yield name, float(value)
    elif isinstance(value, Sequence):
        for number, part in enumerate(value):
            yield from _part(name, number, part)


def _part(name: str, number: int, part: object) -> Iterator[tuple[str, float]]:
    """A part of a list: a pair (word, number) under its word, an object by its first word, a number by its place."""
    if isinstance(part, str):
        yield f"{name}={part}", 1.0
    elif isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], str):
        yield f"{name}={part[0]}", float(part[1])
    elif dataclasses.is_dataclass(part):
        values = (getattr(part, field.name) for field in dataclasses.fields(part))
        yield f"{name}={next((value for value in values if isinstance(value, str)), 'any')}", 1.0
    elif isinstance(part, int | float):
        yield f"{name}[{number}]", float(part)


def vectors_of(numbers: Sequence[Mapping[str, float]], names: Sequence[str]) -> Floats:
    """Numbers of several plans as rows in the order of ``names``; a field that a plan has not is 0."""
    return np.array([[row.get(name, 0.0) for name in names] for row in numbers], dtype=np.float64)


def planned_uptake(plan: PatientPlan) -> Floats:
    """Logarithm of the planned SUV of each organ of ``ORGANS``, the mean over its tissues; shape (K,)."""
    suv = draw_uptake(plan)
    means = _MEMBERS @ suv[: len(TISSUES)]
    return np.asarray(np.log(np.maximum(means, 1e-2)))
