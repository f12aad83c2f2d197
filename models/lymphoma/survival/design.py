"""Covariates of a model as the clinic says them, and the columns that a fit reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats

__all__ = ["Categorical", "Continuous", "Term", "columns_of", "encode"]


@dataclass(frozen=True)
class Continuous:
    """A number that enters as itself; ``unit`` is for readers."""

    name: str
    unit: str = ""

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


def columns_of(terms: Sequence[Term]) -> tuple[str, ...]:
    """Names of the columns: the covariate's own, or ``name=level``."""
    names: list[str] = []
    for term in terms:
        if isinstance(term, Continuous):
            names.append(term.name)
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
            blocks.append(column[:, None])
        else:
            words = np.asarray(given, dtype=np.str_)
            if not np.isin(words, term.levels).all():
                raise NotComputable("COVARIATE_INVALID", f"{term.name} has a value that is none of its levels")
            blocks.append((words[:, None] == np.asarray(term.levels[1:])).astype(np.float64))
    return np.concatenate(blocks, axis=1)
