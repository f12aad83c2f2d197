"""AutoRadio: which columns reach the Lasso, that a patient's score is by a fit that never saw him, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from lymphoma.deepmts.auto_radio import (
    ARRAY,
    AutoRadio,
    RadioConfig,
    RadioModel,
    cross_fit_radio,
    features_of,
    fit_radio,
    further_scores,
    radiomics_of,
)
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.evaluation.input_cohort import input_cohort
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.prognosis.system import StudyArrays
from lymphoma.radiomics import NAMES, RadiomicsSettings, extract
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.concordance import harrell
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.bundle import Bundle

from tests.unit.deepmts.radio_patients import radio_patients
from tests.unit.radiomics.plain import volume

pytestmark = pytest.mark.unit

QUICK = RadioConfig(folds=5, penalties=20)


def made_up(n: int = 150, p: int = 12, seed: int = 0) -> tuple[np.ndarray[Any, Any], FollowUp, tuple[str, ...]]:
    """The hazard follows the first column; a name for each."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.geomspace(0.01, 1000, p) + 5
    event = 20 * rng.exponential(size=n) * np.exp(-1.2 * (x[:, 0] - 5) / 0.01)
    end = rng.uniform(24, 60, size=n)
    return x, FollowUp(np.minimum(event, end), event <= end), tuple(NAMES[:p])


@pytest.mark.paper("mtdlr-auto-radio")
def test_the_score_is_the_sum_of_coefficients_and_z_scores() -> None:
    x, follow_up, names = made_up()
    model = fit_radio(x, follow_up, QUICK, names)
    assert names[0] in model.names
    at = [names.index(name) for name in model.names]
    z = (x[:, at] - x[:, at].mean(axis=0)) / x[:, at].std(axis=0)
    assert np.allclose(model.score(x, names), z @ np.array(model.coefficients))
    assert harrell(follow_up, model.score(x, names)) > 0.7


def test_constant_missing_and_repeated_columns_are_left_out() -> None:
    x, follow_up, names = made_up()
    x[:, 3] = 7.0
    x[:, 4] = 1e9 + 1e-3 * np.random.default_rng(0).normal(size=len(x)) * 1e-6
    x[5, 5] = np.nan
    x[:, 6] = -2 * x[:, 0] + 3
    model = fit_radio(x, follow_up, QUICK, names)
    assert model.offered == len(names) - 4
    assert not {names[at] for at in (3, 4, 5, 6)} & set(model.names)


def test_nothing_to_choose_from_is_said() -> None:
    x, follow_up, names = made_up()
    with pytest.raises(NotComputable, match="NO_EFFECT"):
        fit_radio(np.ones_like(x), follow_up, QUICK, names)


def test_a_patient_s_own_values_do_not_enter_his_score_out_of_fold() -> None:
    x, follow_up, names = made_up()
    parts = [np.arange(first, len(x), 5) for first in range(5)]
    before = cross_fit_radio(x, follow_up, parts, QUICK, names)
    held = parts[2]
    months, event = follow_up.months.copy(), follow_up.event.copy()
    months[held], event[held] = months[held][::-1], event[held][::-1]
    after = cross_fit_radio(x, FollowUp(months, event), parts, QUICK, names)
    assert np.array_equal(before.out_of_fold[held], after.out_of_fold[held])
    assert not np.array_equal(before.out_of_fold, after.out_of_fold)
    by_hand = fit_radio(np.delete(x, held, axis=0), follow_up.take(np.delete(np.arange(len(x)), held)), QUICK, names)
    assert np.array_equal(before.out_of_fold[held], by_hand.score(x[held], names))


def test_permuted_outcomes_give_no_score_that_orders_patients() -> None:
    given = radio_patients(500, "texture")
    follow_up = given.patients.follow_up("pfs", given.risk.index)
    found = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(follow_up.n)
        with suppress(NotComputable):  # the Lasso then selects nothing, which is right
            score = cross_fit_radio(given.features, follow_up.take(order), given.risk.parts, QUICK)
            found.append(harrell(follow_up.take(order), score.out_of_fold))
    # One run scatters by about .03; in-sample the same fit reaches .55 and more.
    assert abs(float(np.mean([*found, 0.5])) - 0.5) < 0.04


def radio() -> AutoRadio:
    model = RadioModel((NAMES[3], NAMES[1450]), (0.1, 1 / 3), (2.0, 3.0), (0.7, -0.2), 0.05, 40)
    return AutoRadio("lesions", RadiomicsSettings(), {"pfs": model, "os": replace(model, coefficients=(0.1, 0.2))})


