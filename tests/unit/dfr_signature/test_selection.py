"""Repeatability, labels, the selection of features, and the settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.dfr_signature.config import PUBLISHED, SHIPPED, DfrConfig, read_dfr_config
from lymphoma.dfr_signature.inputs import InputSettings
from lymphoma.dfr_signature.labels import Label, label_of
from lymphoma.dfr_signature.repeatability import icc_2_1
from lymphoma.dfr_signature.selection import FeatureSelection, SelectionSettings, fit_selection
from lymphoma.errors import BundleRefused, ConfigInvalid, NotComputable
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.ipcw import uncensored_probability
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.unit

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
).T
"""Four judges, six subjects: Table 2 of Shrout and Fleiss, whose mean squares are 11.24, 32.49 and 1.02."""


def test_agreement_is_that_of_a_table_worked_by_hand() -> None:
    between, judges, rest = 56.208333 / 5, 97.458333 / 3, 15.291667 / 15
    by_hand = (between - rest) / (between + 3 * rest + 4 * (judges - rest) / 6)
    assert icc_2_1(SHROUT_FLEISS) == pytest.approx(by_hand, rel=1e-6)
    assert icc_2_1(SHROUT_FLEISS) == pytest.approx(0.29, abs=0.005)  # as printed


def test_agreement_of_many_features_is_that_of_each() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 9, 5)) + 2 * rng.normal(size=(1, 9, 5))
    each = [float(icc_2_1(x[..., column])) for column in range(5)]
    np.testing.assert_allclose(icc_2_1(x), each, rtol=1e-12)
    np.testing.assert_allclose(icc_2_1(40 - 3 * x), each, rtol=1e-9)
    assert icc_2_1(np.repeat(x[:1], 3, axis=0)) == pytest.approx([1.0] * 5)
    # absolute agreement: a rater who always says more agrees less
    biased = np.repeat(x[:1], 3, axis=0)
    biased[1] += 3.0
    assert (icc_2_1(biased) < 0.9).all()


def test_a_feature_that_never_differs_or_is_no_number_has_no_agreement() -> None:
    x = np.random.default_rng(1).normal(size=(2, 6, 3))
    x[..., 0] = 0.1
    x[1, 3, 1] = np.nan
    assert np.isnan(icc_2_1(x)).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="two"):
        icc_2_1(x[:1])


def cohort(n: int = 120, p: int = 40, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, two repeats, events. Columns 5 to 7 tell the event; the last ten agree with nothing."""
    rng = np.random.default_rng(seed)
    event = rng.uniform(size=n) < 0.4
    features = rng.normal(size=(n, p)) * rng.uniform(0.5, 20, p) + rng.normal(size=p) * 10
    features[:, 5:8] += event[:, None] * np.array([1.0, 1.0, 1.0]) * 2 * features[:, 5:8].std(axis=0)
    repeats = features + rng.normal(size=(2, n, p)) * 0.1 * features.std(axis=0)
    repeats[..., -10:] += rng.normal(size=(2, n, 10)) * 2 * features[:, -10:].std(axis=0)
    return features, repeats, event


@pytest.mark.paper("dfr-icc", "dfr-ten", "dfr-feature-zscore")
def test_ten_repeatable_features_are_kept_as_z_scores() -> None:
    features, repeats, event = cohort()
    made = fit_selection(features, repeats, event)
    agreement = icc_2_1(np.concatenate([features[None], repeats]))
    assert len(made.columns) == len(set(made.columns)) == 10
    assert made.repeatable == (agreement > 0.8).sum() == 30
    assert min(made.icc) > 0.8
    np.testing.assert_allclose(made.icc, agreement[list(made.columns)])
    z = made.apply(features)
    assert z.shape == (120, 10)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-9)
    chosen = features[:, list(made.columns)]
    np.testing.assert_allclose(made.apply(features + 1) - z, np.broadcast_to(1 / chosen.std(axis=0), z.shape))


