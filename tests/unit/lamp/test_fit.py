"""LAMP fitted on a cohort: out of fold means out of fold, nothing found is said, and a bundle judges alike."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.errors import ConfigInvalid, NotComputable
from lymphoma.evaluation.patient_folds import folds_of
from lymphoma.lamp.config import SHIPPED, HeadsConfig, read_heads_config
from lymphoma.lamp.ensemble import ensemble_of, setup_of
from lymphoma.lamp.export import export_lamp
from lymphoma.lamp.fit import LampFit, fit_lamp
from lymphoma.lamp.heads import bags_of, fit_heads
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.train import main
from lymphoma.prognosis.feature_folder import FeatureFolder
from lymphoma.prognosis.survival_loss import risk
from lymphoma.survival.concordance import harrell
from lymphoma.training.bundle import Bundle, load_bundle
from lymphoma.training.case import Outcome
from lymphoma.training.folds import Fold

from tests.unit.lamp.cohorts import NETWORK, ORGANS, SOURCE, cohort, patient

pytestmark = pytest.mark.unit

QUICK = HeadsConfig(arm="paper", endpoints=("pfs",), folds=3, seeds=1, inner_folds=2, steps=40, resamples=50)
PATIENTS = 120


@cache
def learned() -> LampFit:
    return fit_lamp(cohort(PATIENTS), QUICK)


def exported(folder: Path) -> Bundle:
    export_lamp(folder, learned(), cohort(PATIENTS), name="lamp made up", generator="made up")
    return load_bundle(folder, ("lamp",))


def test_a_mechanism_is_found_out_of_fold() -> None:
    one = learned().endpoints[0]
    assert learned().trained
    assert one.heads.nll < one.heads.null_nll
    assert one.fit.concordance.estimate > 0.6
    assert [term.name for term in one.fit.model.terms] == ["score:lamp_pfs"]
    assert float(one.fit.model.cox.coefficients[0]) > 0


def test_heads_never_see_the_patients_they_are_judged_on() -> None:
    """Other outcomes of the patients of one fold, with the same events so that the folds stay: their own risk stays."""
    whole = cohort(60)
    config = replace(QUICK, steps=10)
    before = fit_heads(whole, "pfs", config)
    held = before.parts[0]
    changed = list(whole.patients.outcomes["pfs"])
    for position in held:
        one = changed[position]
        assert one is not None
        changed[position] = Outcome(one.months * (0.3 if position % 2 else 1.8), one.event)
    patients = replace(whole.patients, outcomes={**whole.patients.outcomes, "pfs": tuple(changed)})
    after = fit_heads(LampCohort(patients, whole.pooled, whole.source), "pfs", config)
    same = np.isclose(before.risk, after.risk, rtol=0, atol=1e-9)
    assert same[held].all()
    assert not np.delete(same, held).any()


@pytest.mark.paper("lamp-folds")
def test_folds_that_are_given_are_kept_to() -> None:
    """The segmentation's folds serve the prognosis too; they may hold patients without an outcome."""
    whole = cohort(60)
    made = folds_of(whole.patients, np.arange(60), 3, 9, "pfs")
    more = replace(
        made, folds=(*made.folds[:-1], replace(made.folds[-1], validation=(*made.folds[-1].validation, "X")))
    )
    found = fit_heads(whole, "pfs", replace(QUICK, steps=1), folds=more)
    held = [tuple(whole.patients.ids[found.index[at]] for at in part) for part in found.parts]
    assert held == [fold.validation for fold in made.folds]
    without = replace(made, folds=tuple(Fold(f.name, f.train, f.validation) for f in made.folds[:-1]))
    with pytest.raises(NotComputable, match="FOLDS_IMPOSSIBLE"):
        fit_heads(whole, "pfs", replace(QUICK, steps=1), folds=without)


