"""Virtual patients become pooled features: accepted lesions only, with what is true beside, and none made twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.learner import Asked, Learned
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.feature_folder import FeatureSource
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.pooled import FEATURES, PooledFeatures
from lymphoma.prognosis.system import StudyArrays
from lymphoma.segmentation.delineation import Candidate, Delineation
from lymphoma.segmentation.features import Seen, write_features
from lymphoma.segmentation.thresholds import threshold_segmenter
from lymphoma.segmentation.virtual_studies import accepted_part
from lymphoma.segmentation.way import Tools
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.protocol import training_grid
from lymphoma.simulation.scan import PLAIN
from lymphoma.simulation.sets import PatientSet
from lymphoma.training.bundle import Bundle

pytestmark = pytest.mark.unit

MEMBERS = PatientSet("few", 5_300_000, 2, "images", PLAIN, "a test")
COARSE = training_grid(8.0)
SOURCE = FeatureSource("few", True, "ab" * 32, ("liver",), "suv4, the second part to be confirmed")


@dataclass
class Drawer:
    """SUV 4 with the second largest part to be confirmed, and features that tell the number of a lesion."""

    calls: list[int] = field(default_factory=list)
    name: str = "drawer"
    description: str = "for a test"
    min_volume_ml: float = 3.0
    connectivity: int = 26
    needs_organs: bool = False
    fails: bool = False

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        self.calls.append(1)
        if self.fails:
            raise NotComputable("TOO_MANY_LESIONS", "more than can be judged")
        plain = threshold_segmenter("suv4").segment(suv, ct_hu, anatomy).lesion_map
        count = int(plain.array.max())
        judged = tuple(
            Candidate(n, n, "to_confirm" if n == 2 else "accepted", 0.5, None, 5.0, 6.0, (0.0, 0.0, 0.0))
            for n in range(1, count + 1)
        )
        rows = np.repeat(np.arange(1, count + 1, dtype=np.float32)[:, None], FEATURES, axis=1)
        organs = np.zeros((1, FEATURES), dtype=np.float32)
        pooled = PooledFeatures(SOURCE.network, rows, organs, np.array([True]), SOURCE.organ_names)
        return Delineation(plain, judged, plain, pooled=pooled)


def test_a_set_becomes_a_folder_and_is_not_made_twice(tmp_path: Path) -> None:
    drawer = Drawer()
    seen = Seen(Tools(drawn_by=drawer), SOURCE)
    folder = write_features(MEMBERS, seen, tmp_path / "f", protocol=COARSE).features
    assert len(folder) == 2
    write_features(MEMBERS, seen, tmp_path / "f", protocol=COARSE)
    assert len(drawer.calls) == 2
    for patient in folder.patients():
        numbers = patient.pooled.lesions[:, 0].astype(int).tolist()
        assert 2 not in numbers
        assert patient.pet.lesion_count == len(numbers) > 0
        assert patient.truth is not None
        truth = FeatureTable.load(BytesIO(patient.truth))
        assert truth.patient_ids[0].startswith("NODAL-V-53000")
        assert patient.outcomes["pfs"] is not None
        assert patient.outcomes["os"] is not None


def test_a_patient_who_cannot_be_seen_is_passed_over_once(tmp_path: Path) -> None:
    drawer = Drawer(fails=True)
    seen = Seen(Tools(drawn_by=drawer), SOURCE)
    for _ in range(2):
        folder = write_features(MEMBERS, seen, tmp_path / "f", protocol=COARSE).features
    assert len(drawer.calls) == 2
    assert len(folder) == 0
    assert set(folder.passed_over.values()) == {"TOO_MANY_LESIONS"}


def test_lesions_that_count_are_numbered_anew() -> None:
    labels = Volume(np.array([[[0, 1, 2, 3, 3]]], dtype=np.uint16), np.eye(4))
    judged = tuple(
        Candidate(n, n, status, 0.5, None, 1.0, 5.0, (0.0, 0.0, 0.0))
        for n, status in ((1, "to_confirm"), (2, "accepted"), (3, "accepted"))
    )
    rows = np.arange(3, dtype=np.float32)[:, None] * np.ones((1, FEATURES), dtype=np.float32)
    organs = np.zeros((0, FEATURES), dtype=np.float32)
    pooled = PooledFeatures("n", rows, organs, np.zeros(0, dtype=bool), ())
    lesions, kept = accepted_part(Delineation(labels, judged, labels, pooled=pooled))
    assert lesions.array.ravel().tolist() == [0, 0, 1, 2, 2]
    assert kept is not None
    assert kept.lesions[:, 0].tolist() == [1.0, 2.0]
    assert accepted_part(Delineation(labels))[1] is None


@dataclass
class Reader:
    """Reads the SUV of a study; one that is too hot it cannot read."""

    most_suv: float
    name: str = "multitask_unet"
    way: str = "largest SUV"

    def inputs(self, study: StudyArrays) -> Arrays:
        if study.suv.array.max() > self.most_suv:
            raise NotComputable("OUTSIDE_FIELD", "too hot")
        return {"suv_max": study.suv.array.max()[None], "lesions": np.unique(study.lesion_map.array)}

    def learn(self, cohort: InputCohort, out: Path, asked: Asked, progress: Progress | None = None) -> Learned:
        raise NotImplementedError

    def scores(self, bundle: Bundle, cohort: InputCohort) -> dict[str, np.ndarray]:
        raise NotImplementedError


def test_a_further_system_reads_the_same_patients_in_the_same_pass(tmp_path: Path) -> None:
    drawer = Drawer()
    seen = Seen(Tools(drawn_by=drawer), SOURCE)
    write_features(MEMBERS, seen, tmp_path / "f", protocol=COARSE)
    cold, hot = Reader(1e6), Reader(1.0, name="deepmts")
    kept = write_features(
        MEMBERS, seen, tmp_path / "f", learners={"multitask_unet": cold, "deepmts": hot}, protocol=COARSE
    )
    read, refused = kept.inputs["multitask_unet"][1], kept.inputs["deepmts"][1]
    assert read.contents == kept.features.contents
    assert set(refused.passed_over.values()) == {"OUTSIDE_FIELD"}
    assert len(drawer.calls) == 4
    for content in read.contents:
        known = read.known(content)
        assert known.arrays["lesions"].tolist() == list(range(known.pet.lesion_count + 1))
        assert known.truth is not None
    write_features(MEMBERS, seen, tmp_path / "f", learners={"multitask_unet": cold, "deepmts": hot}, protocol=COARSE)
    assert len(drawer.calls) == 4
