"""The reviewer: trees as scikit-learn grows them, calibration, what is unknown, and its text."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES
from lymphoma.segmentation.review_data import KnownCandidates
from lymphoma.segmentation.review_figures import review_figures
from lymphoma.segmentation.review_fit import _tree, fit_judge, fit_reviewer
from lymphoma.segmentation.reviewer import SUREST, Judge, Reviewer, Tree, status_of
from sklearn.ensemble import GradientBoostingClassifier

pytestmark = pytest.mark.unit

ALL = (*PLAIN_FEATURES, *NETWORK_FEATURES)
CONTRAST, P_MEAN = PLAIN_FEATURES.index("log_contrast"), NETWORK_FEATURES.index("p_mean")


def patient(rng: np.random.Generator, parts: int = 12) -> KnownCandidates:
    """Lesions stand out a little, and the network sees them better."""
    share = (rng.random(parts) < 0.5).astype(float)
    plain = rng.normal(size=(parts, len(PLAIN_FEATURES)))
    plain[:, CONTRAST] += 1.5 * share
    network = rng.random((parts, len(NETWORK_FEATURES)))
    network[:, P_MEAN] = np.clip(0.2 + 0.6 * share + rng.normal(0, 0.15, parts), 0, 1)
    volume = rng.uniform(3, 60, parts)
    lesion = share * volume
    return KnownCandidates(plain, network, volume, lesion, volume - lesion, np.diag(lesion)[:, share > 0])


@pytest.fixture(scope="module")
def cohort() -> tuple[KnownCandidates, ...]:
    rng = np.random.default_rng(11)
    return tuple(patient(rng) for _ in range(40))


@pytest.fixture(scope="module")
def reviewer(cohort: tuple[KnownCandidates, ...]) -> Reviewer:
    return fit_reviewer(cohort)


def test_trees_predict_what_scikit_learn_predicts() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 6))
    label = (values[:, 0] + values[:, 1] * values[:, 2] > 0).astype(int)
    model = GradientBoostingClassifier(n_estimators=30, learning_rate=0.05, random_state=0).fit(values, label)
    fresh = rng.normal(size=(200, 6))
    prior = np.log(label.mean() / (1 - label.mean()))
    ours = prior + sum(_tree(one.tree_).predict(fresh) for one in model.estimators_[:, 0])
    np.testing.assert_allclose(ours, model.decision_function(fresh), atol=1e-9)


def test_probabilities_of_unseen_patients_are_calibrated(reviewer: Reviewer) -> None:
    rng = np.random.default_rng(12)
    fresh = [patient(rng) for _ in range(120)]
    p = [reviewer.seen.probability(one.features(ALL)) for one in fresh]
    figures = review_figures(fresh, p)
    assert figures.brier is not None
    assert figures.brier < 0.09
    for one in figures.reliability:
        # three standard errors of a share, and what 480 candidates leave uncertain of the curve itself
        assert abs(one.mean_probability - one.mean_lesion_share) < 1.5 / np.sqrt(one.parts) + 0.08
    blind = review_figures(fresh, [reviewer.unseen.probability(one.features(PLAIN_FEATURES)) for one in fresh])
    assert blind.brier is not None
    assert figures.brier < blind.brier < 0.25


def test_out_of_fold_probabilities_do_not_know_their_own_patient() -> None:
    """With labels drawn by lot nothing can be learnt: only a model that saw the patient would find them."""
    rng = np.random.default_rng(5)
    drawn = []
    for one in (patient(rng) for _ in range(40)):
        lot = (rng.random(len(one)) < 0.5) * one.volume_ml
        drawn.append(replace(one, lesion_ml=lot, other_ml=one.volume_ml - lot, met_ml=lot[:, None]))
    judge, unseen = fit_judge(drawn, ALL)
    share = np.concatenate([one.lesion_share for one in drawn])
    own = np.concatenate([judge.score(one.features(ALL)) for one in drawn])
    assert np.corrcoef(own, share)[0, 1] > 0.6
    # a coin's Brier score is .25; Platt's two numbers, fitted on 480 lots, may win a little
    assert np.mean((np.concatenate(unseen) - share) ** 2) > 0.24


def test_what_was_never_seen_becomes_to_confirm(reviewer: Reviewer, cohort: tuple[KnownCandidates, ...]) -> None:
    values = cohort[0].features(ALL)
    sure = int(np.argmax(reviewer.seen.probability(values)))
    strange = values[sure : sure + 1].copy()
    known = float(reviewer.seen.probability(strange)[0])
    distances = []
    for steps in (0.0, 5.0, 50.0):
        column = PLAIN_FEATURES.index("hu_mean")
        strange[0, column] = reviewer.seen.highest[column] + steps * reviewer.seen.spread[column]
        distances.append(abs(float(reviewer.seen.probability(strange)[0]) - 0.5))
    assert status_of(known) == "accepted"
    assert distances[0] > distances[1] > distances[2]
    assert status_of(0.5 + distances[2]) == "to_confirm"


def test_text_brings_the_same_probabilities_back(reviewer: Reviewer, cohort: tuple[KnownCandidates, ...]) -> None:
    again = Reviewer.from_json(reviewer.to_json())
    assert again == reviewer
    values = cohort[1].features(ALL)
    assert np.array_equal(again.seen.probability(values), reviewer.seen.probability(values))
    assert len(reviewer.to_json()) < 1_000_000


def _other_layout(text: str) -> str:
    return text.replace('"layout":1', '"layout":2')


def _other_features(text: str) -> str:
    return text.replace('"log_contrast"', '"mood"')


def _loop(text: str) -> str:
    content = json.loads(text)
    content["seen"]["trees"][0]["left"][0] = 0
    return json.dumps(content)


@pytest.mark.parametrize("spoil", [_other_layout, _other_features, _loop, lambda _: "[]", lambda _: "{", lambda _: "1"])
def test_other_texts_are_refused(reviewer: Reviewer, spoil) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
        Reviewer.from_json(spoil(reviewer.to_json()))


def test_features_that_are_not_finite_or_too_few_are_refused(reviewer: Reviewer) -> None:
    values = np.zeros((2, len(ALL)))
    values[1, 3] = np.nan
    for wrong in (values, values[:, :-1]):
        with pytest.raises(ValueError, match="finite features"):
            reviewer.seen.probability(wrong)


def test_nobody_is_surer_than_the_limit() -> None:
    leaf = Tree((-1,), (0.0,), (-1,), (-1,), (0.0,))
    judge = Judge(("a",), 40.0, (leaf,), 1.0, 0.0, (0.0,), (1.0,), (1.0,), 1, 1)
    assert judge.probability(np.array([[0.5]]))[0] == pytest.approx(SUREST)
    assert replace(judge, start=-40.0).probability(np.array([[0.5]]))[0] == pytest.approx(1 - SUREST)


@pytest.mark.parametrize(
    ("p", "status"), [(0.7, "accepted"), (0.69, "to_confirm"), (0.31, "to_confirm"), (0.3, "rejected")]
)
def test_thresholds(p: float, status: str) -> None:
    assert status_of(p) == status


def test_too_few_patients_learn_nothing(cohort: tuple[KnownCandidates, ...]) -> None:
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        fit_reviewer(cohort[:4])
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        fit_reviewer([replace(one, lesion_ml=one.volume_ml, other_ml=0 * one.volume_ml) for one in cohort])


def test_figures_of_a_case_counted_by_hand() -> None:
    def column(*values: float) -> npt.NDArray[np.float64]:
        return np.array(values)

    one = KnownCandidates(
        plain=np.zeros((4, len(PLAIN_FEATURES))),
        network=None,
        volume_ml=column(12.0, 8.0, 30.0, 5.0),
        lesion_ml=column(10.0, 6.0, 0.0, 0.0),
        other_ml=column(0.0, 1.0, 30.0, 5.0),
        met_ml=np.array([[10.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    )
    figures = review_figures([one], [column(0.9, 0.5, 0.1, 0.8)])
    assert figures.lesion_kept == pytest.approx(10 / 16)
    assert figures.lesion_kept_to_confirm == pytest.approx(1.0)
    assert figures.physiological_removed == pytest.approx(31 / 36)
    assert figures.physiological_rejected == pytest.approx(30 / 36)
    assert figures.lesions_found == pytest.approx(1 / 2)  # the third lesion is in no candidate and does not count
    assert (figures.to_confirm_parts, figures.to_confirm_volume) == (pytest.approx(0.25), pytest.approx(8 / 55))
    # true TMTV 12 + 7 (2 and 1 mL of spill-out among them): 55 before, 12 + 5 after
    assert figures.tmtv_error_before_ml == pytest.approx(36.0)
    assert figures.tmtv_error_ml == pytest.approx(2.0)
    assert figures.brier == pytest.approx((0.01 + (0.5 - 6 / 7) ** 2 + 0.01 + 0.64) / 4)
    assert [(one.lowest, one.parts) for one in figures.reliability] == [(0.1, 1), (0.5, 1), (0.7, 1), (0.9, 1)]


def test_no_patient_gives_no_figure() -> None:
    figures = review_figures([], [])
    assert (figures.patients, figures.lesion_kept, figures.tmtv_error_ml, figures.reliability) == (0, None, None, ())
