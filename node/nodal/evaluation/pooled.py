"""A cohort folder as the patients that LAMP learns from: pooled features of every study, made once.

``features/`` in the cohort's folder is used where it is there, such as one that was made elsewhere; else the features
are made here, with the lesion network and the anatomy engine of the settings, and kept beside the cohort.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.lamp.patients import LampCohort, cohort_of_patients
from lymphoma.prognosis.feature_folder import FeatureFolder, FeaturePatient, FeatureSource
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.prognosis.system import StudyArrays

from nodal.errors import Code, Failed
from nodal.evaluation.studies import CohortStudies, Progress
from nodal.settings import Settings

__all__ = ["GIVEN", "KEPT", "pooled_cohort"]

GIVEN, KEPT = "features", ".nodal-features"


def pooled_cohort(folder: Path, patients: Patients, settings: Settings, progress: Progress | None = None) -> LampCohort:
    """The patients with at least one lesion, and their features.

    A study with a contour is pooled over its lesions; any other is delineated as the settings say, and its accepted
    lesions are taken. A study that cannot be is passed over.

    Raises:
        Failed: NOT_INSTALLED without a lesion network. NotComputable: FEATURES_UNREADABLE; BUNDLE_MISMATCH where kept
            features are of another network or way; NO_USABLE_PATIENT.
    """
    if (folder / GIVEN).is_dir():
        return cohort_of_patients(FeatureFolder.open(folder / GIVEN), patients)
    studies = CohortStudies.open(folder, patients, settings)
    network = studies.tools.network
    if network is None:
        raise Failed(Code.NOT_INSTALLED, "LAMP reads features of the lesion network, and no bundle of it is installed")
    source = FeatureSource(patients.cohort, patients.virtual, network.digest, network.organ_names, studies.way)
    kept = FeatureFolder.make(folder / KEPT, source)

    def see(at: int, study: StudyArrays) -> None:
        kept.add(
            FeaturePatient(
                patients.contents[at],
                patients.centres[at],
                patients.clinical[at],
                patients.pet[at],
                studies.outcomes(at),
                _pooled(study),
            )
        )

    studies.each(kept.lacks, see, kept.pass_over, progress)
    return cohort_of_patients(kept, patients)


def _pooled(study: StudyArrays) -> PooledFeatures:
    """Features of the lesions that count."""
    if study.pooler is None:
        raise NotComputable("NOT_INSTALLED", "no lesion network is installed")
    pooled = study.pooler.pool(study.lesion_map)
    lesions = pooled.lesions
    if study.accepted is not None:
        lesions = lesions[np.array(study.accepted, dtype=np.int64) - 1]
    return replace(pooled, lesions=lesions, lesion_map="", whole_organs=None, organ_voxels=None)