@pytest.mark.paper("dfr-mutual-information")
def test_the_first_ten_by_mutual_information_come_first() -> None:
    features, repeats, event = cohort()
    made = fit_selection(features, repeats, event)
    assert set(made.columns[:3]) == {5, 6, 7}
    assert list(made.information) == sorted(made.information, reverse=True)
    kept = features[:, :30]
    z = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    expected = mutual_info_classif(z, event, random_state=0)
    np.testing.assert_allclose(made.information, np.sort(expected)[::-1][:10], rtol=1e-9)
    assert fit_selection(features, repeats, event) == made


def test_of_equally_informative_features_the_lower_column_comes_first() -> None:
    features, _, event = cohort()
    features[:, 20] = features[:, 21] = 0.0
    informative = features[:, 5].copy()
    for column in (9, 3, 17):
        features[:, column] = informative
    made = fit_selection(features, np.stack([features, features]), event)
    assert [one for one in made.columns if one in (3, 5, 9, 17)] == [3, 5, 9, 17]
    assert not {20, 21} & set(made.columns)  # constant ones tell nothing
    assert made.repeatable == 38


@pytest.mark.paper("dfr-training-only")
def test_validation_patients_change_nothing_that_is_fitted() -> None:
    features, repeats, event = cohort(180)
    train, held = np.arange(120), np.arange(120, 180)
    made = fit_selection(features[train], repeats[:, train], event[train])
    before = made.apply(features[train])
    features[held] *= -7.0
    repeats[:, held] += 1e3
    event[held] = ~event[held]
    again = fit_selection(features[train], repeats[:, train], event[train])
    assert again == made
    np.testing.assert_array_equal(again.apply(features)[:120], before)


@pytest.mark.paper("dfr-training-only")
def test_shuffled_labels_are_not_told_when_the_selection_is_made_inside_the_fold() -> None:
    rng = np.random.default_rng(5)
    inside, leaking = [], []
    for _ in range(8):
        features = rng.normal(size=(60, 60))
        event = rng.permutation(np.arange(60) < 24)
        repeats = features[None] + 0.1 * rng.normal(size=(1, 60, 60))
        everybody = fit_selection(features, repeats, event)
        chances = np.empty((2, 60))
        for held in np.array_split(rng.permutation(60), 3):
            train = np.setdiff1d(np.arange(60), held)
            own = fit_selection(features[train], repeats[:, train], event[train])
            for row, selection in enumerate((own, everybody)):
                model = LogisticRegression().fit(selection.apply(features[train]), event[train])
                chances[row, held] = model.decision_function(selection.apply(features[held]))
        inside.append(roc_auc_score(event, chances[0]))
        leaking.append(roc_auc_score(event, chances[1]))
    assert np.mean(inside) == pytest.approx(0.5, abs=0.11)  # eight of an SD near .08: 4 standard errors
    # the test would see a selection that had looked at the held-out patients
    assert np.mean(leaking) > np.mean(inside) + 0.06


def test_patients_whose_label_is_unknown_tell_no_information_but_agree_with_themselves() -> None:
    features, repeats, event = cohort()
    known = np.arange(120) % 3 > 0
    made = fit_selection(features, repeats, event, known=known)
    other = event.copy()
    other[~known] = ~other[~known]
    assert fit_selection(features, repeats, other, known=known) == made
    assert fit_selection(features, repeats, event) != made


def test_too_few_repeatable_features_or_events_are_said() -> None:
    features, repeats, event = cohort()
    with pytest.raises(NotComputable, match="30 features have an ICC") as refused:
        fit_selection(features, repeats, event, SelectionSettings(features=31))
    assert refused.value.code == "TOO_FEW_REPEATABLE"
    for label in (np.arange(120) < 3, np.arange(120) >= 3):
        with pytest.raises(NotComputable) as refused:
            fit_selection(features, repeats, label)
        assert refused.value.code == "TOO_FEW_EVENTS"
    with pytest.raises(ValueError, match="agree"):
        fit_selection(features, repeats[:, 1:], event)


def test_features_that_are_no_numbers_are_never_selected_nor_judged() -> None:
    features, repeats, event = cohort()
    features[3, 5] = np.nan
    made = fit_selection(features, repeats, event)
    assert 5 not in made.columns
    features[0, made.columns[0]] = np.inf
    with pytest.raises(NotComputable, match="VALUES_NOT_FINITE"):
        made.apply(features)
    with pytest.raises(ValueError, match="40"):
        made.apply(features[:, 1:])


