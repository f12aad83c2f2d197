"""The signature learns from a cohort by one call, over folds or from other patients; and where its weights are from."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.dfr_signature import features as features_module
from lymphoma.dfr_signature import prepare
from lymphoma.dfr_signature.backbones import Backbone, RandomProjection, open_backbone
from lymphoma.dfr_signature.config import DfrConfig, WeightsConfig
from lymphoma.dfr_signature.ensemble import setup_of
from lymphoma.dfr_signature.features import kept_features, of_cohort
from lymphoma.dfr_signature.fit import fit_dfr
from lymphoma.dfr_signature.inputs import InputSettings
from lymphoma.dfr_signature.learner import LEARNER, DfrLearner, combined_of
from lymphoma.dfr_signature.open_weights import backbone_of
from lymphoma.errors import BundleRefused, ConfigInvalid, NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.evaluation.learner import Asked, Learned, installed_learners
from lymphoma.evaluation.true_inputs import in_order, with_outcomes
from lymphoma.prognosis.input_folder import InputFolder
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.training.bundle import Bundle
from safetensors.torch import save_file

from tests.unit.dfr_signature.made_up import cohort_in, patient
from tests.unit.dfr_signature.test_fit import CONFIG as FEATURES_ONLY
from tests.unit.dfr_signature.test_fit import made_up

pytestmark = pytest.mark.unit

INPUTS = InputSettings(perturbed=("shifted",))
QUICK = """
backbone: densenet121
weights: {source: random, seed: 3}
inputs: {perturbed: [shifted]}
selection: {features: 4, least_icc: 0.0}
signature: {stack_levels: 0, folds: 2, learners: {LR: {}}}
folds: 2
resamples: 20
"""
N = 24
SMALL = DfrConfig(backbone="densenet121", weights=WeightsConfig("random", 3), inputs=INPUTS)


def learner() -> DfrLearner:
    return DfrLearner(settings=INPUTS)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("asked")
    (folder / "train.yaml").write_text(QUICK, encoding="utf-8")
    return Asked("made up", "made up", endpoints=("pfs",), config=folder / "train.yaml", kept=folder / "kept")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> InputCohort:
    return cohort_in(tmp_path_factory.mktemp("inputs") / "dfr", range(N), INPUTS)


@pytest.fixture(scope="module")
def learned(cohort: InputCohort, asked: Asked, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return learner().learn(cohort, tmp_path_factory.mktemp("bundles") / "dfr", asked)


def card(bundle: Bundle) -> str:
    return (bundle.folder / "docs" / "README.md").read_text(encoding="utf-8")


def test_it_is_among_the_learners_and_prepares_what_the_system_reads() -> None:
    assert installed_learners()["dfr_signature"] is LEARNER
    arrays = learner().inputs(patient(0))
    assert set(arrays) == {"drawn", "shifted"}
    assert learner().way != LEARNER.way


def test_a_bundle_says_where_its_network_is_from_and_keeps_no_path(learned: Learned) -> None:
    setup = setup_of(learned.bundle)
    assert setup.origin == "random projection, seed 3"
    assert setup.config.weights == WeightsConfig("shipped")
    assert "random projection, seed 3" in card(learned.bundle)
    assert "Without the combined model" in card(learned.bundle), "24 patients without stage or measures have none"


def test_a_cohort_is_scored_by_the_features_that_were_learned_from(
    learned: Learned, cohort: InputCohort, asked: Asked
) -> None:
    scores = learner().scores(learned.bundle, cohort.take([5, 2]))
    assert scores["dfr_signature_pfs"].shape == (2,)
    backbone = backbone_of(SMALL)
    again = of_cohort(cohort.take([5, 2]), backbone, SMALL)
    assert asked.kept is not None
    kept = kept_features(cohort.take([5, 2]), backbone, SMALL, asked.kept / "features")
    np.testing.assert_array_equal(again.drawn, kept.drawn)
    np.testing.assert_array_equal(again.repeats, kept.repeats)
    tensors = backbone.tensors()
    assert all((one.half().float() == one).all() for one in tensors.values()), "weights are as a bundle keeps them"


def test_a_run_that_was_killed_reads_no_image_twice(
    learned: Learned, cohort: InputCohort, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> object:
        raise AssertionError("features are there")

    monkeypatch.setattr(features_module, "features_of", never)
    again = learner().learn(cohort, tmp_path / "again", asked)
    assert again.fits[0].out_of_fold.tolist() == learned.fits[0].out_of_fold.tolist()


def test_networks_of_other_patients_judge_the_cohort(cohort: InputCohort, asked: Asked, tmp_path: Path) -> None:
    others = cohort_in(tmp_path / "others", range(100, 100 + N), INPUTS)
    told: list[tuple[int, int]] = []
    made = learner().learn(cohort, tmp_path / "bundle", asked, lambda *step: told.append(step), others=others)
    assert "fitted on other patients than the cohort named here" in card(made.bundle)
    assert made.bundle.metadata.nodal.folds == 1
    assert made.fits[0].model.cox.n == N
    shares = [done / of for done, of in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_other_crops_or_what_is_not_installed_are_said_at_once(
    cohort: InputCohort, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigInvalid, match="crops"):
        LEARNER.learn(cohort, tmp_path / "bundle", asked)
    monkeypatch.setitem(sys.modules, "autogluon.tabular", None)
    with pytest.raises(NotComputable, match=r"NOT_INSTALLED.*install nodal\[dfr\]"):
        learner().learn(cohort, tmp_path / "bundle", asked)


def test_weights_come_from_a_file_a_cache_or_a_bundle(learned: Learned, tmp_path: Path) -> None:
    drawn = open_backbone("densenet121", RandomProjection(3))
    own = backbone_of(replace(SMALL, weights=WeightsConfig("shipped", folder=learned.bundle.folder)))
    assert own.digest == backbone_of(SMALL).digest != drawn.digest, "float16 is not float32"
    assert own.origin == "random projection, seed 3"
    file = tmp_path / "weights.safetensors"
    save_file(drawn.tensors(), file)
    named = WeightsConfig("file", path=file, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), words="a test")
    given: Backbone = backbone_of(replace(SMALL, weights=named))
    assert (given.digest, given.words) == (own.digest, "DenseNet121, a test")
    with pytest.raises(BundleRefused, match="BUNDLE_FILE_MISSING"):
        backbone_of(replace(SMALL, weights=WeightsConfig("keras_cache", folder=tmp_path)))
    with pytest.raises(BundleRefused, match="densenet121 for image network"):
        backbone_of(DfrConfig(weights=WeightsConfig("shipped", folder=learned.bundle.folder)))


@pytest.mark.paper("dfr-combined")
def test_the_combined_model_stands_in_place_of_the_signature_s_own_survival(tmp_path: Path) -> None:
    patients, features = made_up(1.0)
    rng = np.random.default_rng(0)
    measured = tuple(
        PetMeasures(suv_max=float(rng.uniform(5, 30)), tmtv_ml=float(rng.uniform(9, 900))) for _ in range(120)
    )
    clinical = tuple(
        replace(one, stage=int(rng.integers(1, 5)), age_years=float(rng.uniform(30, 85)), ecog=int(rng.integers(0, 4)))
        for one in patients.clinical
    )
    whole = replace(patients, pet=measured, clinical=clinical)
    fit = fit_dfr(whole, features, FEATURES_ONLY, tmp_path)
    found = combined_of(fit, whole)
    if found.models:
        model, index = found.models["pfs"]
        assert [term.name.partition(">=")[0] for term in model.model.terms][-1] == "score:dfr_signature_pfs"
        assert len(index) == 120
    without = combined_of(fit, patients)
    assert not without.models
    assert without.limits[0].startswith("Without the combined model: nobody has all of")


def test_virtual_patients_are_prepared_to_learn_from(tmp_path: Path) -> None:
    given = ["--inputs", str(tmp_path / "inputs"), "--first-seed", "9300002", "--patients", "2", "--edge-mm", "16"]
    assert prepare.main(given) == 0
    made = InputFolder.open(tmp_path / "inputs")
    assert made.source.way.startswith(LEARNER.way), "train_on_others reads what the learner would prepare"
    cohort = in_order(with_outcomes(input_cohort(made), "burden"))
    assert cohort.patients.known("pfs").size == len(cohort) > 0
    assert cohort.read(0)["drawn"].shape == (3, 1, 224, 224)
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    assert prepare.main(given) == 0
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")} == kept
