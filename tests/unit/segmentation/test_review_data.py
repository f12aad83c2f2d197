"""Candidates of known nature: what counts as lesion, as spill-out and as healthy; and a command that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES
from lymphoma.segmentation.fit_review import figures_on, learn
from lymphoma.segmentation.review_data import KnownCandidates, known_candidates, review_cohort, stacked
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.cache import DiskCache
from lymphoma.training.case import Case, Subject

pytestmark = pytest.mark.unit

SHAPE = (24, 24, 40)
EDGE_MM = 4.0
VOXEL_ML = EDGE_MM**3 / 1000


def volume(array: npt.NDArray[np.generic]) -> Volume:
    return Volume(array, np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0]))


def subject(name: str) -> Subject:
    return Subject(name, "virtual", ClinicalFactors(), None, None, f"content of {name}")


def case(name: str = "one") -> tuple[Case, Anatomy]:
    """A block of SUV 8 of which the middle is lesion, and another that is healthy."""
    suv, lesions = np.ones(SHAPE, dtype=np.float32), np.zeros(SHAPE, dtype=np.uint16)
    suv[6:16, 6:16, 4:14], suv[6:16, 6:16, 24:34] = 8.0, 9.0
    lesions[9:13, 9:13, 7:9], lesions[9:13, 9:13, 9:11] = 1, 2
    lesions[0, 0, 0] = 3  # a lesion that is not avid
    organs = np.zeros(SHAPE, dtype=np.uint8)
    organs[6:16, 6:16, 24:34] = 1
    anatomy = Anatomy("given", volume(organs), {1: "urinary_bladder"})
    return Case(subject(name), volume(suv), volume(suv * 0), volume(lesions), anatomy), anatomy


def test_voxels_near_a_lesion_are_neither_lesion_nor_healthy() -> None:
    one, anatomy = case()
    known = known_candidates(one, anatomy, None)
    assert known.network is None
    np.testing.assert_allclose(known.volume_ml, [1000 * VOXEL_ML] * 2)
    mixed = int(np.argmax(known.lesion_ml))
    np.testing.assert_allclose(known.lesion_ml[mixed], 64 * VOXEL_ML)
    np.testing.assert_allclose(known.met_ml[mixed], [32 * VOXEL_ML, 32 * VOXEL_ML, 0])
    # of the block's 1000 voxels, those within two voxels of the lesion are its spill-out
    away = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1)
    low, high = np.array([9, 9, 7]), np.array([12, 12, 10])
    beyond = np.linalg.norm(np.maximum(np.maximum(low - away, away - high), 0), axis=-1) > 2.0
    block = np.zeros(SHAPE, dtype=bool)
    block[6:16, 6:16, 4:14] = True
    np.testing.assert_allclose(known.other_ml[mixed], (block & beyond).sum() * VOXEL_ML)
    np.testing.assert_allclose(known.other_ml[1 - mixed], 1000 * VOXEL_ML)
    assert known.lesion_share[1 - mixed] == 0.0
    assert 0 < known.lesion_share[mixed] < 1


def test_a_case_without_a_reference_teaches_nothing() -> None:
    one, anatomy = case()
    with pytest.raises(NotComputable, match="REFERENCE_MISSING"):
        known_candidates(Case(one.subject, one.suv, one.ct_hu, None, anatomy), anatomy, None)


@dataclass
class Few:
    """Three patients; counts how often one is made."""

    name: str = "few"
    virtual: bool = True
    loaded: list[str] = field(default_factory=list)

    @property
    def subjects(self) -> Sequence[Subject]:
        return tuple(subject(name) for name in "abc")

    def load(self, wanted: Subject) -> Case:
        self.loaded.append(wanted.patient_id)
        return case(wanted.patient_id)[0]


@dataclass
class Given:
    name: str = "given"

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        return case()[1]


@dataclass
class Flat:
    digest: str = "flat"

    def probability(self, suv: Volume, ct_hu: Volume) -> npt.NDArray[np.float32]:
        return np.full(SHAPE, 0.25, dtype=np.float32)


def test_patients_that_were_seen_are_not_made_again(tmp_path: Path) -> None:
    cohort, cache, told = Few(), DiskCache(tmp_path, 10_000_000), []
    first = review_cohort(cohort, Given(), "x", Flat(), cache, lambda done, of: told.append((done, of)))
    assert cohort.loaded == ["a", "b", "c"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    next(tmp_path.glob("*.safetensors")).unlink()
    again = review_cohort(cohort, Given(), "x", Flat(), cache)
    assert len(cohort.loaded) == 4  # only the one whose entry is gone
    for one, other in zip(first, again, strict=True):
        assert one.network is not None
        assert other.network is not None
        np.testing.assert_array_equal(one.network, other.network)
        np.testing.assert_array_equal(one.plain, other.plain)
        np.testing.assert_array_equal(one.met_ml, other.met_ml)
    assert first[0].features(NETWORK_FEATURES)[:, 0] == pytest.approx(0.25)
    # other organs, another network: other candidates
    review_cohort(cohort, Given(), "y", Flat(), cache)
    review_cohort(cohort, Given(), "x", None, cache)
    assert len(cohort.loaded) == 10


def test_spill_out_alone_is_not_learnt_from() -> None:
    one, anatomy = case()
    known = known_candidates(one, anatomy, None)
    blank = KnownCandidates(
        known.plain, None, known.volume_ml, 0 * known.lesion_ml, np.array([0.0, 5.0]), 0 * known.met_ml
    )
    values, share, _, patient = stacked([known, blank], PLAIN_FEATURES)
    assert (len(values), len(share), patient.tolist()) == (3, 3, [0.0, 0.0, 1.0])


def test_learning_gives_figures_of_both_models_and_judges_others() -> None:
    rng = np.random.default_rng(1)

    def drawn() -> KnownCandidates:
        share = (rng.random(14) < 0.5).astype(float)
        plain = rng.normal(size=(14, len(PLAIN_FEATURES)))
        network = rng.normal(size=(14, len(NETWORK_FEATURES))) + share[:, None]
        volume_ml = rng.uniform(3, 30, 14)
        lesion = share * volume_ml
        return KnownCandidates(plain, network, volume_ml, lesion, volume_ml - lesion, lesion[:, None])

    reviewer, figures = learn([drawn() for _ in range(20)])
    assert set(figures) == {"with_network", "without_network"}
    assert figures["with_network"].patients == 20
    fresh = figures_on([drawn() for _ in range(20)], reviewer)
    seen, unseen = fresh["with_network"].brier, fresh["without_network"].brier
    assert seen is not None
    assert unseen is not None
    # nothing but the network tells them here: without it no better than a coin
    assert seen < 0.15 < 0.22 < unseen
