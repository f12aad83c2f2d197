"""Cox models: published values, intervals, tables, refusals, JSON there and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.survival.concordance import harrell
from lymphoma.survival.cox import CoxModel, fit_cox
from lymphoma.survival.cox_tables import multivariate_table, univariate_table
from lymphoma.survival.design import Categorical, Continuous
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.saved import cox_from_json, cox_to_json

from tests.unit.survival.cohorts import lung, rossi

pytestmark = pytest.mark.unit

RNG = [7, 1]


@pytest.fixture(scope="module")
def model() -> CoxModel:
    cohort = lung()
    return fit_cox(cohort.names, cohort.matrix, cohort.follow_up, endpoint="os")


def test_rossi() -> None:
    cohort = rossi()
    found = fit_cox(cohort.names, cohort.matrix, cohort.follow_up, endpoint="arrest")
    published = [-0.3794, -0.0574, 0.3139, -0.1498, -0.4337, -0.0849, 0.0915]
    np.testing.assert_allclose(found.coefficients, published, atol=6e-5)  # printed with four decimals
    assert (found.n, found.events) == (432, 114)
    assert found.log_likelihood == pytest.approx(-658.748, abs=5e-4)
    assert harrell(cohort.follow_up, found.linear_predictor(cohort.matrix)) == pytest.approx(0.6403, abs=5e-5)
    breslow = fit_cox(cohort.names, cohort.matrix, cohort.follow_up, endpoint="arrest", baseline="breslow")
    end = [cohort.follow_up.months.max()]
    gap = np.abs(found.survival(cohort.matrix, end) - breslow.survival(cohort.matrix, end)).max()
    assert gap == pytest.approx(1.3e-3, abs=1e-4)


def test_lung(model: CoxModel) -> None:
    np.testing.assert_allclose(model.coefficients, [0.01107, -0.55261, 0.46373], atol=6e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(model.covariance)), [0.00927, 0.16774, 0.11358], atol=6e-6)
    assert (model.n, model.events) == (227, 164)
    assert model.log_likelihood == pytest.approx(-729.23, abs=5e-3)
    cohort = lung()
    assert harrell(cohort.follow_up, model.linear_predictor(cohort.matrix)) == pytest.approx(0.6371, abs=5e-5)


def test_survival_is_a_step_function(model: CoxModel) -> None:
    steps = model.baseline.months
    before, at, after = np.nextafter(steps[5], 0), steps[5], (steps[5] + steps[6]) / 2
    curve = model.survival(model.means[None], [before, at, after])[0]
    assert curve[0] > curve[1] == curve[2]
    first = model.estimate(model.means[None], [steps[0] / 2])
    assert first.survival == first.lower == first.upper == 1.0


def test_tables() -> None:
    cohort = lung()
    alone = univariate_table(cohort.terms, cohort.values, cohort.follow_up, endpoint="os")
    together, rows = multivariate_table(cohort.terms, cohort.values, cohort.follow_up, endpoint="os")
    assert [row.name for row in alone] == [row.name for row in rows] == ["age", "sex", "ph.ecog"]
    sex = rows[1].coefficients[0]
    assert sex.hazard_ratio == pytest.approx(0.5754, abs=5e-5)
    assert (sex.lower, sex.upper) == (pytest.approx(0.4142, abs=5e-5), pytest.approx(0.7994, abs=5e-5))
    assert together.likelihood_ratio().chi_squared == pytest.approx(30.5, abs=5e-3)
    # What sex adds to the two others, by both routes.
    others = fit_cox(["age", "ph.ecog"], cohort.matrix[:, [0, 2]], cohort.follow_up, endpoint="os")
    ratio = rows[1].likelihood_ratio
    assert ratio is not None
    assert ratio == together.likelihood_ratio(others)
    assert ratio.degrees_of_freedom == 1


def test_table_of_levels_and_of_what_cannot_be_fitted() -> None:
    cohort = lung()
    grade = np.asarray(["low", "middle", "high"])[np.arange(227) % 3]
    terms = (Categorical("grade", ("low", "middle", "high")), Continuous("constant"))
    rows = univariate_table(terms, (grade, np.ones(227)), cohort.follow_up, endpoint="os")
    assert [c.name for c in rows[0].coefficients] == ["grade=middle", "grade=high"]
    assert rows[0].likelihood_ratio is not None
    assert rows[0].likelihood_ratio.degrees_of_freedom == 2
    assert rows[1].coefficients == ()
    assert rows[1].problem


@pytest.mark.parametrize("kind", ["collinear", "constant", "missing", "separating", "few"])
def test_refusals(kind: str) -> None:
    rng = np.random.default_rng(RNG)
    months, event, x = np.arange(1.0, 41), np.ones(40, dtype=bool), rng.normal(size=(40, 2))
    if kind == "collinear":
        x[:, 1] = x[:, 0] * 2
    elif kind == "constant":
        x[:, 1] = 3
    elif kind == "missing":
        x[3, 1] = np.nan
    elif kind == "separating":
        x[:, 1] = -months
    else:
        event[1:] = False
    with pytest.raises(NotComputable) as refused:
        fit_cox(["a", "b"], x, FollowUp(months, event), endpoint="pfs")
    assert refused.value.code == ("TOO_FEW_EVENTS" if kind == "few" else "COX_NOT_FITTED")


def test_no_survival_beyond_follow_up(model: CoxModel) -> None:
    with pytest.raises(NotComputable, match="HORIZON_BEYOND_FOLLOW_UP"):
        model.survival(model.means[None], [model.baseline.last_months * 1.01])


def test_json_gives_every_bit_back(model: CoxModel) -> None:
    again = cox_from_json(cox_to_json(model))
    for name in ("coefficients", "covariance", "means"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    for name in ("months", "cumulative_hazard", "variance", "shift"):
        np.testing.assert_array_equal(getattr(again.baseline, name), getattr(model.baseline, name))
    assert cox_to_json(again) == cox_to_json(model)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "lasso"}, "BUNDLE_UNREADABLE"),
        ({"layout": 2}, "BUNDLE_NEWER_LAYOUT"),
        ({"coefficients": [1.0]}, "BUNDLE_UNREADABLE"),
        ({"means": [1.0, 2.0, None]}, "BUNDLE_UNREADABLE"),
        ({"baseline": {}}, "BUNDLE_UNREADABLE"),
    ],
)
def test_json_of_something_else(model: CoxModel, change: dict[str, object], code: str) -> None:
    text = json.dumps(json.loads(cox_to_json(model)) | change)
    with pytest.raises(BundleRefused) as refused:
        cox_from_json(text)
    assert refused.value.code == code


@pytest.mark.parametrize("months", [[], [1.0, np.nan], [0.0, 1.0], [1.0]])
def test_follow_up_is_checked(months: list[float]) -> None:
    with pytest.raises(NotComputable, match="FOLLOW_UP_INVALID"):
        FollowUp(np.asarray(months), np.ones(2 if months else 0, dtype=bool))
