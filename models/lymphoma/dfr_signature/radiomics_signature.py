"""What the paper sets beside its signature: those of the CT and of the PET alone, and of traditional radiomics.

All go the same way, from their features through repeatability, z-score, mutual information and the first ten to the
stack of learners. The radiomics are the 1,456 features of the shared room on PET and CT, of all accepted lesions
together [A: the paper does not say which, or how many].
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lymphoma.dfr_signature.backbones import Backbone
from lymphoma.dfr_signature.combined import OutOfFoldScore
from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.contours import perturbed
from lymphoma.dfr_signature.features import DeepFeatures, kept_features
from lymphoma.dfr_signature.fit import chances_over_folds, score_name
from lymphoma.dfr_signature.inputs import DRAWN, InputSettings, contours_of
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays
from lymphoma.radiomics import NAMES, TOO_SMALL, RadiomicsSettings, extract
from lymphoma.survival.follow_up import Floats, Ints
from lymphoma.training.folds import Folds

__all__ = [
    "ARRAY",
    "VARIANTS",
    "Variant",
    "complete_rows",
    "radiomics_features",
    "radiomics_of",
    "variant_features",
    "variant_name",
    "variant_scores",
]

Variant = Literal["fused", "ct", "pet", "radiomics"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
ARRAY = "radiomics"
"""Name of the (contours, 1456) array in a folder of inputs."""


def variant_name(variant: Variant, endpoint: Endpoint) -> str:
    """Of a score: the signature's own, or ``dfr_ct_pfs``, ``dfr_pet_pfs``, ``dfr_radiomics_pfs``."""
    return score_name(endpoint) if variant == "fused" else f"dfr_{variant}_{endpoint}"


def radiomics_of(
    study: StudyArrays, settings: InputSettings | None = None, radiomics: RadiomicsSettings | None = None
) -> Arrays:
    """Radiomics of the accepted lesions together, by the drawn contour and the perturbed ones: float64 (contours, 1456)
    as :data:`ARRAY`; a row of NaN where a contour is too small to have any.

    Raises:
        NotComputable: ``VALUES_NOT_FINITE``.
    """
    settings, radiomics = settings or InputSettings(), radiomics or RadiomicsSettings()
    numbers = np.where(study.counted, study.lesion_map.array, 0).astype(np.int32)
    lesions = study.lesion_map.with_array(numbers)
    regions = [lesions, *(perturbed(lesions, how) for how in settings.perturbed)]
    found = []
    for region in regions:
        try:
            found.append(extract(study.suv, study.ct_hu, region, radiomics, workers=1).values)
        except NotComputable as fault:
            if fault.code != TOO_SMALL:
                raise
            found.append(np.full(len(NAMES), np.nan))
    return {ARRAY: np.array(found, dtype=np.float64)}


def radiomics_features(cohort: InputCohort, settings: InputSettings) -> DeepFeatures:
    """Radiomics of a cohort's patients as features of a signature; their ``backbone`` names how they were made.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``: the inputs hold none, or of other contours.
    """
    contours = contours_of(settings)
    assert contours[0] == DRAWN
    found = []
    for at in range(len(cohort)):
        values = cohort.read(at).get(ARRAY)
        if values is None or values.shape != (len(contours), len(NAMES)):
            raise NotComputable("FEATURES_UNREADABLE", "a patient has no radiomics of these contours")
        found.append(values)
    values = np.array(found, dtype=np.float64).transpose(1, 0, 2)
    way = hashlib.sha256(f"radiomics; {cohort.folder.source.way}".encode()).hexdigest()
    return DeepFeatures(values[0], values[1:], way)


def variant_features(
    cohort: InputCohort, backbone: Backbone, config: DfrConfig, folder: Path, progress: Progress | None = None
) -> dict[Variant, DeepFeatures]:
    """Features of the fused image, the CT and the PET by one network, and radiomics where the inputs hold them.

    Args:
        folder: where deep features are kept. progress: called with (patients done, patients in all), each image anew.
    """
    found: dict[Variant, DeepFeatures] = {
        "fused": kept_features(cohort, backbone, replace(config, image="fused"), folder, progress),
        "ct": kept_features(cohort, backbone, replace(config, image="ct"), folder, progress),
        "pet": kept_features(cohort, backbone, replace(config, image="pet"), folder, progress),
    }
    if len(cohort) and ARRAY in cohort.read(0):
        found["radiomics"] = radiomics_features(cohort, config.inputs)
    return found


def complete_rows(features: Mapping[Variant, DeepFeatures]) -> Ints:
    """Patients all of whose features are known: who is too small for radiomics takes no part in any comparison."""
    known = [
        np.isfinite(one.drawn).any(axis=1) & np.isfinite(one.repeats).any(axis=2).all(axis=0)
        for one in features.values()
    ]
    return np.flatnonzero(np.logical_and.reduce(known)).astype(np.int64)


def variant_scores(
    patients: Patients,
    endpoint: Endpoint,
    features: Mapping[Variant, DeepFeatures],
    config: DfrConfig,
    folder: Path,
    *,
    folds: Folds | None = None,
    progress: Progress | None = None,
) -> OutOfFoldScore:
    """Out-of-fold chances of every variant over the same folds of the same patients, as
    :func:`lymphoma.dfr_signature.combined.fit_combined_model` takes them.

    Args:
        features: of ``patients``, in their order. folder: of one cohort and configuration; folds that are done stay
            there. folds: by patient id; None makes ``config.folds`` of them.
        progress: called with (signatures fitted, signatures in all).

    Raises:
        NotComputable: as :func:`lymphoma.dfr_signature.fit.fit_once`; ``FOLDS_IMPOSSIBLE``.
        ValueError: features of other patients.
    """
    if any(len(one) != len(patients) for one in features.values()):
        raise ValueError("features of other patients")
    index = np.intersect1d(patients.known(endpoint), complete_rows(features))
    follow_up = patients.follow_up(endpoint, index)
    split = folds or folds_of(patients, index, config.folds, config.seed, endpoint)
    parts = held_out(split, [patients.ids[at] for at in index])
    values: dict[str, Floats] = {}
    for number, (variant, own) in enumerate(features.items()):

        def tell(done: int, of: int, before: int = number) -> None:
            if progress is not None:
                progress(before * of + done, len(features) * of)

        name = variant_name(variant, endpoint)
        values[name] = chances_over_folds(own.take(index), follow_up, parts, config, folder, name, tell)
    return OutOfFoldScore(index, parts, values)
