"""The one face of everything that draws lesions."""

from __future__ import annotations

from typing import Protocol

from lymphoma.anatomy import Anatomy
from lymphoma.imaging import Volume
from lymphoma.segmentation.delineation import Delineation

__all__ = ["Segmenter"]


class Segmenter(Protocol):
    """Draws lesions on a PET."""

    @property
    def name(self) -> str:
        """The method's name in the settings."""
        ...

    @property
    def description(self) -> str:
        """Everything needed to draw the same lesions again, in words for the report."""
        ...

    @property
    def min_volume_ml(self) -> float:
        """Volume rule: smaller components are dropped."""
        ...

    @property
    def connectivity(self) -> int:
        """6, 18 or 26."""
        ...

    @property
    def needs_organs(self) -> bool:
        """Whether it draws nothing sensible without an organ map."""
        ...

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The lesions on the grid of ``suv``; ``ct_hu`` is on the same grid.

        Raises:
            NotComputable: what the method needs is not there.
        """
        ...
