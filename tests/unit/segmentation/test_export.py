"""The lesion network as a bundle: from a run or a hand-over, and opened again with the same weights."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.anatomy.network import AnatomyShape
from lymphoma.anatomy.network import build_network as anatomy_network
from lymphoma.errors import BundleRefused, TrainingFailed
from lymphoma.inference.device import Processor
from lymphoma.segmentation.agreement import agreement
from lymphoma.segmentation.evaluated import figures_of
from lymphoma.segmentation.export import export_lesion_network, main
from lymphoma.segmentation.network import LampNetwork, LampShape
from lymphoma.segmentation.open import open_lesion_network
from lymphoma.training.checkpoint import Checkpoint, save_checkpoint
from lymphoma.training.config import RunConfig, TrainConfig, config_digest, write_config
from lymphoma.training.filling import distinct, fill
from lymphoma.training.legs import write_handover
from lymphoma.training.network_bundle import read_statistics
from lymphoma.training.result import TrainingResult, save_weights, write_result
from lymphoma.training.state import RunState
from lymphoma.training.statistics import RangeStatistics, fit_statistics

pytestmark = pytest.mark.unit

CPU = Processor(torch.device("cpu"))
CONFIG = TrainConfig(steps=50, run=RunConfig(leg_warm_up_steps=7))
STATE = RunState(step=40, leg_start=20, best_step=30, best_metrics={"dice": 0.61, "false_negative_ml": float("nan")})


@pytest.fixture(scope="module")
def statistics() -> RangeStatistics:
    return fit_statistics(["liver_suv", "noise"], np.random.default_rng(0).normal(size=(60, 2)))


@pytest.fixture(scope="module")
def network() -> LampNetwork:
    torch.manual_seed(7)
    return LampNetwork(LampShape())


@pytest.fixture
def handover(network: LampNetwork, tmp_path: Path) -> Path:
    best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    present = {name: torch.zeros_like(tensor) for name, tensor in best.items()}
    write_handover(tmp_path / "handover", CONFIG, STATE, present, best)
    return tmp_path / "handover"


@pytest.fixture
def run(network: LampNetwork, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    write_config(CONFIG, folder / "train.yaml")
    save_weights(folder, network.state_dict(), network.state_dict())
    digest = config_digest(CONFIG)
    result = TrainingResult("finished", 50, 30, {"dice": 0.61}, None, True, 0, "cpu", "float32", 1, "2", digest)
    write_result(folder, result)
    return folder


def test_a_handover_becomes_a_bundle_of_the_kept_weights(
    handover: Path, network: LampNetwork, statistics: RangeStatistics, tmp_path: Path
) -> None:
    bundle = export_lesion_network(tmp_path / "bundle", handover, statistics)
    opened = open_lesion_network(tmp_path / "bundle", CPU)
    for name, tensor in network.state_dict().items():
        assert torch.equal(opened.network.state_dict()[name], tensor.half().float())
    assert opened.shape == LampShape()
    assert len(opened.organ_names) == 39
    assert bundle.evidence.level == "E0"
    assert [(one.name, one.value) for one in bundle.evidence.metrics] == [("dice", 0.61)]
    assert bundle.statistics == statistics
    assert all(entry.bytes < 16_000_000 for entry in bundle.metadata.nodal.weights)
    card = (tmp_path / "bundle" / "docs" / "README.md").read_text(encoding="utf-8")
    for words in (
        "Weights of update 30 of 40 done, 50 planned",
        "started anew at update 20, with 7 updates of warm-up",
    ):
        assert words in card
    assert "Simulation-trained, not for clinical use." in card
    assert "| dice | 0.610 |" in card


def test_run_and_bundle_have_the_same_digest_and_another_weight_another(
    run: Path, handover: Path, network: LampNetwork, statistics: RangeStatistics, tmp_path: Path
) -> None:
    of_run = open_lesion_network(run, CPU).digest
    export_lesion_network(tmp_path / "bundle", run, statistics)
    assert open_lesion_network(tmp_path / "bundle", CPU).digest == of_run
    assert open_lesion_network(handover, CPU).digest == of_run
    other = {name: tensor + 1 for name, tensor in network.state_dict().items()}
    save_weights(run, other, other)
    assert open_lesion_network(run, CPU).digest != of_run


def test_a_training_that_goes_on_is_opened_but_not_exported(
    network: LampNetwork, statistics: RangeStatistics, tmp_path: Path
) -> None:
    write_config(CONFIG, tmp_path / "train.yaml")
    weights = network.state_dict()
    save_checkpoint(tmp_path / "checkpoints", Checkpoint(config_digest(CONFIG), STATE, weights, {}, {}, None))
    assert open_lesion_network(tmp_path, CPU).shape == LampShape()
    with pytest.raises(TrainingFailed, match="goes on"):
        export_lesion_network(tmp_path / "bundle", tmp_path, statistics)
    assert not (tmp_path / "bundle").exists()


def test_the_command_reads_its_statistics_and_refuses_a_strange_reviewer(
    run: Path, statistics: RangeStatistics, tmp_path: Path
) -> None:
    file = tmp_path / "statistics.json"
    file.write_text(json.dumps(asdict(statistics)))
    assert read_statistics(file) == statistics
    given = ["--run", str(run), "--statistics", str(file), "--out", str(tmp_path / "bundle")]
    review = tmp_path / "review.json"
    review.write_text('{"layout": 99}')
    with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
        main([*given, "--review", str(review)])
    assert main(given) == 0
    assert (tmp_path / "bundle" / "configs" / "metadata.json").is_file()
    with pytest.raises(BundleRefused, match="BUNDLE_EXISTS"):
        main(given)
    file.write_text("{}")
    with pytest.raises(BundleRefused, match="STATISTICS_UNFIT"):
        main([*given[:-1], str(tmp_path / "other")])


def test_the_card_tells_the_figures_of_both_generators(run: Path, statistics: RangeStatistics, tmp_path: Path) -> None:
    voxels = np.arange(60).reshape(3, 4, 5)
    whole, part = voxels < 50, voxels < 12
    drawn = {"suv4": [agreement(whole, part, 1.0)], "hybrid": [agreement(voxels < 16, part, 1.0)]}
    words = {"suv4": "SUV >= 4", "hybrid": "the hybrid"}
    figures = figures_of({"generator A": drawn, "generator B": drawn}, words)
    export_lesion_network(tmp_path / "bundle", run, statistics, figures=figures)
    card = (tmp_path / "bundle" / "docs" / "README.md").read_text(encoding="utf-8")
    # 4 of 38 voxels outside are left, all 12 inside are kept: Dice 24 / 28
    said = "1 patients, candidates that the reviewer accepts: Dice 0.86; of what SUV >= 4 alone draws, 89% outside"
    assert f"generator A, {said}" in card
    assert f"generator B, {said}" in card
    assert "SUV >= 4: Dice" not in card


def test_weights_of_another_network_are_refused(network: LampNetwork) -> None:
    tensors = dict(network.state_dict())
    with pytest.raises(BundleRefused, match="other shapes"):
        fill(LampNetwork(replace(LampShape(), widths=(8, 16, 32))), tensors)
    tensors.popitem()
    with pytest.raises(BundleRefused, match="not those"):
        fill(LampNetwork(LampShape()), tensors)


def test_a_tensor_with_two_names_is_kept_once_and_reaches_both() -> None:
    torch.manual_seed(1)
    shape = AnatomyShape(widths=(4, 8, 8))
    trained, fresh = anatomy_network(shape, 5), anatomy_network(shape, 5)
    kept = distinct(trained, trained.state_dict())
    assert len(kept) == len(list(trained.parameters())) < len(trained.state_dict())
    fill(fresh, kept)
    assert all(torch.equal(tensor, fresh.state_dict()[name]) for name, tensor in trained.state_dict().items())
