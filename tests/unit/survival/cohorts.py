"""Public data sets in the package's own terms; times of days become months of a twelfth of 365.25 days."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lifelines.datasets import load_lung, load_rossi
from lymphoma.survival.design import Categorical, Continuous, Term, columns_of, encode
from lymphoma.survival.follow_up import Floats, FollowUp
from sksurv.datasets import load_gbsg2

REFERENCE = Path(__file__).parents[2] / "reference" / "r" / "reference.json"


@dataclass(frozen=True, eq=False)
class PublicCohort:
    follow_up: FollowUp
    terms: tuple[Term, ...]
    values: tuple[Any, ...]
    days: Floats

    @property
    def names(self) -> tuple[str, ...]:
        return columns_of(self.terms)

    @property
    def matrix(self) -> Floats:
        return encode(self.terms, self.values)


def months(days: Any) -> Floats:
    return np.asarray(days, dtype=np.float64) * (12 / 365.25)


def _cohort(days: Any, event: Any, terms: tuple[Term, ...], values: tuple[Any, ...]) -> PublicCohort:
    return PublicCohort(FollowUp(months(days), np.asarray(event) == 1), terms, values, np.asarray(days, dtype=float))


@cache
def lung() -> PublicCohort:
    table = load_lung()
    table = table[table["ph.ecog"].notna()]
    names = ("age", "sex", "ph.ecog")
    columns = tuple(table[name].to_numpy(float) for name in names)
    return _cohort(table["time"], table["status"], tuple(Continuous(name) for name in names), columns)


@cache
def rossi() -> PublicCohort:
    table = load_rossi()
    names = ("fin", "age", "race", "wexp", "mar", "paro", "prio")
    columns = tuple(table[name].to_numpy(float) for name in names)
    return _cohort(table["week"] * 7, table["arrest"], tuple(Continuous(name) for name in names), columns)


@cache
def gbsg2(grade_as_number: bool = False) -> PublicCohort:
    table, y = load_gbsg2()
    terms: list[Term] = [
        Continuous("age", "years"),
        Categorical("horTh", ("no", "yes")),
        Categorical("menostat", ("Post", "Pre")),
        Continuous("pnodes"),
        Continuous("progrec"),
        Continuous("tgrade") if grade_as_number else Categorical("tgrade", ("I", "II", "III")),
        Continuous("tsize", "mm"),
        Continuous("estrec"),
    ]
    columns = [np.asarray(table[term.name].astype(str)) for term in terms]
    if grade_as_number:
        columns[5] = np.asarray([len(grade) for grade in columns[5]], dtype=float)
    values = tuple(c.astype(float) if isinstance(t, Continuous) else c for t, c in zip(terms, columns, strict=True))
    return _cohort(y["time"], y["cens"], tuple(terms), values)


@cache
def reference() -> Any:
    return json.loads(REFERENCE.read_text())


def waltons() -> tuple[FollowUp, FollowUp]:
    from lifelines.datasets import load_waltons

    table: pd.DataFrame = load_waltons()
    parts = [table[table["group"] == name] for name in ("miR-137", "control")]
    first, second = (FollowUp(part["T"].to_numpy(), part["E"].to_numpy() == 1) for part in parts)
    return first, second
