"""Organs on the PET grid, and the engines that find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume

__all__ = ["Anatomy", "AnatomyEngine", "GivenAnatomy", "NoAnatomy"]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What is known of the organs of one patient.

    Attributes:
        engine: who found them: "none", "given", or the name of a later engine.
        organs: labels on the PET grid, 0 background; None when no organ is known.
        names: label -> name of the organ, lower case with underscores ("liver", "kidney_left").
        notes: sentences for the report, such as a fall-back to the CPU.
    """

    engine: str
    organs: Volume | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def has(self, *names: str) -> bool:
        """Whether the map can tell at least one of these organs, be it in the field of view or not."""
        return self.organs is not None and not set(names).isdisjoint(self.names.values())

    def require(self, *names: str) -> Volume:
        """The organ map, if it can tell at least one of these organs.

        Raises:
            NotComputable: NO_ANATOMY, no organ map, or one that does not know any of the names.
        """
        if self.organs is None or not self.has(*names):
            wanted = " or ".join(names)
            raise NotComputable("NO_ANATOMY", f"no organ map tells the {wanted} (anatomy engine: {self.engine})")
        return self.organs

    def mask(self, *names: str) -> npt.NDArray[np.bool_]:
        """Voxels of one organ, or of several together; all False where they lie outside the field of view.

        Raises:
            NotComputable: NO_ANATOMY, as :meth:`require`.
        """
        labels = [label for label, name in self.names.items() if name in names]
        return np.asarray(np.isin(self.require(*names).array, labels))


class AnatomyEngine(Protocol):
    """Finds the organs on a PET/CT."""

    @property
    def name(self) -> str:
        """The engine's name in settings, findings and reports."""
        ...

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        """The organs on the grid of ``suv``; ``ct_hu`` is on the same grid."""
        ...


@dataclass(frozen=True)
class NoAnatomy:
    """No organ is looked for: nothing physiological can be removed, no reference tissue is known."""

    name: str = "none"

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        """No organs."""
        return Anatomy(self.name)


@dataclass(frozen=True, eq=False)
class GivenAnatomy:
    """An organ map that was made elsewhere, such as a virtual patient's own.

    Attributes:
        organs: labels on any grid in the same patient space.
        names: label -> name, as in :class:`Anatomy`.
    """

    organs: Volume
    names: Mapping[int, str]
    name: str = "given"

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        """The map on the grid of ``suv``, each voxel with the label nearest to its centre."""
        if self.organs.same_grid(suv):
            return Anatomy(self.name, self.organs, self.names)
        return Anatomy(self.name, resample_like(self.organs, suv, fill=0, interpolation="nearest"), self.names)
