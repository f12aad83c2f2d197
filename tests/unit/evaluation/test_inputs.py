"""A cohort folder with images becomes the inputs of a system that learns from them, a bundle, and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.learner import Asked, Learned
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays
from lymphoma.training.bundle import Bundle
from nodal.evaluation import train as training_module
from nodal.evaluation.inputs import KEPT, inputs_of_cohort
from nodal.evaluation.patients import patients_of
from nodal.evaluation.train import Training, train
from nodal.settings import Settings

from tests.unit.cohort.fakes import HOT, cohort, mask, row, study, table

pytestmark = pytest.mark.unit

SETTINGS = Settings(anatomy={"engine": "none"})


class Asking(RuntimeError):
    """Carries what the room was asked for."""


@dataclass
class Reader:
    """Notes what it is shown; a patient whose lesion is small it cannot read."""

    least_voxels: int = 0
    name: str = "multitask_unet"
    way: str = "counts voxels"
    seen: list[StudyArrays] = field(default_factory=list)

    def inputs(self, study: StudyArrays) -> Arrays:
        self.seen.append(study)
        count = int((study.lesion_map.array > 0).sum())
        if count < self.least_voxels:
            raise NotComputable("OUTSIDE_FIELD", "too small")
        return {"voxels": np.array([count]), "suv_max": study.suv.array.max()[None]}

    def learn(self, cohort: InputCohort, out: Path, asked: Asked, progress: Progress | None = None) -> Learned:
        raise Asking(len(cohort), asked)

    def scores(self, bundle: Bundle, cohort: InputCohort) -> Mapping[str, np.ndarray]:
        raise NotImplementedError


def test_every_study_is_read_once_with_its_contour(tmp_path: Path) -> None:
    folder, reader = cohort(tmp_path, *"ABC"), Reader()
    patients = patients_of(folder, SETTINGS)
    found = inputs_of_cohort(folder, patients, reader, SETTINGS)
    assert found.patients.ids == ("A", "B", "C")
    assert [int(found.read(at)["voxels"][0]) for at in range(3)] == [int((mask(HOT).array > 0).sum())] * 3
    assert [one.accepted for one in reader.seen] == [None] * 3
    assert reader.seen[0].clinical == patients.clinical[0]
    assert reader.seen[0].pet == patients.pet[0]
    again = inputs_of_cohort(folder, patients, reader, SETTINGS)
    assert len(reader.seen) == 3
    assert again.read(1)["suv_max"].tolist() == found.read(1)["suv_max"].tolist()


def test_without_a_contour_lesions_are_those_of_the_settings(tmp_path: Path) -> None:
    cohort(tmp_path, "A")
    folder, reader = table(tmp_path, row("A", reference="")), Reader()
    inputs_of_cohort(folder, patients_of(folder, SETTINGS), reader, SETTINGS)
    drawn = reader.seen[0]
    assert drawn.accepted is not None
    hot = drawn.suv.array >= 4.0
    assert (drawn.lesion_map.array > 0)[hot].mean() > 0.9


def test_a_patient_the_system_cannot_read_is_passed_over_once(tmp_path: Path) -> None:
    cohort(tmp_path, *"AB")
    part = mask((slice(10, 12),) * 3)
    study(tmp_path / "studies/B", lesions=part, seed=2)
    folder = table(tmp_path, row("A"), row("B"))
    reader = Reader(least_voxels=int((part.array > 0).sum()) + 1)
    patients = patients_of(folder, SETTINGS)
    for _ in range(2):
        assert inputs_of_cohort(folder, patients, reader, SETTINGS).patients.ids == ("A",)
    assert len(reader.seen) == 2


def test_inputs_of_another_way_are_not_mixed(tmp_path: Path) -> None:
    folder = cohort(tmp_path, "A")
    patients = patients_of(folder, SETTINGS)
    inputs_of_cohort(folder, patients, Reader(), SETTINGS)
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        inputs_of_cohort(folder, patients, Reader(way="counts otherwise"), SETTINGS)
    assert (folder / KEPT / "multitask_unet").is_dir()


def test_the_room_is_asked_for_what_the_person_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cohort(tmp_path, *"AB")
    monkeypatch.setattr(training_module, "installed_learners", lambda: {"multitask_unet": Reader()})
    wanted = Training(
        "multitask_unet", folder, tmp_path / "made", "ours", ("os",), "terciles", 7, False, config=tmp_path / "t.yaml"
    )
    with pytest.raises(Asking) as caught:
        train(wanted, SETTINGS)
    patients, asked = caught.value.args
    assert patients == 2
    assert (asked.name, asked.endpoints, asked.rule, asked.seed) == ("ours", ("os",), "terciles", 7)
    assert (asked.keep_out_of_fold, asked.config, asked.generator) == (False, tmp_path / "t.yaml", None)
    assert "inside a contour" in asked.limits[0]
    assert asked.kept is not None
    assert asked.kept.parent == tmp_path
