"""The 117 structures that TotalSegmentator v2 finds, and the 71 that LAMP reads.

LAMP says that 117 classes became 71 and not how. Two groupings have exactly 71; both are kept as data:

    option A    24 ribs to left and right, 25 vertebrae (S1 among them) to one             117 - 22 - 24
    option B    24 ribs to left and right, 5 lung lobes to left and right, vertebrae to
                cervical, thoracic, lumbar and S1                                          117 - 22 - 3 - 21

B is the default: like the ribs, lobes of one side become one structure, which the paper's rule asks for.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from io import StringIO
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["CLASSES", "STRUCTURES", "StructureTable", "StructuresOption", "structures"]

StructuresOption = Literal["a", "b"]

CLASSES = 117
STRUCTURES = 71


@dataclass(frozen=True)
class StructureTable:
    """How classes become structures.

    Attributes:
        classes: names in the order of their labels 1..117. holds: the structure of each, in the same order.
    """

    classes: tuple[str, ...]
    holds: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.classes)) != CLASSES or len(self.holds) != CLASSES or len(set(self.holds)) != STRUCTURES:
            raise ValueError(f"{CLASSES} classes become {STRUCTURES} structures")

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Label of a structure, 1..71 in the order of its first class -> its name."""
        return MappingProxyType(dict(enumerate(dict.fromkeys(self.holds), start=1)))

    @cached_property
    def of(self) -> Mapping[str, str]:
        """Class -> structure."""
        return MappingProxyType(dict(zip(self.classes, self.holds, strict=True)))

    def merged(self, labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Labels 0..117 of any shape as labels 0..71 of :attr:`names`."""
        label_of = {name: label for label, name in self.names.items()}
        table = np.array([0, *(label_of[structure] for structure in self.holds)], dtype=np.uint8)
        return np.asarray(table[labels])


@cache
def structures(option: StructuresOption = "b") -> StructureTable:
    """The table of one option, from ``structures.csv``.

    Raises:
        ValueError: the table was altered and no longer has 117 classes in 71 structures.
    """
    text = (files("lymphoma.anatomy") / "structures.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(StringIO(text)))
    if [int(row["label"]) for row in rows] != list(range(1, len(rows) + 1)):
        raise ValueError("labels must be 1, 2, ... in order")
    return StructureTable(tuple(row["name"] for row in rows), tuple(row[f"option_{option}"] for row in rows))