def test_a_selection_comes_back_from_json_and_a_broken_one_does_not() -> None:
    features, repeats, event = cohort()
    made = fit_selection(features, repeats, event)
    text = made.to_json()
    assert FeatureSelection.from_json(text) == made
    content = json.loads(text)
    broken = (
        "[]",
        "{",
        json.dumps(content | {"kind": "other"}),
        json.dumps(content | {"columns": content["columns"][1:]}),
        json.dumps(content | {"columns": [40, *content["columns"][1:]]}),
        json.dumps(content | {"spreads": [0.0, *content["spreads"][1:]]}),
        json.dumps(content | {"more": 1}),
    )
    for one in broken:
        with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
            FeatureSelection.from_json(one)
    with pytest.raises(BundleRefused, match="BUNDLE_NEWER_LAYOUT"):
        FeatureSelection.from_json(json.dumps(content | {"layout": 2}))


FOLLOW_UP = FollowUp(
    np.array([5.0, 9.0, 12.0, 20.0, 23.0, 30.0, 40.0, 50.0]),
    np.array([True, False, True, False, True, True, False, False]),
)


@pytest.mark.paper("dfr-label")
def test_the_published_label_is_any_event_during_follow_up() -> None:
    label = label_of("event", FOLLOW_UP)
    np.testing.assert_array_equal(label.event, FOLLOW_UP.event)
    assert label.weight.tolist() == [1.0] * 8
    assert label.known.all()


@pytest.mark.paper("dfr-label")
def test_the_other_label_weights_those_whose_two_years_are_known() -> None:
    label = label_of("ipcw_24m", FOLLOW_UP)
    assert label.event.tolist() == [True, False, True, False, True, False, False, False]
    assert label.known.tolist() == [True, False, True, False, True, True, True, True]
    # G by hand: 1 until 9, then 6/7; after the censoring at 20, 4 of 5 of that
    g = np.array([1, 0, 6 / 7, 0, 6 / 7 * 4 / 5, *[6 / 7 * 4 / 5] * 3])
    expected = np.divide(1, g, where=g > 0, out=np.zeros(8))
    np.testing.assert_allclose(label.weight, expected / expected[label.known].mean())
    np.testing.assert_allclose(uncensored_probability(FOLLOW_UP, [24.0]), 6 / 7 * 4 / 5)
    assert label.weight[label.known].mean() == pytest.approx(1.0)


def test_one_kind_of_patients_teaches_nothing() -> None:
    free = FollowUp(FOLLOW_UP.months, np.zeros(8, dtype=bool))
    for kind, follow_up in (("event", free), ("ipcw_24m", FOLLOW_UP.take([5, 6, 7]))):
        with pytest.raises(NotComputable) as refused:
            label_of(kind, follow_up)
        assert refused.value.code == "ONE_CLASS"
    assert isinstance(label_of("event", FOLLOW_UP), Label)


def test_the_shipped_settings_are_read_and_differ_from_the_papers_in_the_weights_alone() -> None:
    shipped = read_dfr_config(SHIPPED)
    assert shipped.weights.source != PUBLISHED.weights.source == "keras_cache"
    assert replace(shipped, weights=PUBLISHED.weights) == PUBLISHED
    assert shipped.signature.time_limit_s is None, "a limit that is reached makes a signature that no seed repeats"


@pytest.mark.parametrize(
    "text",
    [
        "image: mri",
        "backbone: resnet18",
        "other: 1",
        "endpoints: []",
        "inputs: {scales: [2, 3]}",
        "inputs: {perturbed: [shifted, shifted]}",
        "inputs: {crop: {margin: 3}}",
        "selection: {least_icc: 1.0}",
        "grey: {ct: [3.0, -3.0]}",
        "weights: {source: file, path: weights.h5}",
        "signature: {learners: {}}",
        "signature: {learners: {KNN: {}}}",
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid, match="CONFIG_INVALID"):
        read_dfr_config(file)


def test_settings_that_make_sense_are_read(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("image: pet\nlabel: ipcw_24m\ninputs: {perturbed: [eroded]}\n")
    assert read_dfr_config(file) == DfrConfig(
        image="pet", label="ipcw_24m", inputs=InputSettings(perturbed=("eroded",))
    )
