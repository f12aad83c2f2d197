"""The classes of the anatomy network, and which structures of a finer organ map each one holds."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from io import StringIO
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.structures import structures

__all__ = ["IGNORED", "ClassTable", "OrganClass", "shipped_classes"]

IGNORED = 255
"""Label of voxels that teach nothing: lesions, and structures that the table does not know."""


@dataclass(frozen=True)
class OrganClass:
    """One class; 0 is the background.

    Attributes:
        parts: structures of generator A that it holds. also: structures of other organ maps.
    """

    label: int
    name: str
    parts: tuple[str, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassTable:
    """All classes, the background among them, in the order of their labels 0, 1, 2, ..."""

    classes: tuple[OrganClass, ...]

    def __post_init__(self) -> None:
        if [one.label for one in self.classes] != list(range(len(self.classes))):
            raise ValueError("labels must be 0, 1, 2, ... in order")
        parts = [part for one in self.classes for part in (*one.parts, *one.also)]
        if len(parts) != len(set(parts)):
            raise ValueError("a structure stands in two classes")

    def __len__(self) -> int:
        return len(self.classes)

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Label -> organ, without the background."""
        return MappingProxyType({one.label: one.name for one in self.classes if one.label})

    @cached_property
    def _known(self) -> Mapping[str, int]:
        """Every name that a map may use -> label."""
        own = {one.name: one.label for one in self.classes}
        return own | {part: one.label for one in self.classes for part in (*one.parts, *one.also)}

    def label_of(self, name: str) -> int | None:
        """The class of a structure by the name of this table's own map, generator A's or TotalSegmentator's, be it of
        its 117 classes or of the 71 structures; None for one that the table does not know."""
        merged = structures().of.get(name, name)
        return self._known.get(name, self._known.get(merged))

    def of(self, anatomy: Anatomy) -> Anatomy:
        """Another engine's organ map in these classes; what the table does not know becomes background.

        Raises:
            NotComputable: NO_ANATOMY, there is no organ map.
        """
        organs = anatomy.require(*anatomy.names.values())
        merged = self.merged(organs.array, anatomy.names)
        merged[merged == IGNORED] = 0
        told = {self.label_of(name) for name in anatomy.names.values()}
        return Anatomy(
            anatomy.engine,
            organs.with_array(merged),
            {label: name for label, name in self.names.items() if label in told},
        )

    def merged(
        self,
        organs: npt.NDArray[np.integer[Any]],
        names: Mapping[int, str],
        lesions: npt.NDArray[np.integer[Any]] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """A finer organ map in these classes.

        A structure that the table does not know becomes :data:`IGNORED`, and so does a lesion: which organ it grows in
        is not seen in it, and that it is a lesion is not the anatomy's to say.

        Args:
            organs: labels below 256, any shape. names: label -> structure. lesions: of the same shape, 0 outside.
        """
        table = np.zeros(256, dtype=np.uint8)
        for label, name in names.items():
            known = self.label_of(name)
            table[label] = IGNORED if known is None else known
        found: npt.NDArray[np.uint8] = table[organs]
        if lesions is not None:
            found[lesions > 0] = IGNORED
        return found


def shipped_classes() -> ClassTable:
    """The table of the shipped network: 39 organs, merged from the structures of generator A."""
    text = (files("lymphoma.anatomy") / "classes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(StringIO(text))
    return ClassTable(
        tuple(
            OrganClass(int(row["label"]), row["name"], tuple(row["parts"].split()), tuple(row["also"].split()))
            for row in rows
        )
    )
