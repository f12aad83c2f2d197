"""A cohort folder as the patients that LAMP learns from: pooled features of every study, made once.

``features/`` in the cohort's folder is used where it is there, such as one that was made elsewhere; else the features
are made here, with the lesion network and the anatomy engine of the settings, and kept beside the cohort.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.imaging.volume import Volume
from lymphoma.lamp.patients import LampCohort, cohort_of_patients
from lymphoma.prognosis.feature_folder import FeatureFolder, FeaturePatient, FeatureSource
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.segmentation.features import accepted_part
from lymphoma.segmentation.pooling import StudyPooler
from lymphoma.segmentation.way import delineate

from nodal.cohort.examine import reference_of
from nodal.cohort.folder import FolderCohort, read_cohort
from nodal.cohort.images import StudyImages, read_images
from nodal.errors import Code, Failed, Refused
from nodal.jobs.tools import NodeTools, open_tools
from nodal.prognosis.shelf import open_shelf
from nodal.settings import Settings

__all__ = ["GIVEN", "KEPT", "pooled_cohort"]

GIVEN, KEPT = "features", ".nodal-features"

Progress = Callable[[int, int], None]


def pooled_cohort(folder: Path, patients: Patients, settings: Settings, progress: Progress | None = None) -> LampCohort:
    """The patients with at least one lesion, and their features.

    A study with a contour is pooled over its lesions; any other is delineated as the settings say, and its accepted
    lesions are taken. A study that cannot be is passed over.

    Args:
        progress: called with (studies seen, studies in all).

    Raises:
        Failed: NOT_INSTALLED without a lesion network. NotComputable: FEATURES_UNREADABLE; BUNDLE_MISMATCH where kept
            features are of another network or way; NO_USABLE_PATIENT.
    """
    if (folder / GIVEN).is_dir():
        return cohort_of_patients(FeatureFolder.open(folder / GIVEN), patients)
    tools = open_tools(settings, open_shelf(settings))
    if tools.network is None:
        raise Failed(Code.NOT_INSTALLED, "LAMP reads features of the lesion network, and no bundle of it is installed")
    way = f"{tools.tools.drawn_by.description}; {tools.content[:16]}"
    network = tools.network
    source = FeatureSource(patients.cohort, patients.virtual, network.digest, network.organ_names, way)
    kept = FeatureFolder.make(folder / KEPT, source)
    _make(kept, read_cohort(folder, settings), patients, settings, tools, progress or (lambda done, of: None))
    return cohort_of_patients(kept, patients)


def _make(
    kept: FeatureFolder,
    cohort: FolderCohort,
    patients: Patients,
    settings: Settings,
    tools: NodeTools,
    tell: Progress,
) -> None:
    """Adds the features of every patient that the folder does not hold yet."""
    place = {content: at for at, content in enumerate(patients.contents)}
    for done, subject in enumerate(cohort.subjects, start=1):
        content = subject.content
        if content in place and content not in kept and content not in kept.passed_over:
            try:
                images = read_images(cohort.sources[subject.patient_id].study, settings)
                contour = reference_of(cohort.sources[subject.patient_id], images)[0]
                pooled = _pooled(images, contour, tools)
                at = place[content]
                outcomes = {endpoint: patients.outcomes[endpoint][at] for endpoint in ENDPOINTS}
                kept.add(
                    FeaturePatient(
                        content, patients.centres[at], patients.clinical[at], patients.pet[at], outcomes, pooled
                    )
                )
            except (NotComputable, Refused) as fault:
                kept.pass_over(content, str(fault.code))
        tell(done, len(cohort.subjects))


def _pooled(images: StudyImages, contour: Volume | None, tools: NodeTools) -> PooledFeatures:
    """Features of the lesions of a contour, or of those that are accepted."""
    if contour is None or tools.network is None:
        return accepted_part(delineate(images.suv, images.ct_hu, tools.tools).delineation)[1]
    anatomy = tools.tools.anatomy.find(images.suv, images.ct_hu)
    crop = tools.network.crop(images.suv, images.ct_hu)
    return replace(StudyPooler(tools.network, crop, anatomy).pool(contour), whole_organs=None, organ_voxels=None)
