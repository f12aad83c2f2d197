"""Acceptances at image level: over-calls, candidates, recovery of volume, organs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lymphoma.lesions import label_lesions
from lymphoma.simulation import VirtualPatient
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.sites import ORGANS
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from tests.acceptance.report import Check, between

__all__ = [
    "ORGAN_TARGETS",
    "Candidates",
    "OrganTarget",
    "candidate_checks",
    "find_candidates",
    "organ_checks",
    "recovery",
]

Floats = npt.NDArray[np.float64]
SUV, LEAST_ML = 4.0, 3.0


@dataclass(frozen=True)
class OrganTarget:
    """Published or assumed mean and SD of SUV, and the range of CT numbers; None where there is no figure."""

    organ: str
    suv_mean: float | None
    suv_sd: float | None
    hu: tuple[float, float] | None


ORGAN_TARGETS = (
    OrganTarget("liver", 2.17, 0.44, (45, 65)),
    OrganTarget("aorta", 1.55, 0.38, (30, 65)),
    OrganTarget("spleen", 1.8, 0.35, (40, 60)),
    OrganTarget("tonsil", 3.45, 1.4, (30, 60)),
    OrganTarget("muscle", 0.7, 0.15, (10, 60)),
    OrganTarget("lung_left", 0.45, 0.15, (-870, -700)),
    OrganTarget("lung_right", 0.45, 0.15, (-870, -700)),
    OrganTarget("pancreas", 1.5, 0.3, None),
    OrganTarget("parotid", 1.8, 0.6, None),
    OrganTarget("kidney_left", 3.0, 1.0, (20, 45)),
    OrganTarget("kidney_right", 3.0, 1.0, (20, 45)),
    OrganTarget("vertebrae", 1.3, 0.35, None),
)
"""Liver, blood pool and tonsil are published; the others are the generator's assumptions."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Components of SUV 4 and more of at least 3 mL in one patient, shape (n,) each; n may be 0.

    Attributes:
        height: of the centre, share of the field of view. lesion: half of its voxels or more are lesion.
        physiological_share: of all candidate volume; NaN without a candidate.
    """

    suv_max: Floats
    volume_ml: Floats
    height: Floats
    lesion: npt.NDArray[np.bool_]
    physiological_share: float


def find_candidates(patient: VirtualPatient) -> Candidates:
    """What a plain threshold gives."""
    suv = patient.pet_suv.array
    labels = label_lesions(suv >= SUV, patient.pet_suv.voxel_volume_ml, LEAST_ML)
    index = np.arange(1, int(labels.max()) + 1)
    if not len(index):
        return Candidates(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool), np.nan)
    there = patient.lesion_map.array > 0
    centre = np.array(ndimage.center_of_mass(labels > 0, labels, index))
    return Candidates(
        suv_max=np.asarray(ndimage.maximum(suv, labels, index), dtype=np.float64),
        volume_ml=np.asarray(ndimage.sum_labels(labels > 0, labels, index)) * patient.pet_suv.voxel_volume_ml,
        height=centre[:, 0] / suv.shape[0],
        lesion=np.asarray(ndimage.mean(there, labels, index)) >= 0.5,
        physiological_share=float(np.mean(~there[labels > 0])),
    )


def candidate_checks(patients: Sequence[Candidates]) -> tuple[list[Check], Floats, npt.NDArray[np.bool_]]:
    """Share of over-calls, and what a classifier knows from SUVmax, volume and height; its scores and the truth."""
    shares = np.array([one.physiological_share for one in patients])
    checks = [between("physiological share of candidate volume", np.nanmean(shares), 0.30, 0.90, len(shares))]
    features = np.concatenate([np.column_stack((one.suv_max, one.volume_ml, one.height)) for one in patients])
    truth = np.concatenate([one.lesion for one in patients])
    owner = np.repeat(np.arange(len(patients)), [len(one.lesion) for one in patients])
    forest = RandomForestClassifier(300, min_samples_leaf=5, random_state=0)
    folds = GroupKFold(min(5, len(patients)))
    scores = cross_val_predict(forest, features, truth, groups=owner, cv=folds, method="predict_proba")[:, 1]
    auc = roc_auc_score(truth, scores)
    checks.append(between("AUC of SUVmax, volume and height for lesions", auc, None, 0.95, len(truth)))
    checks.append(between("share of candidates that are lesions", truth.mean(), None, None, len(truth)))
    return checks, np.asarray(scores), truth


def recovery(patient: VirtualPatient) -> tuple[Floats, Floats]:
    """Planned volume of each lesion and what SUV 4 finds of it on the noise-free PET, one voxel around it, mL."""
    noise_free, labels = patient.pet_noise_free.array, patient.lesion_map.array.astype(np.int32)
    wide = ndimage.grey_dilation(labels, size=(3, 3, 3))
    # organs next to a lesion are not its volume
    own = np.where((labels > 0) | (patient.organs.array == 0), np.where(labels > 0, labels, wide), 0)
    numbers = [truth.number for truth in patient.lesions]
    found = ndimage.sum_labels(noise_free >= SUV, own, numbers) * patient.pet_suv.voxel_volume_ml
    return np.array([truth.volume_ml for truth in patient.lesions]), np.atleast_1d(np.asarray(found))


def organ_checks(table: FeatureTable) -> list[Check]:
    """Means over patients beside the targets; partial volume lowers small and thin organs, so they inform only."""
    checks = []
    names = [organ.name for organ in ORGANS]
    for target in ORGAN_TARGETS:
        column = names.index(target.organ)
        suv, hu = table.organs.suv_mean[:, column], table.organs.hu_mean[:, column]
        n = int(np.isfinite(suv).sum())
        strict = target.organ in ("liver", "aorta")
        if target.suv_mean is not None and target.suv_sd is not None:
            reach = target.suv_sd if strict else None
            least = None if reach is None else target.suv_mean - reach / 2
            most = None if reach is None else target.suv_mean + reach / 2
            name = f"{target.organ}: mean SUV (target {target.suv_mean} +- {target.suv_sd})"
            checks.append(between(name, float(np.nanmean(suv)), least, most, n))
            checks.append(between(f"{target.organ}: SD of SUV", float(np.nanstd(suv)), None, None, n))
        if target.hu is not None:
            name = f"{target.organ}: mean HU (target {target.hu[0]} to {target.hu[1]})"
            low, high = target.hu if strict else (None, None)
            checks.append(between(name, float(np.nanmean(hu)), low, high, n))
    return checks