def test_it_comes_back_from_its_file() -> None:
    assert AutoRadio.from_json(radio().to_json()) == radio()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "cox"}, "BUNDLE_UNREADABLE"),
        ({"layout": 2}, "BUNDLE_NEWER_LAYOUT"),
        ({"region": "liver"}, "BUNDLE_UNREADABLE"),
        ({"more": 1}, "BUNDLE_UNREADABLE"),
        ({"settings": {"pet_bin_width_suv": -1.0}}, "BUNDLE_UNREADABLE"),
    ],
)
def test_another_file_is_refused(change: Mapping[str, object], code: str) -> None:
    text = json.dumps({**json.loads(radio().to_json()), **change})
    with pytest.raises(BundleRefused) as told:
        AutoRadio.from_json(text)
    assert told.value.code == code


def test_features_that_nobody_extracts_are_refused() -> None:
    text = radio().to_json().replace(NAMES[3], "pet_original_gldm_DependenceEntropy")
    with pytest.raises(BundleRefused, match="does not extract"):
        AutoRadio.from_json(text)


def study() -> StudyArrays:
    rng = np.random.default_rng(2)
    lesions = np.zeros((16, 14, 15), dtype=np.uint16)
    lesions[2:6, 2:6, 2:6] = 1
    lesions[9:14, 7:11, 8:12] = 2
    suv, ct = (volume(rng.normal(size=lesions.shape).astype(np.float32) * scale) for scale in (3, 60))
    pet = PetMeasures(tmtv_ml=10.0)
    return StudyArrays(suv, ct, volume(lesions), cast(Any, None), ClinicalFactors(), pet, accepted=(2,))


@pytest.mark.paper("mtdlr-region")
def test_the_region_is_that_of_the_accepted_lesions_or_one_that_is_given() -> None:
    given = study()
    second = given.lesion_map.with_array(given.lesion_map.array == 2)
    own = extract(given.suv, given.ct_hu, second, workers=1).values
    assert np.array_equal(radiomics_of(given, workers=1)[ARRAY], own)
    every = given.lesion_map.with_array(given.lesion_map.array > 0)
    other = radiomics_of(given, every, workers=1)[ARRAY]
    assert np.array_equal(other, extract(given.suv, given.ct_hu, every, workers=1).values)
    with pytest.raises(NotComputable, match="NO_AVID_LESION"):
        radiomics_of(replace(given, accepted=()), workers=1)


def bundle(further: Mapping[str, str]) -> Bundle:
    return cast(Bundle, SimpleNamespace(further=further.get))


def test_a_bundle_s_scores_of_a_study() -> None:
    given = study()

    def no_mask() -> Volume:
        raise AssertionError("nobody asked for the predicted mask")

    values = radiomics_of(given, workers=1)[ARRAY][None]
    by_hand = replace(radio(), region="contour")
    kept = bundle({"auto_radio": radio().to_json(), "manual_radio": by_hand.to_json()})
    found = further_scores(kept, given, no_mask)
    assert found == {name: float(one[0]) for of in (radio(), by_hand) for name, one in of.scores(values).items()}
    assert set(found) == {"auto_radio_pfs", "auto_radio_os", "manual_radio_pfs", "manual_radio_os"}
    assert further_scores(bundle({}), given, no_mask) == {}


def test_the_predicted_mask_where_the_bundle_wants_it() -> None:
    given = study()
    predicted = replace(radio(), region="predicted_mask")
    kept = bundle({"auto_radio": predicted.to_json()})
    mask = given.lesion_map.with_array(given.lesion_map.array > 0)
    values = radiomics_of(given, mask, workers=1)[ARRAY][None]
    assert further_scores(kept, given, lambda: mask) == {
        name: float(one[0]) for name, one in predicted.scores(values).items()
    }
    nothing = mask.with_array(np.zeros_like(mask.array))
    assert further_scores(kept, given, lambda: nothing) == {}


def test_a_region_too_small_gives_no_score() -> None:
    given = study()
    speck = np.zeros_like(given.lesion_map.array)
    speck[3, 3, 3] = 2
    small = replace(given, lesion_map=given.lesion_map.with_array(speck))
    assert further_scores(bundle({"auto_radio": radio().to_json()}), small, lambda: given.suv) == {}


def test_features_of_a_cohort_come_from_its_folder(tmp_path: Path) -> None:
    source = InputSource("made up", True, "deepmts", RadiomicsSettings().way)
    folder = InputFolder.make(tmp_path / "inputs", source)
    rows = np.random.default_rng(0).normal(size=(3, len(NAMES)))
    for at, row in enumerate(rows):
        folder.keep(
            KnownPatient(
                f"{at:064x}",
                "here",
                ClinicalFactors(),
                PetMeasures(),
                {"pfs": None, "os": None},
                {ARRAY: row},
            )
        )
    assert np.array_equal(features_of(input_cohort(folder)), rows)
    folder.keep(
        KnownPatient(
            f"{2:064x}", "here", ClinicalFactors(), PetMeasures(), {"pfs": None, "os": None}, {ARRAY: rows[0, :5]}
        )
    )
    with pytest.raises(NotComputable, match="FEATURES_UNREADABLE"):
        features_of(input_cohort(folder))
