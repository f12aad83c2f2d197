"""Networks over folds and on disjoint patients, their bundle, and what the node reads of it; runs of a few updates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.deepmts.config import Losses
from lymphoma.deepmts.ensemble import ensemble_of, setup_of
from lymphoma.deepmts.export import export_deepmts
from lymphoma.deepmts.fit import DeepMtsFit, fit_deepmts, fit_disjoint
from lymphoma.deepmts.networks import learning_task
from lymphoma.deepmts.scoring import scores_of
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.training.bundle import load_bundle
from lymphoma.training.config import OptimiserConfig
from lymphoma.training.determinism import seed_torch
from lymphoma.training.task import Draw
from lymphoma.training.update import Updater

from tests.unit.deepmts.made_up import cohort, config

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> InputCohort:
    return cohort(tmp_path_factory.mktemp("inputs") / "patients", range(60))


@pytest.fixture(scope="module")
def fitted(patients: InputCohort, tmp_path_factory: pytest.TempPathFactory) -> tuple[DeepMtsFit, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return fit_deepmts(patients, config(arm="mask_only"), folder=folder), folder


@pytest.mark.paper("deepmts-folds")
def test_each_patient_is_judged_by_a_network_that_never_saw_him(
    fitted: tuple[DeepMtsFit, Path], patients: InputCohort
) -> None:
    networks = fitted[0].endpoints[0].networks
    assert len(networks.networks) == 2
    assert np.array_equal(np.sort(np.concatenate(networks.parts)), np.arange(60))
    for held, one in zip(networks.parts, networks.networks, strict=True):
        assert np.array_equal(networks.risk[held], one.risk)
    changed = patients.patients.outcomes["pfs"]
    held = set(networks.parts[0].tolist())
    other = tuple(
        replace(one, months=100.0 / one.months) if at in held else one for at, one in enumerate(changed) if one
    )
    moved = replace(patients, patients=replace(patients.patients, outcomes={"pfs": other, "os": other}))
    again = fit_deepmts(moved, config(arm="mask_only")).endpoints[0].networks
    assert [part.tolist() for part in again.parts] == [part.tolist() for part in networks.parts]
    assert np.array_equal(again.networks[0].risk, networks.networks[0].risk), "it never saw those outcomes"
    assert not np.array_equal(again.networks[1].risk, networks.networks[1].risk)


def test_a_run_goes_on_from_its_folder(fitted: tuple[DeepMtsFit, Path], patients: InputCohort) -> None:
    done, folder = fitted
    kept = {file: file.stat().st_mtime_ns for file in folder.rglob("kept.safetensors")}
    assert len(kept) == 2
    again = fit_deepmts(patients, config(arm="mask_only"), folder=folder)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("kept.safetensors")} == kept
    assert np.array_equal(again.endpoints[0].networks.risk, done.endpoints[0].networks.risk)


def test_a_bundle_says_what_its_networks_said(
    fitted: tuple[DeepMtsFit, Path], patients: InputCohort, tmp_path: Path
) -> None:
    fit = fitted[0]
    made = export_deepmts(tmp_path / "bundle", fit, patients, name="small", generator="made up")
    bundle = load_bundle(made.folder, {"deepmts"})
    assert bundle.evidence.level == "E0"
    assert bundle.evidence.trained == fit.trained
    networks = fit.endpoints[0].networks
    scores = scores_of(bundle, patients.take(range(4)))["deepmts_pfs"]
    setup = setup_of(bundle)
    ensemble = ensemble_of(bundle, setup, "pfs")
    for at in range(4):
        arrays = patients.read(at)
        pairs = zip(ensemble.networks, ensemble.scales, strict=True)
        alone = [replace(ensemble, networks=(one,), scales=(scale,)).risk(arrays) for one, scale in pairs]
        assert scores[at] == pytest.approx(np.mean(alone))
        held = next(number for number, part in enumerate(networks.parts) if at in part)
        assert alone[held] == pytest.approx(networks.risk[at], abs=1e-6), "rounded weights are those that were judged"
    model = bundle.survival("pfs")
    assert model is not None
    assert model.terms[0].name == "score:deepmts_pfs"
    kept = bundle.out_of_fold()
    assert kept is not None
    assert set(kept.linear_predictors["pfs"]) == set(patients.patients.contents)
    card = (bundle.folder / "docs/README.md").read_text()
    assert "lesion mask of the whole body" in card
    small = {**patients.read(0), "pet": np.zeros((48, 48, 48), np.float16)}
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        ensemble.risk(small)
    with pytest.raises(NotComputable, match="NOT_TRAINED"):
        ensemble.lesion(patients.read(0))


def test_models_and_words_of_a_nomogram_go_into_the_bundle(
    fitted: tuple[DeepMtsFit, Path], patients: InputCohort, tmp_path: Path
) -> None:
    one = fitted[0].endpoints[0]
    index = np.arange(60)
    other = replace(one.fit, out_of_fold=one.fit.out_of_fold + 1.0)
    made = export_deepmts(
        tmp_path / "bundle",
        fitted[0],
        patients,
        name="small",
        models={"pfs": (other, index)},
        further={"auto_radio": "{}"},
    )
    bundle = load_bundle(made.folder, {"deepmts"})
    assert bundle.further("auto_radio") == "{}"
    kept = bundle.out_of_fold()
    assert kept is not None
    first = patients.patients.contents[0]
    assert kept.linear_predictors["pfs"][first] == pytest.approx(one.fit.out_of_fold[0] + 1.0)


@pytest.mark.paper("deepmts-baseline")
def test_the_baseline_hazard_is_of_the_cohort_as_it_is(fitted: tuple[DeepMtsFit, Path], patients: InputCohort) -> None:
    """Balanced batches hold one half events; survival of the model must be that of the cohort."""
    one = fitted[0].endpoints[0]
    model, follow_up = one.fit.model, one.networks.follow_up
    assert model.cox.events == follow_up.events
    mean = model.survival([one.networks.risk.tolist()], [12.0]).mean()
    free = float((follow_up.months > 12.0).mean())
    assert mean == pytest.approx(free, abs=0.05)


def test_a_disjoint_network_judges_others(patients: InputCohort, tmp_path: Path) -> None:
    learn, judge = patients.take(range(30)), patients.take(range(30, 60))
    fit = fit_disjoint(learn, judge, config(arm="mask_only"), folder=tmp_path / "runs")
    networks = fit.endpoints[0].networks
    assert fit.disjoint
    assert len(networks.networks) == 1
    assert len(networks.risk) == 30
    made = export_deepmts(tmp_path / "bundle", fit, judge, name="small", generator="made up")
    assert "other patients" in (made.folder / "docs/README.md").read_text()
    with pytest.raises(ValueError, match="those who teach"):
        fit_disjoint(patients, judge, config(arm="mask_only"))


def test_inputs_of_another_field_are_refused(patients: InputCohort) -> None:
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        fit_deepmts(patients, replace(config(), field=replace(config().field, size=(48, 32, 32))))


@pytest.mark.train
@pytest.mark.paper("deepmts-segment-first")
def test_the_network_learns_to_segment_first(patients: InputCohort) -> None:
    """In training mode: the running statistics of normalisation need hundreds of updates, which a test has not."""
    base = config(12)
    training = replace(base.training, batch_size=2, optimiser=OptimiserConfig(learning_rate=1e-2))
    settings = replace(base, training=training, losses=Losses(segment_first=12))
    task = learning_task(patients, "pfs", settings)
    seed_torch(0, CPU)
    network = task.network()
    updater = Updater(task, training, network, CPU, 0)
    draws = [Draw(0, step, 0, step) for step in range(12)]
    seen = [updater.update(draw.step, iter([task.batch(draw)])).values for draw in draws]
    assert all(one["survival"] == 0.0 for one in seen)
    assert not task.batch(Draw(0, 12, 0, 12)).segments_alone
    batch = task.batch(Draw(0, 40, 0, 40))
    with torch.no_grad():
        lesion, ball = network(batch.images).lesion, batch.images.mask[:, 0] > 0
    assert lesion[ball].mean() - lesion[~ball].mean() > 0.4
