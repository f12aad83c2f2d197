"""Threshold rules, each as a segmenter.

    suv4        SUV >= 4.0 (Boellaard, J Nucl Med 2024;65:1343; the preselection step, before any reader's edit)
    suv2.5      SUV >= 2.5
    percent41   SUV >= 41 % of the lesion's SUVmax        } per lesion, seeded by SUV >= 4.0:
    a50p        SUV >= (SUVpeak + background) / 2         } the rule stands in lymphoma.segmentation.relative
    mv2, mv3    voxels that at least two, three of {percent41, a50p, suv2.5, suv4} take (majority vote)
    percist     SUV >= 1.5 x liver mean + 2 SD (PERCIST 1.0). Body-weight SUV and SUL differ by one factor for the
                whole patient, so both draw the same voxels

Every rule ends alike: 26-connected components of at least ``min_volume_ml`` are lesions. Physiological uptake is
not removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy import Anatomy, reference_liver
from lymphoma.errors import NotComputable
from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions
from lymphoma.lesions.components import Connectivity
from lymphoma.segmentation.delineation import Delineation
from lymphoma.segmentation.relative import a50p, percent_of_max, territories

__all__ = ["ThresholdSegmenter", "threshold_segmenter"]

Rule = Callable[[Volume, Anatomy, float], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class ThresholdSegmenter:
    """A threshold rule with its volume rule; ``rule`` (SUV, organs, smallest volume) gives the voxels taken."""

    name: str
    description: str
    min_volume_ml: float
    rule: Rule
    connectivity: Connectivity = 26
    needs_organs: bool = False

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The lesions; see :class:`lymphoma.segmentation.Segmenter`. The CT is not looked at.

        Raises:
            NotComputable: NO_ANATOMY for "percist" without a liver.
        """
        taken = self.rule(suv, anatomy, self.min_volume_ml)
        lesions = label_lesions(taken, suv.voxel_volume_ml, self.min_volume_ml, self.connectivity)
        return Delineation(suv.with_array(lesions))


def _fixed(threshold: float) -> Rule:
    return lambda suv, anatomy, min_volume_ml: np.asarray(suv.array >= threshold)


def _percent41(suv: Volume, anatomy: Anatomy, min_volume_ml: float) -> npt.NDArray[np.bool_]:
    return percent_of_max(suv, territories(suv, min_volume_ml))


def _a50p(suv: Volume, anatomy: Anatomy, min_volume_ml: float) -> npt.NDArray[np.bool_]:
    return a50p(suv, territories(suv, min_volume_ml))


def _majority(votes: int) -> Rule:
    def rule(suv: Volume, anatomy: Anatomy, min_volume_ml: float) -> npt.NDArray[np.bool_]:
        found = territories(suv, min_volume_ml)
        taken = percent_of_max(suv, found).astype(np.uint8)
        taken += a50p(suv, found)
        taken += suv.array >= 2.5
        taken += suv.array >= 4.0
        return np.asarray(taken >= votes)

    return rule


def _percist(suv: Volume, anatomy: Anatomy, min_volume_ml: float) -> npt.NDArray[np.bool_]:
    mean, sd = reference_liver(suv, anatomy)
    return np.asarray(suv.array >= np.float32(1.5 * mean + 2.0 * sd))


_SEEDED = "each lesion seeded by SUV >= 4.0 of the same least volume"
_VOTERS = f"{{41 % of SUVmax, A50P, SUV 2.5, SUV 4.0}}, {_SEEDED}"

_RULES: dict[str, tuple[str, Rule]] = {
    "suv4": ("SUV >= 4.0", _fixed(4.0)),
    "suv2.5": ("SUV >= 2.5", _fixed(2.5)),
    "percent41": (f"SUV >= 41 % of the lesion's SUVmax, {_SEEDED}", _percent41),
    "a50p": (f"SUV >= 50 % of the lesion's SUVpeak, background-corrected, {_SEEDED}", _a50p),
    "mv2": (f"majority vote, at least 2 of {_VOTERS}", _majority(2)),
    "mv3": (f"majority vote, at least 3 of {_VOTERS}", _majority(3)),
    "percist": ("SUV >= 1.5 x liver mean + 2 SD (PERCIST, 3 cm sphere in the right lobe)", _percist),
}

_NOT_INSTALLED = {
    "suv4_reviewed": "the network that reviews SUV >= 4.0 candidates",
    "network": "the lesion segmentation network",
    "nnunet": "the nnU-Net engine",
}


def threshold_segmenter(method: str, min_volume_ml: float = 3.0) -> ThresholdSegmenter:
    """The segmenter of a method of the settings.

    Args:
        method: a name from the head of this module.
        min_volume_ml: a component counts from this volume on; 3 mL is the rule of Boellaard 2024.

    Raises:
        NotComputable: NOT_INSTALLED, a known method that is not a threshold.
        ValueError: no such method, or a negative volume.
    """
    if min_volume_ml < 0:
        raise ValueError(f"a volume rule of {min_volume_ml} mL has no meaning")
    if method in _NOT_INSTALLED:
        raise NotComputable(
            "NOT_INSTALLED", f"{_NOT_INSTALLED[method]} ({method}) is not installed; choose a threshold"
        )
    if method not in _RULES:
        raise ValueError(f"no segmentation method is called {method!r}")
    words, rule = _RULES[method]
    description = f"{words}, components of at least {min_volume_ml:g} mL, 26-connected"
    return ThresholdSegmenter(method, description, min_volume_ml, rule)
