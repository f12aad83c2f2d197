"""The candidates of patients whose lesions are known: what the reviewer learns from and is judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy import classes, physiological
from lymphoma.anatomy.organs import Anatomy, AnatomyEngine
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation import candidates as candidates_module
from lymphoma.segmentation import describe as describe_module
from lymphoma.segmentation.candidates import find_candidates
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES, describe
from lymphoma.training.cache import DiskCache, Entry, code_digest
from lymphoma.training.case import Case, Cohort

__all__ = ["SPILL_MM", "KnownCandidates", "Looker", "known_candidates", "review_cohort", "stacked"]

Floats = npt.NDArray[np.float64]

SPILL_MM = 8.0
"""A voxel over SUV 4 this near to a lesion is taken for the lesion's spill-out: neither lesion nor healthy uptake.
Truth of generator A is the lesion before the scanner's blur."""
_CODE: tuple[ModuleType, ...] = (candidates_module, describe_module, classes, physiological)


class Looker(Protocol):
    """Gives the lesion probability of a scan on the PET's grid."""

    @property
    def digest(self) -> str: ...

    def probability(self, suv: Volume, ct_hu: Volume) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class KnownCandidates:
    """The candidates of one patient.

    Attributes:
        plain, network: as in :class:`lymphoma.segmentation.describe.Description`; ``network`` None without one.
        volume_ml, lesion_ml, other_ml: of each candidate, in true lesions, and far from every lesion; shape (n,).
        met_ml: what each candidate holds of each true lesion, shape (n, lesions).
    """

    plain: Floats
    network: Floats | None
    volume_ml: Floats
    lesion_ml: Floats
    other_ml: Floats
    met_ml: Floats

    def __len__(self) -> int:
        return len(self.volume_ml)

    @property
    def told_ml(self) -> Floats:
        """Volume of each candidate that is either lesion or healthy, shape (n,)."""
        return self.lesion_ml + self.other_ml

    @property
    def lesion_share(self) -> Floats:
        """What a candidate is: lesion's share of ``told_ml``; spill-out alone counts as none. Shape (n,)."""
        return np.asarray(self.lesion_ml / np.maximum(self.told_ml, 1e-9))

    def features(self, names: tuple[str, ...]) -> Floats:
        """Columns by name, shape (n, names).

        Raises:
            ValueError: features of a network that did not look.
        """
        held = self.plain if self.network is None else np.concatenate([self.plain, self.network], axis=1)
        known = PLAIN_FEATURES if self.network is None else (*PLAIN_FEATURES, *NETWORK_FEATURES)
        return held[:, [known.index(name) for name in names]]


def known_candidates(case: Case, anatomy: Anatomy, probability: npt.NDArray[np.float32] | None) -> KnownCandidates:
    """The candidates of one case, with what each truly is.

    Args:
        anatomy: the organs as an engine finds them on this case, not the true ones. probability: of the lesion
            network on the case's grid; None where there is none.

    Raises:
        NotComputable: REFERENCE_MISSING, no lesion map to compare with.
    """
    if case.lesions is None:
        raise NotComputable("REFERENCE_MISSING", "a case without a lesion map cannot teach the reviewer")
    candidates = find_candidates(case.suv, anatomy)
    told = describe(case.suv, case.ct_hu, anatomy, candidates, probability)
    labels, lesions, voxel_ml = candidates.labels.array, case.lesions.array, case.suv.voxel_volume_ml
    count, true = len(candidates.parts), int(lesions.max(initial=0))
    inside = labels > 0
    pairs = labels[inside].astype(np.int64) * (true + 1) + lesions[inside]
    met = np.bincount(pairs, minlength=(count + 1) * (true + 1)).reshape(count + 1, true + 1)[1:, 1:] * voxel_ml
    far = np.bincount(labels[inside & ~_near(lesions > 0, case.suv)], minlength=count + 1)[1:] * voxel_ml
    volume_ml = np.array([part.volume_ml for part in candidates.parts])
    met_ml, far_ml = np.asarray(met, dtype=np.float64), np.asarray(far, dtype=np.float64)
    return KnownCandidates(told.plain, told.network, volume_ml, met_ml.sum(axis=1), far_ml, met_ml)


def review_cohort(
    cohort: Cohort,
    engine: AnatomyEngine,
    engine_digest: str,
    looker: Looker | None,
    cache: DiskCache,
    tell: Callable[[int, int], None] | None = None,
) -> tuple[KnownCandidates, ...]:
    """The candidates of every patient of a cohort; a patient that the cache holds is not made again.

    Args:
        engine_digest: of the weights of ``engine``. tell: called with (patients done, patients in all).
    """
    made = []
    for done, subject in enumerate(cohort.subjects, start=1):
        parts = (subject.content, engine_digest, looker.digest if looker is not None else "", code_digest(*_CODE))
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()

        def make(subject: Any = subject) -> Entry:
            case = cohort.load(subject)
            probability = None if looker is None else looker.probability(case.suv, case.ct_hu)
            return _entry(known_candidates(case, engine.find(case.suv, case.ct_hu), probability))

        made.append(_read(cache.get(key, make)))
        if tell is not None:
            tell(done, len(cohort.subjects))
    return tuple(made)


def _near(lesion: npt.NDArray[np.bool_], grid: Volume) -> npt.NDArray[np.bool_]:
    """Lesions and what lies within :data:`SPILL_MM` of them."""
    if not lesion.any():
        return lesion
    away_mm = ndimage.distance_transform_edt(~lesion, sampling=grid.spacing_mm[::-1])
    return np.asarray(away_mm <= SPILL_MM)


def _entry(one: KnownCandidates) -> Entry:
    arrays = {
        "plain": one.plain,
        "volume_ml": one.volume_ml,
        "lesion_ml": one.lesion_ml,
        "other_ml": one.other_ml,
        "met_ml": one.met_ml,
    }
    return Entry(arrays if one.network is None else {**arrays, "network": one.network})


def _read(entry: Entry) -> KnownCandidates:
    held = entry.arrays
    names = ("volume_ml", "lesion_ml", "other_ml", "met_ml")
    return KnownCandidates(held["plain"], held.get("network"), *(held[name] for name in names))


def stacked(patients: Sequence[KnownCandidates], features: tuple[str, ...]) -> tuple[Floats, Floats, Floats, Floats]:
    """Features, lesion shares, volumes in mL and number of the patient of all candidates that are told."""
    kept = [one.told_ml > 0 for one in patients]
    return (
        np.concatenate([one.features(features)[use] for one, use in zip(patients, kept, strict=True)]),
        np.concatenate([one.lesion_share[use] for one, use in zip(patients, kept, strict=True)]),
        np.concatenate([one.volume_ml[use] for one, use in zip(patients, kept, strict=True)]),
        np.concatenate([np.full(int(use.sum()), at, dtype=float) for at, use in enumerate(kept)]),
    )
