"""DeepMTS learns from a cohort by one call: networks, AutoRadio and the nomogram in one bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.deepmts.auto_radio import ARRAY, AutoRadio
from lymphoma.deepmts.learner import LEARNER, DeepMtsLearner
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.evaluation.learner import Asked, Learned
from lymphoma.radiomics import NAMES

from tests.unit.deepmts.made_up import SMALL, arrays, cohort
from tests.unit.deepmts.test_inputs import study

pytestmark = pytest.mark.unit

PATIENTS = 90
QUICK = """
arm: mask_only
field: {size: [32, 32, 32], edge_mm: 20.0}
folds: 2
stop_folds: 3
resamples: 50
training:
  steps: 4
  batch_size: 4
  precision: float32
  optimiser: {learning_rate: 1.0e-3}
  validation: {metric: harrell, direction: max}
"""


def with_radiomics(path: Path) -> InputCohort:
    """Features of noise, but for one that tells the radius by which these patients fare."""
    made = cohort(path, range(PATIENTS))
    radius = {arrays(seed)[0]["mask"].tobytes(): arrays(seed)[1] for seed in range(PATIENTS)}
    for number, content in enumerate(made.folder.contents):
        known = made.folder.known(content)
        features = np.random.default_rng([number, 8]).normal(size=len(NAMES))
        features[40] = radius[known.arrays["mask"].tobytes()]
        made.folder.keep(replace(known, arrays={**known.arrays, ARRAY: features}))
    return input_cohort(made.folder)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[InputCohort, Learned]:
    folder = tmp_path_factory.mktemp("learner")
    (folder / "train.yaml").write_text(QUICK, encoding="utf-8")
    patients = with_radiomics(folder / "inputs")
    asked = Asked("made up", "made up", endpoints=("pfs",), config=folder / "train.yaml")
    return patients, DeepMtsLearner(field=SMALL).learn(patients, folder / "bundle", asked)


def test_the_bundle_holds_the_nomogram_and_its_radiomics(learned: tuple[InputCohort, Learned]) -> None:
    made = learned[1]
    names = ["stage", "score:deepmts_pfs", "score:auto_radio_pfs"]
    assert [term.name for term in made.fits[0].model.terms] == names
    model = made.bundle.survival("pfs")
    assert model is not None
    assert [term.name for term in model.terms] == names
    radio = AutoRadio.from_json(made.bundle.further("auto_radio") or "")
    assert radio.region == "lesions"
    assert radio.settings == LEARNER.radiomics
    assert NAMES[40] in radio.models["pfs"].names
    assert made.fits[0].concordance.estimate > 0.7


def test_a_cohort_is_scored_with_everything_the_nomogram_reads(learned: tuple[InputCohort, Learned]) -> None:
    patients, made = learned
    scores = DeepMtsLearner(field=SMALL).scores(made.bundle, patients.take([3, 1]))
    assert set(scores) == {"deepmts_pfs", "auto_radio_pfs"}
    assert all(np.isfinite(one).all() and one.shape == (2,) for one in scores.values())


def test_inputs_hold_the_radiomics_of_the_accepted_lesions() -> None:
    given = study()
    found = LEARNER.inputs(given)
    assert found[ARRAY].shape == (len(NAMES),)
    assert np.isfinite(found[ARRAY]).all()
    assert "wavelet" in LEARNER.way
    tiny = np.zeros_like(given.lesion_map.array)
    tiny[tuple(np.argwhere(given.lesion_map.array)[0])] = 1
    small = replace(given, lesion_map=given.lesion_map.with_array(tiny), accepted=(1,))
    assert np.isnan(LEARNER.inputs(small)[ARRAY]).all()