def test_a_killed_run_goes_on_with_the_next_head(tmp_path: Path) -> None:
    whole, config = cohort(60), replace(QUICK, steps=5)
    first = fit_heads(whole, "pfs", config, folder=tmp_path)
    times = {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("*.safetensors")}
    assert set(times) == {"pfs_1_0.safetensors", "pfs_2_0.safetensors", "pfs_3_0.safetensors"}
    (tmp_path / "pfs_2_0.safetensors").write_bytes(b"half a file")
    again = fit_heads(whole, "pfs", config, folder=tmp_path)
    assert np.array_equal(first.risk, again.risk)
    assert (tmp_path / "pfs_1_0.safetensors").stat().st_mtime_ns == times["pfs_1_0.safetensors"]


def test_nothing_to_learn_is_not_trained() -> None:
    """Heads stay at the constant hazards they start from, or learn something that does not hold."""
    config = replace(QUICK, steps=20)
    heads = fit_heads(cohort(90, effect=0.0), "pfs", config)
    assert heads.nll >= heads.null_nll - 0.02


def test_the_bundle_judges_as_the_heads_did(tmp_path: Path) -> None:
    bundle, whole = exported(tmp_path / "b"), cohort(PATIENTS)
    setup = setup_of(bundle)
    assert (setup.network, setup.organ_names, setup.arm) == (NETWORK, ORGANS, "paper")
    assert setup.heads == {"pfs": ("pfs_1_0", "pfs_2_0", "pfs_3_0")}
    bags = bags_of(whole, setup.shape)
    stored = ensemble_of(bundle, setup, "pfs").judge(bags).risk
    heads = learned().endpoints[0].heads.heads
    with torch.no_grad():
        fresh = np.mean([risk(head.network(bags).logits).numpy() for head in heads], axis=0)
    # weights are stored in half precision: 2^-11 of each of some hundred terms
    assert np.allclose(stored, fresh, atol=0.02)
    follow_up = whole.patients.follow_up("pfs", np.arange(PATIENTS))
    assert harrell(follow_up, stored) > 0.6


def test_the_bundle_says_how_it_was_made(tmp_path: Path) -> None:
    bundle = exported(tmp_path / "b")
    names = {metric.name for metric in bundle.evidence.metrics}
    assert names == {"pfs_harrell_c", "pfs_calibration_slope", "pfs_nll", "pfs_constant_hazard_nll"}
    assert (bundle.evidence.level, bundle.evidence.trained, bundle.evidence.n) == ("E0", True, PATIENTS)
    kept = bundle.out_of_fold()
    assert kept is not None
    assert set(kept.linear_predictors["pfs"]) == set(cohort(PATIENTS).patients.contents)
    card = (bundle.folder / "docs" / "README.md").read_text(encoding="utf-8")
    assert NETWORK in card
    assert "Attention tells which lesions the risk was read from" in card
    assert not any("P0000" in file.read_text("latin-1") for file in bundle.folder.rglob("*") if file.is_file())


def test_the_shipped_configuration_is_read_and_faults_are_named(tmp_path: Path) -> None:
    assert read_heads_config(SHIPPED) == HeadsConfig()
    for text, said in (("arm: none", "arm is one of"), ("arm: organs_mean", "comparisons"), ("speed: 3", "speed")):
        (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigInvalid, match=said):
            read_heads_config(tmp_path / "t.yaml")


def test_the_command_makes_a_bundle_of_a_folder_of_features(tmp_path: Path) -> None:
    folder = FeatureFolder.make(tmp_path / "features", SOURCE)
    for seed in range(80):
        folder.add(patient(seed))
    config = tmp_path / "train.yaml"
    config.write_text("{endpoints: [pfs], folds: 2, seeds: 1, inner_folds: 2, steps: 20, resamples: 20}\n")
    given = ["--features", str(folder.folder), "--out", str(tmp_path / "lamp"), "--config", str(config)]
    assert main([*given, "--arm", "paper", "--kept", str(tmp_path / "kept")]) == 0
    made = load_bundle(tmp_path / "lamp", ("lamp",))
    assert (made.evidence.level, setup_of(made).network) == ("E0", NETWORK)
    card = (tmp_path / "lamp" / "docs" / "README.md").read_text(encoding="utf-8")
    assert "arm paper" in card
    assert "under the mode mixed" in card
    assert any((tmp_path / "kept").rglob("*.safetensors"))
