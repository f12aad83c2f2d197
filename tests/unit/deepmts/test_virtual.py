"""Virtual patients as inputs, their outcomes under a mechanism, and the command that trains on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from lymphoma.deepmts.field import LONG
from lymphoma.deepmts.learner import DeepMtsLearner
from lymphoma.deepmts.train import main
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort, truth_of
from lymphoma.evaluation.true_inputs import make_true_inputs, with_outcomes
from lymphoma.simulation.risk import true_eta

from tests.unit.deepmts.made_up import SMALL, cohort

pytestmark = pytest.mark.unit

SEEDS = range(6_100_000, 6_100_003)


def made(folder: Path, name: str = "virtual") -> InputCohort:
    return input_cohort(make_true_inputs(DeepMtsLearner(radiomics=None), folder, SEEDS, cohort=name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("virtual") / "inputs"
    made(place)
    return place


def test_a_folder_that_is_whole_is_not_made_again(folder: Path) -> None:
    files = {file: file.stat().st_mtime_ns for file in folder.rglob("*.safetensors")}
    assert len(files) >= 2
    patients = made(folder)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.safetensors")} == files
    assert all(file.stat().st_size < 2_000_000 for file in files), "500 patients fit in a gigabyte"
    assert patients.read(0)["pet"].shape == LONG.size
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        made(folder, "another")


def test_outcomes_follow_the_true_risk_of_each_patient(folder: Path) -> None:
    patients = made(folder)
    burden = with_outcomes(patients, "burden")
    assert burden.patients.contents == patients.patients.contents
    again = with_outcomes(patients, "burden")
    assert again.patients.outcomes == burden.patients.outcomes
    assert with_outcomes(patients, "burden", draw=1).patients.outcomes != burden.patients.outcomes
    table = truth_of(patients.folder, patients.patients)
    for at, pet in enumerate(patients.patients.pet):
        # the truth is of the image before noise, in the same contour
        assert pet.tmtv_ml == pytest.approx(table.tmtv_ml[at], rel=1e-4)
    assert np.isfinite(true_eta(table, "burden", 1.0)).all()
    # nobody's risk differs without a mechanism: the times come from the seeds alone
    null = with_outcomes(patients, "null", sigma=3.0)
    assert null.patients.outcomes == with_outcomes(patients, "null").patients.outcomes


def test_the_command_asks_for_patients_with_and_without_events(folder: Path, tmp_path: Path) -> None:
    """Three patients cannot be cut into folds; the command says so by the code, after the patients are prepared."""
    given = ["--inputs", str(folder), "--first-seed", str(SEEDS.start), "--patients", "3"]
    config = tmp_path / "train.yaml"
    config.write_text(yaml.safe_dump({"training": {"steps": 1, "batch_size": 2}, "stop_folds": 2}))
    assert main([*given, "--run", str(tmp_path / "run"), "--prepare-only"]) == 0
    assert not (tmp_path / "run").exists()
    with pytest.raises(NotComputable, match=r"FOLDS_IMPOSSIBLE|TOO_FEW_EVENTS"):
        main([*given, "--run", str(tmp_path / "run"), "--config", str(config), "--mode", "null"])


def test_the_command_trains_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = cohort(tmp_path / "inputs", range(12))
    monkeypatch.setattr("lymphoma.deepmts.train.make_true_inputs", lambda *asked, **more: few.folder)
    monkeypatch.setattr("lymphoma.deepmts.train.with_outcomes", lambda cohort, mode, sigma: cohort)
    config = tmp_path / "train.yaml"
    training = {"steps": 2, "batch_size": 2, "precision": "float32"}
    field = {"size": list(SMALL.size), "edge_mm": SMALL.edge_mm}
    config.write_text(yaml.safe_dump({"training": training, "stop_folds": 2, "field": field}))
    given = ["--inputs", str(tmp_path / "inputs"), "--run", str(tmp_path / "run"), "--config", str(config)]
    assert main([*given, "--arm", "mask_only", "--head", "cox"]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["ended"], result["step"]) == ("finished", 2)
    about = json.loads((tmp_path / "run" / "about.json").read_text())
    assert about == {"arm": "mask_only", "endpoint": "pfs", "mode": "mixed", "sigma": 1.0}
    before = (tmp_path / "run" / "kept.safetensors").stat().st_mtime_ns
    assert main([*given, "--arm", "mask_only"]) == 0
    assert (tmp_path / "run" / "kept.safetensors").stat().st_mtime_ns == before
