"""The project's own sets of virtual patients: seeds that never overlap, so that anybody remakes the same sets.

``nodal simulate --set NAME --out DIR`` makes one. The three levels of claim are those of the model cards: L1 at feature
level, L2 at image level, and the sets on which segmentation and anatomy networks learn, which no prognosis set touches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymphoma.simulation.scan import HOSPITAL, TRAINING, Variety

__all__ = ["SETS", "PatientSet"]


@dataclass(frozen=True)
class PatientSet:
    """Virtual patients with the seeds ``first_seed``, ``first_seed + 1``, ...

    Attributes:
        kind: "features" without images, "images" as NIfTI pairs on the training grid.
        variety: how much their scans differ. purpose: what the set is for.
    """

    name: str
    first_seed: int
    patients: int
    kind: Literal["features", "images"]
    variety: Variety
    purpose: str

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.patients)


def _features(part: str, number: int, start: int) -> PatientSet:
    what = "learns" if part == "train" else "is judged"
    purpose = f"L1, repetition {number}: where a prognosis system {what}"
    return PatientSet(f"l1-{part}-{number}", start + 10_000 * number, 5_000, "features", HOSPITAL, purpose)


_ALL = (
    *(_features("train", number, 1_000_000) for number in range(1, 6)),
    *(_features("test", number, 2_000_000) for number in range(1, 6)),
    PatientSet("l2-train", 3_000_000, 240, "images", HOSPITAL, "L2: where a prognosis system learns"),
    PatientSet("l2-test", 3_010_000, 120, "images", HOSPITAL, "L2: where a prognosis system is judged"),
    PatientSet("network-train", 4_000_000, 240, "images", TRAINING, "segmentation and anatomy networks learn"),
    PatientSet("network-validation", 4_010_000, 40, "images", TRAINING, "their early stopping"),
    PatientSet("review-train", 4_030_000, 240, "images", TRAINING, "the reviewer of candidates learns"),
    PatientSet("network-test", 4_020_000, 80, "images", HOSPITAL, "their figures on generator A"),
    PatientSet("range-train-wide", 4_050_000, 500, "images", TRAINING, "what a scan in range looks like"),
    PatientSet("range-train-hospital", 4_055_000, 500, "images", HOSPITAL, "the same, as hospitals send it"),
)

SETS: dict[str, PatientSet] = {one.name: one for one in _ALL}
"""All sets by name."""
