"""A bundle of the signature: written, opened, and run on a study as on a cohort."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.dfr_signature.backbones import Backbone, GivenTensors, RandomProjection, open_backbone
from lymphoma.dfr_signature.config import DfrConfig, SignatureConfig
from lymphoma.dfr_signature.ensemble import SETUP_WORD, setup_of
from lymphoma.dfr_signature.export import export_dfr
from lymphoma.dfr_signature.features import of_cohort
from lymphoma.dfr_signature.fit import DfrFit, fit_dfr
from lymphoma.dfr_signature.inputs import InputSettings, inputs_of, way_of
from lymphoma.dfr_signature.range import RANGE_NAMES, range_features
from lymphoma.dfr_signature.scoring import scores_of
from lymphoma.dfr_signature.selection import SelectionSettings
from lymphoma.dfr_signature.signature import Learners
from lymphoma.dfr_signature.system import SYSTEM
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.training.bundle import load_bundle
from lymphoma.training.case import Outcome
from lymphoma.training.statistics import fit_statistics
from lymphoma.training.weights import halved

from tests.unit.dfr_signature.made_up import box, study

pytestmark = pytest.mark.unit

ONE: Learners = {"LR": {}}
N = 24
CONFIG = DfrConfig(
    backbone="densenet121",
    inputs=InputSettings(perturbed=("shifted",)),
    selection=SelectionSettings(features=4, least_icc=0.0),
    signature=SignatureConfig(folds=2, stack_levels=0),
    endpoints=("pfs",),
    folds=2,
    resamples=20,
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> InputCohort:
    folder = InputFolder.make(
        tmp_path_factory.mktemp("inputs") / "dfr", InputSource("made up", True, "dfr_signature", way_of(CONFIG.inputs))
    )
    rng = np.random.default_rng(0)
    for number in range(N):
        seen = study(box(12, 15, 20, (4, 5 + number % 3, 6)), seed=number)
        event = bool(number % 2)
        outcome = Outcome(float(rng.uniform(5, 20) if event else rng.uniform(30, 60)), event)
        content = hashlib.sha256(str(number).encode()).hexdigest()
        folder.keep(
            KnownPatient(
                content, "one", seen.clinical, seen.pet, {"pfs": outcome, "os": None}, inputs_of(seen, CONFIG.inputs)
            )
        )
    return input_cohort(folder)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    drawn = open_backbone(CONFIG.backbone, RandomProjection(3))
    return open_backbone(CONFIG.backbone, GivenTensors(halved(drawn.tensors()), "random projection, seed 3"))


@pytest.fixture(scope="module")
def fitted(cohort: InputCohort, backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> DfrFit:
    features = of_cohort(cohort, backbone, CONFIG)
    return fit_dfr(cohort.patients, features, CONFIG, tmp_path_factory.mktemp("folds"), learners=ONE)


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
    number = next(n for n in range(N) if hashlib.sha256(str(n).encode()).hexdigest() == few.patients.contents[0])
    told = SYSTEM.score(bundle, study(box(12, 15, 20, (4, 5 + number % 3, 6)), seed=number))
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
