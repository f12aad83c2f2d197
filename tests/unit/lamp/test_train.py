"""``nodal train lamp`` on a cohort folder with features: a bundle that a node opens."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma import segmentation
from lymphoma.evaluation.options import Options
from lymphoma.lamp.ensemble import setup_of
from lymphoma.prognosis.feature_folder import FeatureFolder
from lymphoma.prognosis.pooled import FEATURES, PooledFeatures
from nodal.errors import Failed
from nodal.evaluation.judge import Order, judge_cohort
from nodal.evaluation.opening import open_bundle
from nodal.evaluation.patients import patients_of
from nodal.evaluation.train import Training, train
from nodal.settings import Settings

from tests.bundles import feature_cohort
from tests.unit.lamp.cohorts import NETWORK, ORGANS, SOURCE, patient

pytestmark = pytest.mark.unit

PATIENTS = 120
QUICK = "arm: paper\nfolds: 2\nseeds: 1\ninner_folds: 2\nsteps: 40\nresamples: 20\n"


def quick(folder: Path) -> Path:
    """A configuration of seconds."""
    file = folder / "train.yaml"
    file.write_text(QUICK, encoding="utf-8")
    return file


def with_features(cohort: Path) -> Path:
    """Features beside the cohort, in which each lesion tells the patient's time to progression."""
    made = FeatureFolder.make(cohort / "features", SOURCE)
    whole = patients_of(cohort)
    mixing = np.random.default_rng(4).normal(size=FEATURES)
    for number, content in enumerate(whole.contents):
        base, outcome = patient(number, lesions=2), whole.outcomes["pfs"][number]
        assert outcome is not None
        tells = np.log(outcome.months) * mixing
        rows = (base.pooled.lesions + tells).astype(np.float32)
        pooled = PooledFeatures(NETWORK, rows, base.pooled.organs, base.pooled.present, ORGANS)
        made.add(replace(base, content=content, pooled=pooled))
    return cohort


def test_a_cohort_with_features_becomes_a_bundle(tmp_path: Path) -> None:
    cohort = with_features(feature_cohort(tmp_path / "cohort", PATIENTS))
    result = train(Training("lamp", cohort, tmp_path / "lamp", endpoints=("pfs",), config=quick(tmp_path)))
    assert (result.system, result.evidence, result.trained) == ("lamp", "E0", True)
    assert result.endpoints[0].covariates == ("score:lamp_pfs",)
    assert result.endpoints[0].n == PATIENTS
    bundle = open_bundle(tmp_path / "lamp")
    assert setup_of(bundle).heads == {"pfs": ("pfs_1_0", "pfs_2_0")}
    assert bundle.metadata.nodal.trained_on == "virtual"
    # others than it learned from are judged by their images, and what it learned is found again
    fresh = with_features(feature_cohort(tmp_path / "fresh", 60, seed=91_000))
    judged = judge_cohort(
        Order((tmp_path / "lamp",), fresh, tmp_path / "report", Options(endpoints=("pfs",), resamples=20))
    )
    found = {one.model.key: one.discrimination.harrell.value for one in judged.evaluation.endpoints[0].results}
    assert found[bundle.metadata.name] > 0.7


def test_without_a_lesion_network_nothing_is_trained(tmp_path: Path) -> None:
    cohort = feature_cohort(tmp_path / "cohort", 20)
    refused = shutil.copytree(Path(segmentation.__file__).parent / "bundle", tmp_path / "refused")
    (refused / "statistics.json").write_text("{}", encoding="utf-8")
    settings = Settings.model_validate({"bundles": {"lesions": refused}})
    with pytest.raises(Failed, match="NOT_INSTALLED"):
        train(Training("lamp", cohort, tmp_path / "lamp", config=quick(tmp_path)), settings)
