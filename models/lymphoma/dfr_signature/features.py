"""Deep features of the patients of a cohort: of the contour as drawn, and of the perturbed ones beside it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lymphoma.dfr_signature.backbones import Backbone
from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.inputs import contours_of, pixels_of
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.survival.follow_up import Floats, Ints
from lymphoma.training.files import write_whole

__all__ = ["DeepFeatures", "features_of", "kept_features", "of_cohort"]


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
    return _together([_patient(cohort, at, backbone, config) for at in _told(len(cohort), progress)], backbone)


def kept_features(
    cohort: InputCohort, backbone: Backbone, config: DfrConfig, folder: Path, progress: Progress | None = None
) -> DeepFeatures:
    """As :func:`of_cohort`; each patient's are kept in a folder, which any cohort and configuration may share.

    Args:
        folder: made if missing; 8 kB a patient and contour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked = [cohort.folder.source.way, backbone.digest, config.image, asdict(config.grey), config.softmax]
    found = []
    for at in _told(len(cohort), progress):
        named = json.dumps([cohort.patients.contents[at], *asked], sort_keys=True)
        file = folder / f"{hashlib.sha256(named.encode()).hexdigest()}.npy"
        if not file.is_file():
            buffer = io.BytesIO()
            np.save(buffer, _patient(cohort, at, backbone, config), allow_pickle=False)
            write_whole(file, buffer.getvalue())
        found.append(np.load(file, allow_pickle=False))
    return _together(found, backbone)


def _patient(cohort: InputCohort, at: int, backbone: Backbone, config: DfrConfig) -> Floats:
    """(contours, 1000), the drawn contour first."""
    arrays = cohort.read(at)
    return np.array([features_of(arrays, contour, backbone, config) for contour in contours_of(config.inputs)])


def _together(patients: Sequence[Floats], backbone: Backbone) -> DeepFeatures:
    values = np.array(patients, dtype=np.float64).transpose(1, 0, 2)
    return DeepFeatures(values[0], values[1:], backbone.digest)


def _told(count: int, progress: Progress | None) -> Iterator[int]:
    for at in range(count):
        yield at
        if progress is not None:
            progress(at + 1, count)
