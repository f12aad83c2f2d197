"""A bundle of the signature: written, opened, and run on a study as on a cohort."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.dfr_signature.backbones import Backbone, GivenTensors, RandomProjection, open_backbone
from lymphoma.dfr_signature.config import DfrConfig, Learners, SignatureConfig
from lymphoma.dfr_signature.ensemble import SETUP_WORD, setup_of
from lymphoma.dfr_signature.export import export_dfr
from lymphoma.dfr_signature.features import of_cohort
from lymphoma.dfr_signature.fit import DfrFit, fit_dfr
from lymphoma.dfr_signature.inputs import InputSettings
from lymphoma.dfr_signature.range import RANGE_NAMES, range_features
from lymphoma.dfr_signature.scoring import scores_of
from lymphoma.dfr_signature.selection import SelectionSettings
from lymphoma.dfr_signature.system import SYSTEM
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.training.bundle import load_bundle
from lymphoma.training.statistics import fit_statistics
from lymphoma.training.weights import halved

from tests.unit.dfr_signature.made_up import box, cohort_in, content_of, patient, study

pytestmark = pytest.mark.unit

ONE: Learners = {"LR": {}}
N = 24
CONFIG = DfrConfig(
    backbone="densenet121",
    inputs=InputSettings(perturbed=("shifted",)),
    selection=SelectionSettings(features=4, least_icc=0.0),
    signature=SignatureConfig(folds=2, stack_levels=0, learners=ONE),
    endpoints=("pfs",),
    folds=2,
    resamples=20,
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> InputCohort:
    return cohort_in(tmp_path_factory.mktemp("inputs") / "dfr", range(N), CONFIG.inputs)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    drawn = open_backbone(CONFIG.backbone, RandomProjection(3))
    return open_backbone(CONFIG.backbone, GivenTensors(halved(drawn.tensors()), "random projection, seed 3"))


@pytest.fixture(scope="module")
def fitted(cohort: InputCohort, backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> DfrFit:
    features = of_cohort(cohort, backbone, CONFIG)
    return fit_dfr(cohort.patients, features, CONFIG, tmp_path_factory.mktemp("folds"))


@pytest.fixture(scope="module")
def bundle_folder(
    cohort: InputCohort, backbone: Backbone, fitted: DfrFit, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    seen = np.array([range_features(cohort.read(at)) for at in range(len(cohort))])
    statistics = fit_statistics(RANGE_NAMES, seen, 0)
    folder = tmp_path_factory.mktemp("bundles") / "dfr"
    export_dfr(folder, fitted, cohort.patients, backbone, statistics, name="made up", generator="made up")
    return folder


def test_a_study_and_a_cohort_are_scored_as_when_it_was_fitted(
    bundle_folder: Path, fitted: DfrFit, cohort: InputCohort, backbone: Backbone
) -> None:
    bundle = load_bundle(bundle_folder, SYSTEMS)
    assert bundle.evidence.level == "E0"
    few = cohort.take(np.arange(3))
    scores = scores_of(bundle, few)
    own = fitted.endpoints[0].whole.probability(of_cohort(few, backbone, CONFIG).drawn)
    assert scores["dfr_signature_pfs"] == pytest.approx(own, abs=1e-6)
    number = next(n for n in range(N) if content_of(n) == few.patients.contents[0])
    told = SYSTEM.score(bundle, patient(number))
    assert told.scores["dfr_signature_pfs"] == pytest.approx(own[0], abs=1e-6)
    assert len(told.features) == len(bundle.statistics.names)
    with pytest.raises(NotComputable, match="NO_AVID_LESION"):
        SYSTEM.score(bundle, study())


def test_the_card_says_what_was_taken_and_weights_are_shards(bundle_folder: Path) -> None:
    card = (bundle_folder / "docs" / "README.md").read_text(encoding="utf-8")
    assert "PFS: " in card
    assert "4 were taken" in card
    assert "random projection, seed 3" in card
    assert all(file.stat().st_size < 16_000_000 for file in (bundle_folder / "models").iterdir())


def test_crops_made_otherwise_and_another_archive_are_refused(bundle_folder: Path) -> None:
    bundle = load_bundle(bundle_folder, SYSTEMS)
    setup = setup_of(bundle)
    seen = study(box(12, 15, 20))

    class Changed:
        def __init__(self, **changes: object) -> None:
            self.text = replace(setup, **changes).to_json()  # type: ignore[arg-type]

        def further(self, word: str) -> str | None:
            return self.text if word == SETUP_WORD else None

        def weights(self, network: str) -> object:
            return bundle.weights(network)

    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        SYSTEM.score(Changed(way="another way"), seen)  # type: ignore[arg-type]
    with pytest.raises(BundleRefused, match="BUNDLE_DIGEST_MISMATCH"):
        SYSTEM.score(Changed(signatures={"pfs": "0" * 64}), seen)  # type: ignore[arg-type]
