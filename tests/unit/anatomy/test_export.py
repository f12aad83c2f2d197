"""The anatomy network as a bundle: from a hand-over to an engine that finds the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.export import LARGE_ORGANS, card_sentences, export_anatomy, log_volumes, volume_statistics
from lymphoma.anatomy.figures import Overlap, PatientResult, figures_of
from lymphoma.anatomy.network import AnatomyShape, build_network
from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.shipped import open_anatomy
from lymphoma.errors import BundleRefused, TrainingFailed
from lymphoma.imaging.volume import Volume
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.bundle import load_bundle
from lymphoma.training.case import Case, Subject
from lymphoma.training.command import NetworkPatients
from lymphoma.training.config import read_config
from lymphoma.training.legs import write_handover
from lymphoma.training.state import RunState
from lymphoma.training.statistics import RangeStatistics, fit_statistics

pytestmark = pytest.mark.unit

CONFIG = Path(build_network.__code__.co_filename).with_name("train.yaml")
TABLE = shipped_classes()


@pytest.fixture(scope="module")
def handover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(8)
    weights = build_network(AnatomyShape(), len(TABLE)).state_dict()
    state = RunState(step=1200, best_step=1000, best_metrics={"dice": 0.41, "dice_liver": 0.8})
    folder = tmp_path_factory.mktemp("run") / "handover"
    write_handover(folder, read_config(CONFIG), state, weights, weights)
    return folder


def some_statistics() -> RangeStatistics:
    rng = np.random.default_rng(3)
    return fit_statistics([f"log_volume_{name}" for name in LARGE_ORGANS], rng.normal(6, 1, (24, len(LARGE_ORGANS))))


def test_a_bundle_opens_as_the_engine_it_was_made_of(handover: Path, tmp_path: Path) -> None:
    export_anatomy(tmp_path / "bundle", handover, some_statistics())
    bundle = load_bundle(tmp_path / "bundle", ("anatomy",))
    assert (bundle.networks, bundle.evidence.level) == (("anatomy",), "E0")
    assert {one.name: one.value for one in bundle.evidence.metrics} == {"dice": 0.41, "dice_liver": 0.8}
    assert sum(one.bytes for one in bundle.metadata.nodal.weights) < 3_000_000  # each tensor once, in float16
    pairs = zip(
        open_anatomy(tmp_path / "bundle").network.parameters(),
        open_anatomy(handover).network.parameters(),
        strict=True,
    )
    assert all(torch.equal(one, two) for one, two in pairs)
    card = (tmp_path / "bundle" / "docs" / "README.md").read_text()
    assert "update 1000 of 1200" in card


def test_a_changed_weight_is_noticed(handover: Path, tmp_path: Path) -> None:
    export_anatomy(tmp_path / "bundle", handover, some_statistics())
    file = next((tmp_path / "bundle" / "models").glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleRefused, match="BUNDLE_DIGEST_MISMATCH"):
        open_anatomy(tmp_path / "bundle")


def test_a_folder_that_is_no_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed):
        export_anatomy(tmp_path / "bundle", tmp_path, some_statistics())


def anatomy_of(voxels: dict[str, int]) -> Anatomy:
    """So many voxels of 8 mL of each organ."""
    labels = np.zeros((64, 8, 8), np.uint8)
    label_of = {name: label for label, name in TABLE.names.items()}
    for row, (name, count) in enumerate(voxels.items()):
        labels[row].ravel()[:count] = label_of[name]
    return Anatomy("network", Volume(labels, np.diag([20.0, 20.0, 20.0, 1.0])), TABLE.names)


def test_volumes_by_hand() -> None:
    found = dict(zip(LARGE_ORGANS, log_volumes(anatomy_of({"liver": 50, "brain": 1})), strict=True))
    assert found["liver"] == pytest.approx(np.log(400.0))
    assert found["brain"] == pytest.approx(np.log(8.0))
    assert found["spleen"] == 0.0


class Counting:
    """An engine that finds organs of other sizes in each patient."""

    name = "network"

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        seed = int(suv.array[0, 0, 0])
        rng = np.random.default_rng(seed)
        return anatomy_of({name: int(rng.integers(10, 60)) for name in LARGE_ORGANS})


def test_statistics_are_of_the_validation_patients() -> None:
    subjects = tuple(Subject(str(at), "few", ClinicalFactors(), None, None, str(at)) for at in range(30))

    def read(subject: Subject) -> Case:
        grid = Volume(np.full((2, 2, 2), float(subject.patient_id), np.float32), np.eye(4))
        return Case(subject, grid, grid, None, Anatomy("none"))

    made = volume_statistics(Counting(), NetworkPatients((), subjects, read))
    assert (made.patients, len(made.names)) == (30, len(LARGE_ORGANS))
    assert all(np.log(80) < mean < np.log(480) for mean in made.mean)


def test_the_card_names_the_organs_that_are_found_badly() -> None:
    results = [PatientResult({"liver": Overlap(9, 10, 10), "ureter": Overlap(1, 9, 9)}, "whole", "whole")]
    (said,) = card_sentences([figures_of("generator B", "PET alone", results)])
    assert "generator B, PET alone, 1 patients" in said
    assert said.endswith("below 0.5: ureter.")
