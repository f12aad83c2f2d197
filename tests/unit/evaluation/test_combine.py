"""Known weights found again, none of them negative, nobody helped by leakage, and the rules by the number of events."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.combine import IMPI, combine, cross_fit, fit_blend
from lymphoma.evaluation.ridge import PENALTIES, fit_ridge, ridge_weights
from lymphoma.survival.concordance import harrell
from lymphoma.survival.follow_up import Floats, FollowUp
from scipy.optimize import minimize
from sksurv.linear_model import CoxPHSurvivalAnalysis

from tests.unit.evaluation.cohorts import follow_up_of

pytestmark = pytest.mark.unit


def scores(n: int, k: int, seed: int) -> Floats:
    return np.random.default_rng([seed, 5]).standard_normal((n, k))


def with_events(values: Floats, seen: FollowUp, events: int) -> tuple[Floats, FollowUp]:
    """The first patients with the event and four times as many without."""
    keep = np.sort(np.concatenate([np.flatnonzero(seen.event)[:events], np.flatnonzero(~seen.event)[: 4 * events]]))
    return values[keep], seen.take(keep)


def within_folds(score: Floats, fold: np.ndarray, seen: FollowUp) -> float:
    return float(np.mean([harrell(seen.take(fold == one), score[fold == one]) for one in np.unique(fold)]))


def test_known_weights_are_recovered() -> None:
    z = scores(4000, 3, 1)
    seen = follow_up_of(z @ [0.6, 0.3, 0.0], 1)
    blend = fit_blend(("lamp", "deepmts", IMPI), z, seen)
    # 2,300 events: each weight is known to 1 / sqrt(2300) = .021; three of them, and a little shrinkage.
    assert blend.weights / blend.scales == pytest.approx([0.6, 0.3, 0.0], abs=0.065)
    assert blend.rule == "ridge"
    assert blend.penalty in PENALTIES


def test_a_score_that_points_the_wrong_way_gets_no_weight() -> None:
    z = scores(1500, 3, 2)
    blend = fit_blend(("a", "b", "c"), z, follow_up_of(z @ [0.7, -0.5, 0.2], 2))
    assert blend.weights[1] == 0.0
    assert (blend.weights >= 0).all()
    assert (blend.weights[[0, 2]] > 0).all()


@pytest.mark.parametrize("penalty", [0.001, 0.1, 1.0])
def test_weights_are_those_of_scikit_survivals_ridge_where_none_is_at_the_bound(penalty: float) -> None:
    z = scores(400, 3, 3)
    seen = follow_up_of(z @ [0.6, 0.4, 0.3], 3)
    # scikit-survival penalises the log-likelihood divided by n; ours is divided by the events.
    other = CoxPHSurvivalAnalysis(alpha=penalty * seen.events, ties="breslow", tol=1e-12, n_iter=200)
    other.fit(z, seen.structured())
    assert (other.coef_ > 0).all()
    assert ridge_weights(z, seen, penalty) == pytest.approx(other.coef_, abs=1e-6)


def test_weights_at_the_bound_are_those_of_a_general_solver() -> None:
    z = scores(300, 3, 4)
    seen = follow_up_of(z @ [0.6, -0.4, 0.0], 4)

    def loss(w: Floats) -> float:
        lp = z @ w
        at_risk = seen.months[None, :] >= seen.months[seen.event, None]
        gain = (lp[seen.event] - np.log((at_risk * np.exp(lp)).sum(axis=1))).sum()
        return float(-gain / seen.events + 0.05 / 2 * w @ w)

    found = minimize(loss, np.full(3, 0.1), method="SLSQP", bounds=[(0, None)] * 3, options={"ftol": 1e-14})
    # SLSQP goes by finite differences: six digits of the loss, four of the weights.
    assert ridge_weights(z, seen, 0.05) == pytest.approx(found.x, abs=1e-4)


def test_equal_weights_below_60_events_exactly() -> None:
    z = scores(600, 3, 5) * [1.0, 20.0, 0.1] + [0.0, 5.0, -1.0]
    seen = follow_up_of(scores(600, 3, 5) @ [0.9, 0.0, 0.0], 5)
    few, followed = with_events(z, seen, 59)
    blend = fit_blend(("a", "b", IMPI), few, followed)
    assert blend.weights.tolist() == [1 / 3, 1 / 3, 1 / 3]
    assert (blend.rule, blend.penalty, blend.events) == ("equal", None, 59)
    assert blend.scores(few) == pytest.approx(((few - few.mean(axis=0)) / few.std(axis=0)).mean(axis=1), abs=1e-12)
    more, followed = with_events(z, seen, 60)
    fitted = fit_blend(("a", "b", IMPI), more, followed)
    assert fitted.rule == "ridge"
    assert fitted.weights[0] > fitted.weights[1]


def test_fifteen_events_for_each_weight_and_the_most_redundant_input_goes_first() -> None:
    z = scores(900, 6, 6)
    z[:, 1] = z[:, 0] + 0.1 * z[:, 1]
    names = ("a", "b", "c", "d", "e", IMPI)
    values, seen = with_events(z, follow_up_of(z @ [0.3, 0.0, 0.3, 0.3, 0.3, 0.3], 6), 75)
    blend = fit_blend(names, values, seen)
    assert len(blend.used) == 75 // 15
    # a and b explain each other alike but for noise; one of the two is gone, whatever it was worth.
    assert len({"a", "b"} & set(blend.used)) == 1
    values, seen = with_events(z, follow_up_of(z @ [0.3, 0.0, 0.3, 0.3, 0.3, 0.3], 6), 90)
    assert fit_blend(names, values, seen).used == names


def test_the_impi_is_never_dropped() -> None:
    z = scores(900, 5, 7)
    z[:, 4] = z[:, 0] + 0.01 * z[:, 4]
    values, seen = with_events(z, follow_up_of(z @ [0.3, 0.3, 0.3, 0.3, 0.0], 7), 60)
    blend = fit_blend(("a", "b", "c", "d", IMPI), values, seen)
    assert blend.used == ("b", "c", "d", IMPI)


def test_what_is_dropped_does_not_depend_on_outcomes() -> None:
    z = scores(900, 5, 8)
    names = ("a", "b", "c", "d", "e")
    first, second = (with_events(z, follow_up_of(z @ beta, 8), 60) for beta in ([0.9, 0, 0, 0, 0], [0, 0, 0, 0, 0.9]))
    values = first[0]
    shuffled = second[1].take(np.random.default_rng(0).permutation(second[1].n))
    assert fit_blend(names, values, first[1]).used == fit_blend(names, values, shuffled).used


def test_every_subset_has_its_own_sub_model_from_the_patients_who_have_it() -> None:
    z = scores(700, 3, 9)
    seen = follow_up_of(z @ [0.5, 0.4, 0.3], 9)
    z[:200, 2] = np.nan
    steps: list[tuple[int, int]] = []
    made, passed = combine(("a", "b", IMPI), z, seen, progress=lambda done, of: steps.append((done, of)))
    assert passed == ()
    assert steps[-1] == (7, 7)
    by_inputs = {one.blend.inputs: one for one in made}
    assert set(by_inputs) == {("a", "b", IMPI), ("a", "b"), ("a", IMPI), ("b", IMPI), ("a",), ("b",), (IMPI,)}
    assert by_inputs["a", "b"].blend.n == 700
    assert by_inputs["a", "b", IMPI].blend.n == 500
    assert by_inputs["a", "b", IMPI].index.min() == 200
    # Each is its own fit, not the full one with a gap: the weights of what is left take over nothing here, as the
    # scores are independent, but means and scales are those of other patients.
    assert by_inputs["a", "b"].blend.means[0] != by_inputs["a", "b", IMPI].blend.means[0]
    patient = {"a": 1.0, "b": -0.5, IMPI: 0.2}
    blend = by_inputs["a", IMPI].blend
    expected = sum(
        w * (patient[name] - m) / s
        for name, w, m, s in zip(blend.used, blend.weights, blend.means, blend.scales, strict=True)
    )
    assert blend.score(patient) == pytest.approx(expected)


def test_permuted_outcomes_give_a_concordance_of_one_half() -> None:
    found, naive = [], []
    for draw in range(30):
        z = scores(240, 3, 100 + draw)
        seen = follow_up_of(z @ [0.8, 0.4, 0.0], 100 + draw)
        seen = seen.take(np.random.default_rng(draw).permutation(seen.n))
        try:
            one = cross_fit(("a", "b", "c"), z, seen, draw)
            found.append(within_folds(one.score, one.fold, seen))
        except NotComputable:  # every weight 0
            found.append(0.5)
        naive.append(harrell(seen, z @ ridge_weights(z, seen, PENALTIES[-1])))
    # C of 240 patients with 130 events scatters by .03, the mean of 30 by .0055; three of them. Weights that are judged
    # on the very patients they were fitted on are above chance, so that this would find a leak.
    assert np.mean(found) == pytest.approx(0.5, abs=0.0165)
    assert np.mean(naive) > 0.52


def test_the_cross_fitted_concordance_is_that_of_new_patients() -> None:
    z = scores(600, 3, 11)
    beta = [0.5, 0.3, 0.0]
    made, _ = combine(("a", "b", "c"), z, follow_up_of(z @ beta, 11))
    seen = follow_up_of(z @ beta, 11)
    own = within_folds(made[0].score, made[0].fold, seen)
    new = scores(4000, 3, 12)
    other = harrell(follow_up_of(new @ beta, 12), made[0].blend.scores(new))
    # Standard error of the first with 350 events: .016; of the second .006. Three of both.
    assert own == pytest.approx(other, abs=0.05)


def test_too_few_events_and_scores_without_worth_are_passed_over_with_a_code() -> None:
    z = scores(500, 2, 13)
    seen = follow_up_of(z @ [0.8, 0.0], 13)
    few, followed = with_events(z, seen, 14)
    made, passed = combine(("a", "b"), few, followed)
    assert made == ()
    assert {one.code for one in passed} == {"TOO_FEW_EVENTS"}
    backwards = z * [1.0, -1.0]
    backwards[:, 1] = -z[:, 0]
    made, passed = combine(("a", "b"), backwards, seen)
    assert [(one.inputs, one.code) for one in passed] == [(("b",), "NO_EFFECT")]
    z[:, 1] = np.nan
    _, passed = combine(("a", "b"), z, seen)
    assert {(one.inputs, one.code) for one in passed} == {
        (("a", "b"), "TOO_FEW_PATIENTS"),
        (("b",), "TOO_FEW_PATIENTS"),
    }


def test_the_same_seed_gives_the_same_bits() -> None:
    z = scores(300, 2, 14)
    seen = follow_up_of(z @ [0.5, 0.4], 14)
    first, second = (combine(("a", "b"), z, seen, seed=3)[0] for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert one.blend.weights.tobytes() == two.blend.weights.tobytes()
        assert one.score.tobytes() == two.score.tobytes()


def test_a_penalty_too_strong_is_not_chosen_where_the_scores_are_good() -> None:
    z = scores(800, 2, 15)
    found = fit_ridge(z, follow_up_of(z @ [0.8, 0.8], 15))
    assert found.penalty < 0.1
    with pytest.raises(NotComputable) as refused:
        fit_ridge(z[:20], FollowUp(np.arange(1.0, 21.0), np.arange(20) < 4))
    assert refused.value.code == "TOO_FEW_EVENTS"
