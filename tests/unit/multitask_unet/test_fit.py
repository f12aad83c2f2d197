"""The system fitted, exported and run: over folds, and with one network on other patients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import ConfigInvalid, NotComputable
from lymphoma.multitask_unet import fit as fit_module
from lymphoma.multitask_unet.export import export_multitask_unet
from lymphoma.multitask_unet.fit import MultitaskFit, fit_disjoint, fit_multitask_unet
from lymphoma.multitask_unet.learning import known_events, log_odds_of, train_network
from lymphoma.multitask_unet.scoring import scores_of
from lymphoma.multitask_unet.system import CHANCE_NAME, SCORE_NAME, SYSTEM
from lymphoma.prognosis.measures import Prospect
from lymphoma.prognosis.system import SYSTEMS, installed_systems
from lymphoma.training.bundle import load_bundle

from tests.unit.multitask_unet.cohorts import TINY, cohort

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> MultitaskFit:
    return fit_multitask_unet(cohort(tmp_path_factory.getbasetemp() / "folds", 100), TINY)


@pytest.mark.paper("liu-folds", "liu-survival")
def test_folds_judge_each_patient_once_and_order_them(fitted: MultitaskFit) -> None:
    assert [one.name for one in fitted.networks] == ["fold_1", "fold_2"]
    assert np.isfinite(fitted.log_odds).all()
    assert fitted.trained
    assert fitted.events.nll < fitted.events.null_nll
    assert fitted.events.auc > 0.6  # of chances by two networks of 30 updates each
    for one in fitted.endpoints:
        assert one.survival.concordance.lower > 0.5
        assert [group.name for group in one.survival.model.groups] == ["low", "high"]
    assert {one.survival.model.endpoint for one in fitted.endpoints} == {"pfs", "os"}


def test_bundle_gives_the_scores_of_its_networks(fitted: MultitaskFit, tmp_path: Path) -> None:
    patients = cohort(tmp_path / "inputs", 100)
    made = export_multitask_unet(tmp_path / "bundle", fitted, patients, name="tiny")
    bundle = load_bundle(made.folder, SYSTEMS)
    assert (bundle.evidence.level, bundle.evidence.trained) == ("E0", True)
    assert set(bundle.networks) == {"fold_1", "fold_2"}
    assert bundle.config == fitted.networks[0].training
    some = patients.take(np.arange(20))
    scores = scores_of(bundle, some)
    assert scores[CHANCE_NAME] == pytest.approx(1 / (1 + np.exp(-scores[SCORE_NAME])))
    own = [log_odds_of(one, some, np.arange(20)) for one in fitted.networks]
    assert scores[SCORE_NAME] == pytest.approx(np.mean(own, axis=0), abs=0.05)  # float16 weights
    model = bundle.survival("pfs")
    assert model is not None
    word = model.predict(Prospect(some.patients.clinical[0], scores={SCORE_NAME: float(scores[SCORE_NAME][0])}))
    assert word.group in ("low", "high")
    card = (bundle.folder / "docs" / "README.md").read_text(encoding="utf-8")
    assert f"{fitted.events.excluded} left out because they were censored before" in card
    assert "Smaller than published: 16x16x16 voxels" in card
    assert "Reads the PET alone" in card


@pytest.mark.paper("liu-exclusion")
def test_excluded_patients_are_counted_and_still_judged(fitted: MultitaskFit, tmp_path: Path) -> None:
    patients = cohort(tmp_path / "inputs", 100)
    follow_up = patients.patients.follow_up("pfs", np.arange(100))
    early = ~follow_up.event & (follow_up.months < 24)
    assert early.any()
    assert fitted.events.excluded == early.sum()
    assert fitted.events.patients == 100 - early.sum()
    assert np.isfinite(fitted.log_odds[early]).all()  # survival is fitted on them too
    assert fitted.endpoints[0].survival.model.cox.n == 100


def test_a_run_goes_on_from_its_folder(tmp_path: Path) -> None:
    patients, short = cohort(tmp_path / "inputs", 40), replace(TINY, samples=16)
    first = train_network(patients, np.arange(40), short, "one", folder=tmp_path / "run")
    before = (tmp_path / "run" / "kept.safetensors").stat().st_mtime_ns
    second = train_network(patients, np.arange(40), short, "one", folder=tmp_path / "run")
    assert (tmp_path / "run" / "kept.safetensors").stat().st_mtime_ns == before
    at = np.arange(5)
    assert np.array_equal(log_odds_of(first, patients, at), log_odds_of(second, patients, at))


def test_one_network_learns_on_others(tmp_path: Path) -> None:
    learn = cohort(tmp_path / "learn", 80, seed=1000, name="those it learned on")
    judge = cohort(tmp_path / "judge", 60)
    fit = fit_disjoint(learn, judge, TINY)
    assert [one.name for one in fit.networks] == ["network"]
    assert fit.learned_on == "those it learned on"
    assert fit.events.auc > 0.7
    made = export_multitask_unet(tmp_path / "bundle", fit, judge, name="tiny", limits=["A sentence."])
    bundle = load_bundle(made.folder, SYSTEMS)
    assert bundle.metadata.nodal.folds == 1
    # float16 weights move log odds by little
    assert scores_of(bundle, judge)[SCORE_NAME] == pytest.approx(fit.log_odds, abs=0.05)
    assert any("those it learned on" in one for one in (bundle.folder / "docs/README.md").read_text().split("\n"))
    with pytest.raises(NotComputable) as caught:
        fit_disjoint(learn, learn, TINY)
    assert caught.value.code == "FOLDS_IMPOSSIBLE"


def test_where_it_tells_nothing_it_may_not_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setattr(fit_module, "log_odds_of", lambda network, patients, at: rng.normal(size=len(at)))
    patients = cohort(tmp_path / "inputs", 80)
    fit = fit_multitask_unet(patients, replace(TINY, samples=8))
    assert not fit.trained
    assert fit.events.nll > fit.events.null_nll
    assert len(fit.endpoints) == 2  # kept all the same, for whoever wants to look
    monkeypatch.setattr(fit_module, "log_odds_of", lambda network, patients, at: np.zeros(len(at)))
    with pytest.raises(NotComputable) as caught:
        fit_multitask_unet(patients, replace(TINY, samples=8))
    assert caught.value.code == "NO_EFFECT"


@pytest.mark.paper("liu-eq3")
def test_chance_is_brought_back_from_the_class_weights(tmp_path: Path) -> None:
    patients = cohort(tmp_path / "inputs", 40)
    network = train_network(patients, np.arange(40), replace(TINY, stop_share=0.0, samples=8), "one")
    learned = known_events(patients, np.arange(40), TINY)
    share = learned.event.mean()
    # a network that says .5 under the weights of Eq. 3 says the share of events
    assert 1 / (1 + np.exp(-network.shift)) == pytest.approx(share)
    assert (network.patients, network.events) == (len(learned), learned.event.sum())


def test_what_makes_no_prognosis_is_refused(tmp_path: Path) -> None:
    patients = cohort(tmp_path / "inputs", 20)
    with pytest.raises(ConfigInvalid):
        train_network(patients, np.arange(20), replace(TINY, model="A"), "one")
    with pytest.raises(NotComputable) as caught:
        train_network(patients, np.arange(20), replace(TINY, size=(32, 16, 16)), "one")
    assert caught.value.code == "BUNDLE_MISMATCH"


def test_the_room_is_installed() -> None:
    assert installed_systems()["multitask_unet"] is SYSTEM
