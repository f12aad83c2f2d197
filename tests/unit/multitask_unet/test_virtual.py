"""Inputs of virtual patients, outcomes under a mechanism, and the command that trains on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import input_cohort, truth_of
from lymphoma.evaluation.true_inputs import in_order, make_true_inputs, with_outcomes
from lymphoma.multitask_unet import train
from lymphoma.multitask_unet.inputs import LESIONS, PET
from lymphoma.multitask_unet.learner import MultitaskUnetLearner
from lymphoma.prognosis.input_folder import InputFolder
from lymphoma.simulation.risk import true_eta

pytestmark = pytest.mark.unit

SIZE = (32, 16, 16)
READER = MultitaskUnetLearner(size=SIZE)
SEEDS = range(5_000_000, 5_000_014)
EDGE_MM = 12.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> InputFolder:
    return make_true_inputs(READER, tmp_path_factory.getbasetemp() / "virtual", SEEDS, edge_mm=EDGE_MM)


def test_each_patient_is_kept_or_passed_over(folder: InputFolder) -> None:
    assert len(folder) + len(folder.passed_over) == len(SEEDS)
    assert len(folder) >= 8
    assert set(folder.passed_over.values()) <= {"NO_AVID_LESION", "OUTSIDE_FIELD"}
    cohort = in_order(with_outcomes(input_cohort(folder), "burden"))
    assert cohort.read(0)[PET].shape == cohort.read(0)[LESIONS].shape == SIZE
    assert all(one is not None for one in cohort.patients.outcomes["pfs"])
    seeds = [int(name.rpartition("-")[2]) for name in truth_of(folder, cohort.patients).patient_ids]
    assert seeds == sorted(seeds)


def test_a_folder_serves_every_mechanism_and_is_not_made_twice(folder: InputFolder) -> None:
    before = {file: file.stat().st_mtime_ns for file in folder.folder.rglob("*.safetensors")}
    again = make_true_inputs(READER, folder.folder, SEEDS, edge_mm=EDGE_MM)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert again.contents == folder.contents
    burden, texture = (with_outcomes(input_cohort(folder), mode) for mode in ("burden", "texture"))
    assert burden.patients.contents == texture.patients.contents
    assert burden.patients.outcomes != texture.patients.outcomes
    eta = true_eta(truth_of(folder, burden.patients), "burden", 1.0)
    assert np.ptp(eta) > 0.5
    with pytest.raises(NotComputable) as caught:
        make_true_inputs(MultitaskUnetLearner(size=(48, 16, 16)), folder.folder, SEEDS, edge_mm=EDGE_MM)
    assert caught.value.code == "BUNDLE_MISMATCH"


def test_the_command_trains_and_says_how_it_did(folder: InputFolder, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "{size: [32, 16, 16], widths: [2, 2, 2, 2], batch_size: 2, samples: 4, stop_share: 0.2, judged: 1}"
    )
    arguments = ["--inputs", str(folder.folder), "--run", str(tmp_path / "run"), "--mode", "burden"]
    arguments += ["--config", str(tmp_path / "tiny.yaml"), "--edge-mm", str(EDGE_MM), "--patients", "9"]
    arguments += ["--validation", "5", "--model", "C"]
    assert train.main(arguments) == 0
    told = json.loads((tmp_path / "run" / "figures.json").read_text())
    assert (told["mode"], told["model"], told["ended"], told["step"]) == ("burden", "C", "finished", 2)
    assert set(told["metrics"]) == {"nll", "auc", "lesion_loss", "dice"}
    assert told["training"]["patients"] + told["training"]["excluded"] == len(folder) - 5
    assert train.main(arguments) == 0  # a run that is over says the same again
    assert json.loads((tmp_path / "run" / "figures.json").read_text()) == told
