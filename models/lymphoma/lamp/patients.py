"""The patients that LAMP's heads learn from and are judged on: pooled features beside clinical factors and outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.feature_folder import FeatureFolder, FeaturePatient, FeatureSource
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.prognosis.pooled import PooledFeatures

__all__ = ["LampCohort", "cohort_of_folder", "cohort_of_patients"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LampCohort:
    """n patients with at least one lesion each, in a fixed order.

    Attributes:
        patients: outcomes, clinical factors, measures. pooled: n, of the same patients.
        source: what made the features. without_lesion: patients that are not among the n, as no lesion was accepted.
    """

    patients: Patients
    pooled: tuple[PooledFeatures, ...]
    source: FeatureSource
    without_lesion: int = 0

    def __post_init__(self) -> None:
        if len(self.patients) != len(self.pooled) or any(not len(one.lesions) for one in self.pooled):
            raise ValueError("each patient has features of one lesion at least")

    def __len__(self) -> int:
        return len(self.pooled)

    def take(self, index: Ints | Sequence[int]) -> LampCohort:
        """The patients at ``index``, in that order."""
        at = np.asarray(index, dtype=np.int64)
        return replace(self, patients=self.patients.take(at), pooled=tuple(self.pooled[i] for i in at))


def cohort_of_folder(folder: FeatureFolder) -> LampCohort:
    """All patients of a folder; their ids are the digests of their contents.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``; ``NO_USABLE_PATIENT`` where none has a lesion.
    """
    return _cohort(folder.source, folder.patients(), {})


def cohort_of_patients(folder: FeatureFolder, patients: Patients) -> LampCohort:
    """The patients of a cohort whose features the folder holds, with the cohort's own ids, outcomes and measures.

    Raises:
        NotComputable: as :func:`cohort_of_folder`.
    """
    place = {content: at for at, content in enumerate(patients.contents)}
    found = [folder.read(content) for content in patients.contents if content in folder]
    source = replace(folder.source, cohort=patients.cohort, virtual=patients.virtual)
    told = [
        replace(
            one,
            centre=patients.centres[place[one.content]],
            clinical=patients.clinical[place[one.content]],
            pet=patients.pet[place[one.content]],
            outcomes={endpoint: patients.outcomes[endpoint][place[one.content]] for endpoint in ENDPOINTS},
        )
        for one in found
    ]
    return _cohort(source, told, dict(zip(patients.contents, patients.ids, strict=True)))


def _cohort(source: FeatureSource, found: Sequence[FeaturePatient], ids: Mapping[str, str]) -> LampCohort:
    kept = [one for one in found if len(one.pooled.lesions)]
    if not kept:
        raise NotComputable("NO_USABLE_PATIENT", f"none of {len(found)} patients has a lesion and its features")
    patients = Patients(
        cohort=source.cohort,
        virtual=source.virtual,
        ids=tuple(ids.get(one.content, one.content) for one in kept),
        contents=tuple(one.content for one in kept),
        centres=tuple(one.centre for one in kept),
        clinical=tuple(one.clinical for one in kept),
        pet=tuple(one.pet for one in kept),
        outcomes={endpoint: tuple(one.outcomes[endpoint] for one in kept) for endpoint in ENDPOINTS},
    )
    return LampCohort(patients, tuple(one.pooled for one in kept), source, len(found) - len(kept))
