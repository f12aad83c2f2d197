"""Covariates of a model as the clinic says them, and the columns that a fit reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats

__all__ = ["Categorical", "Continuous", "Scale", "Term", "columns_of", "encode"]


@dataclass(frozen=True)
class Continuous:
    """A number; ``unit`` is for readers.

    Attributes:
        scale: "linear" enters as itself, "log" as its natural logarithm; axes stay in the clinical unit.
        least: of a "log" scale, above 0: what a smaller value counts as, 0 included (no lesion: a TMTV of 0 mL).
    """

    name: str
    unit: str = ""
    scale: Scale = "linear"
    least: float | None = None

    def __post_init__(self) -> None:
        if (self.scale == "log") != (self.least is not None) or (self.least is not None and not 0 < self.least < inf):
            raise ValueError(f"{self.name}: a least value above 0 belongs to a log scale, and to no other")

    @property
    def width(self) -> int:
        """Columns."""
        return 1


@dataclass(frozen=True)
class Categorical:
    """One of ``levels``; the first is the reference, each other has a column of 0 and 1."""

    name: str
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or len(set(self.levels)) != len(self.levels):
            raise ValueError(f"{self.name} needs two different levels or more")

    @property
    def width(self) -> int:
        """Columns."""
        return len(self.levels) - 1


Term = Continuous | Categorical
Scale = Literal["linear", "log"]


def columns_of(terms: Sequence[Term]) -> tuple[str, ...]:
    """Names of the columns: the covariate's own, ``log(name)``, or ``name=level``."""
    names: list[str] = []
    for term in terms:
        if isinstance(term, Continuous):
            names.append(term.name if term.scale == "linear" else f"log({term.name})")
        else:
            names.extend(f"{term.name}={level}" for level in term.levels[1:])
    return tuple(names)


def encode(terms: Sequence[Term], values: Sequence[npt.ArrayLike]) -> Floats:
    """Columns (n, p) from one list of n values per covariate: numbers, or words among the levels.

    Raises:
        NotComputable: ``COVARIATE_INVALID`` for a word that is no level, or a value that is not a finite number.
    """
    blocks = []
    for term, given in zip(terms, values, strict=True):
        if isinstance(term, Continuous):
            column = np.asarray(given, dtype=np.float64)
            if not np.isfinite(column).all():
                raise NotComputable("COVARIATE_INVALID", f"{term.name} is not a number in every patient")
            entered = column if term.least is None else np.log(np.maximum(column, term.least))
            blocks.append(entered[:, None])
        else:
            words = np.asarray(given, dtype=np.str_)
            if not np.isin(words, term.levels).all():
                raise NotComputable("COVARIATE_INVALID", f"{term.name} has a value that is none of its levels")
            blocks.append((words[:, None] == np.asarray(term.levels[1:])).astype(np.float64))
    return np.concatenate(blocks, axis=1)
