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

__all__ = ["IGNORED", "ClassTable", "OrganClass", "shipped_classes"]

IGNORED = 255
"""Label of voxels that teach nothing: lesions, and structures that the table does not know."""


@dataclass(frozen=True)
class OrganClass:
    """One class; 0 is the background. ``parts``: the structures that it holds."""

    label: int
    name: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class ClassTable:
    """All classes, the background among them, in the order of their labels 0, 1, 2, ..."""

    classes: tuple[OrganClass, ...]

    def __post_init__(self) -> None:
        if [one.label for one in self.classes] != list(range(len(self.classes))):
            raise ValueError("labels must be 0, 1, 2, ... in order")
        parts = [part for one in self.classes for part in one.parts]
        if len(parts) != len(set(parts)):
            raise ValueError("a structure stands in two classes")

    def __len__(self) -> int:
        return len(self.classes)

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Label -> organ, without the background."""
        return MappingProxyType({one.label: one.name for one in self.classes if one.label})

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
        known = {part: one.label for one in self.classes for part in one.parts}
        table = np.zeros(256, dtype=np.uint8)
        for label, name in names.items():
            table[label] = known.get(name, IGNORED)
        found: npt.NDArray[np.uint8] = table[organs]
        if lesions is not None:
            found[lesions > 0] = IGNORED
        return found


def shipped_classes() -> ClassTable:
    """The table of the shipped network: 39 organs, merged from the structures of generator A."""
    text = (files("lymphoma.anatomy") / "classes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(StringIO(text))
    return ClassTable(tuple(OrganClass(int(row["label"]), row["name"], tuple(row["parts"].split())) for row in rows))
