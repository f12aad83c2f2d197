"""Deep features of the patients of a cohort: of the contour as drawn, and of the perturbed ones beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lymphoma.dfr_signature.backbones import Backbone
from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.inputs import DRAWN, contours_of, pixels_of
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.survival.follow_up import Floats, Ints

__all__ = ["DeepFeatures", "features_of", "of_cohort"]


@dataclass(frozen=True, eq=False)
class DeepFeatures:
    """Features of n patients by one network.

    Attributes:
        drawn: (n, 1000). repeats: (r, n, 1000), of r perturbed contours.
        backbone: digest of the network, and of how it is read.
    """

    drawn: Floats
    repeats: Floats
    backbone: str

    def __len__(self) -> int:
        return len(self.drawn)

    def take(self, index: Ints) -> DeepFeatures:
        """The patients at ``index``."""
        return DeepFeatures(self.drawn[index], self.repeats[:, index], self.backbone)


def features_of(arrays: Arrays, contour: str, backbone: Backbone, config: DfrConfig) -> Floats:
    """Of one patient and contour, (1000,); the mean of the sections' features where there are several."""
    pixels = pixels_of(arrays, config.image, contour, config.grey)
    return np.asarray(backbone.features(pixels).mean(axis=0), dtype=np.float64)


def of_cohort(
    cohort: InputCohort, backbone: Backbone, config: DfrConfig, progress: Progress | None = None
) -> DeepFeatures:
    """Of every patient of a cohort, in its order.

    Args:
        progress: called with (patients done, patients in all).
    """
    contours = contours_of(config.inputs)
    assert contours[0] == DRAWN
    found = []
    for at in range(len(cohort)):
        arrays = cohort.read(at)
        found.append([features_of(arrays, contour, backbone, config) for contour in contours])
        if progress is not None:
            progress(at + 1, len(cohort))
    values = np.array(found, dtype=np.float64).transpose(1, 0, 2)
    return DeepFeatures(values[0], values[1:], backbone.digest)
