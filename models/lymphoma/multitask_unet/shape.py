"""Sizes of the network and its switches: the paper's models A to E and its own are one shape each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MODELS", "SMALL_SIZE", "SMALL_WIDTHS", "Size", "UnetShape", "Widths"]

Size = tuple[int, int, int]
Widths = tuple[int, int, int, int]

SMALL_SIZE: Size = (112, 32, 32)
"""Half of the published grid along each axis: what two processor cores can train on."""
SMALL_WIDTHS: Widths = (16, 32, 64, 128)
STAGES = 4
"""Three down and the bottom, which is pooled once more."""


@dataclass(frozen=True)
class UnetShape:
    """A 3D U-Net with three down and three up.

    Attributes:
        size: voxels (k, j, i) of the input; each a multiple of 16, as the bottom is pooled once more.
        widths: channels of the stages, the finest first. The paper has them in a figure alone [A].
        segments: has a decoder and finds lesions. classifies: tells the chance of an event.
        deep_segmentation: a head at each of the four stages, not at the finest alone. deep_classification: a branch at
            each stage but the finest, not at the bottom alone.
        vector: length of a branch's pooled vector. hidden: units between its two linear layers [A].

    Raises:
        ValueError: switches that contradict each other, or a size that cannot be halved often enough.
    """

    size: Size = (224, 64, 64)
    widths: Widths = (32, 64, 128, 256)
    segments: bool = True
    classifies: bool = True
    deep_segmentation: bool = True
    deep_classification: bool = True
    vector: int = 64
    hidden: int = 32

    def __post_init__(self) -> None:
        if not (self.segments or self.classifies):
            raise ValueError("a network has one task at least")
        if self.deep_segmentation and not self.segments:
            raise ValueError("deep supervision of lesions needs the task itself")
        if self.deep_classification and not (self.segments and self.classifies):
            raise ValueError("deep supervision of the event needs the task and a decoder")
        if any(edge % 2**STAGES for edge in self.size):
            raise ValueError(f"each edge of the input is a multiple of {2**STAGES}")

    @property
    def lesion_stages(self) -> tuple[int, ...]:
        """Stages with a segmentation head, 0 the finest, in the order of Eq. 5."""
        if not self.segments:
            return ()
        return tuple(range(STAGES)) if self.deep_segmentation else (0,)

    @property
    def event_stages(self) -> tuple[int, ...]:
        """Stages with a classification branch, along the decoder from the bottom up, in the order of Eq. 2."""
        if not self.classifies:
            return ()
        return (3, 2, 1) if self.deep_classification else (3,)


MODELS: Mapping[str, UnetShape] = {
    "A": UnetShape(classifies=False, deep_segmentation=False, deep_classification=False),
    "B": UnetShape(segments=False, deep_segmentation=False, deep_classification=False),
    "C": UnetShape(deep_segmentation=False, deep_classification=False),
    "D": UnetShape(deep_classification=False),
    "E": UnetShape(deep_segmentation=False),
    "ours": UnetShape(),
}
"""Table 2: A finds lesions alone, B (the encoder) tells the event alone, C does both without deep supervision, D and E
with it on lesions or on the event alone, "ours" on both. At the published size."""
