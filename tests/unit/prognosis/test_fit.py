"""What a fitted model holds: the Cox model, cut-offs, groups, horizons."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.model import CURVE_MONTHS, WithheldHorizon
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.curves import kaplan_meier
from lymphoma.survival.cutoffs import fit_cutoff
from lymphoma.survival.design import columns_of, encode
from lymphoma.survival.follow_up import FollowUp

from tests.unit.prognosis.samples import TERMS, N, columns, follow_up, model

pytestmark = pytest.mark.unit


def test_the_cox_model_is_that_of_the_survival_room() -> None:
    plain = fit_cox(columns_of(TERMS), encode(TERMS, columns()), follow_up(), endpoint="pfs")
    cox = model().cox
    assert np.array_equal(cox.coefficients, plain.coefficients)
    assert (cox.n, cox.events, cox.endpoint) == (N, follow_up().events, "pfs")
    x = encode(TERMS, columns())[:5]
    tenths = np.arange(0, 700) / 10
    tenths = tenths[tenths <= plain.baseline.last_months]
    assert np.array_equal(cox.survival(x, tenths), plain.survival(x, tenths))
    assert np.array_equal(cox.estimate(x, tenths[1:]).lower, plain.estimate(x, tenths[1:]).lower)
    between = np.linspace(0.01, 60, 1000)
    early, late = plain.survival(x, between), plain.survival(x, np.maximum(between - 0.1, 0))
    assert (cox.survival(x, between) >= early).all()
    assert (cox.survival(x, between) <= late + 1e-12).all()


def test_percentiles_are_of_the_training_patients() -> None:
    lp = model().linear_predictor(columns())
    assert len(model().percentiles) == 101
    assert model().percentiles[0] == lp.min()
    assert model().percentiles[50] == pytest.approx(np.median(lp))
    assert model().percentiles[100] == lp.max()


def test_cutoff_and_groups_of_the_models_own_risk() -> None:
    lp = model().linear_predictor(columns())
    assert model().cutoffs == (fit_cutoff(follow_up(), lp, 24.0).value,)
    assert not model().grouped_out_of_fold
    high = lp >= model().cutoffs[0]
    for group, members in zip(model().groups, (~high, high), strict=True):
        own = follow_up().take(members)
        assert (group.n, group.events) == (own.n, own.events)
        curve = kaplan_meier(own)
        shown = CURVE_MONTHS[: len(group.survival)]
        assert group.survival == pytest.approx(curve.at(shown))
        assert list(group.at_risk) == [int((own.months >= month).sum()) for month in shown]
        assert shown[-1] <= own.months.max() < shown[-1] + 1 or shown[-1] == 60
        assert all(low <= s <= up for low, s, up in zip(group.lower, group.survival, group.upper, strict=True))
    assert [group.name for group in model().groups] == ["low", "high"]


def test_groups_out_of_fold_follow_the_predictions_given() -> None:
    others = model().linear_predictor(columns()) + np.random.default_rng([4]).normal(0, 0.4, N)
    found = fit_prognostic_model("pfs", TERMS, columns(), follow_up(), out_of_fold=others)
    assert found.grouped_out_of_fold
    assert found.cutoffs == (fit_cutoff(follow_up(), others, 24.0).value,)
    assert found.groups[1].n == (others >= found.cutoffs[0]).sum()
    assert found.percentiles == model().percentiles  # of the model itself


def test_terciles() -> None:
    found = fit_prognostic_model("pfs", TERMS, columns(), follow_up(), rule="terciles")
    assert [group.name for group in found.groups] == ["low", "intermediate", "high"]
    assert [group.n for group in found.groups] == pytest.approx([N / 3] * 3, abs=1)
    assert found.groups[0].survival[24] > found.groups[1].survival[24] > found.groups[2].survival[24]


def test_without_a_cutoff_better_than_chance_all_are_one_group() -> None:
    found = fit_prognostic_model("pfs", TERMS, columns(), follow_up(), out_of_fold=np.zeros(N))
    assert found.cutoffs == ()
    assert found.cutoff_rule == "none"
    assert [(group.name, group.n) for group in found.groups] == [("all", N)]


def test_horizons_need_follow_up_and_ten_events() -> None:
    assert model().horizons_months == (12.0, 36.0, 60.0)
    assert model().withheld_horizons == ()
    short = follow_up().closed_at(40.0)
    found = fit_prognostic_model("pfs", TERMS, columns(), short)
    assert found.horizons_months == (12.0, 36.0)
    assert found.withheld_horizons == (WithheldHorizon(60.0, "beyond_follow_up"),)
    assert [axis.months for axis in found.nomogram.survival] == [12.0, 36.0]
    early = np.flatnonzero(follow_up().event & (follow_up().months <= 12))
    event = follow_up().event.copy()
    event[early[9:]] = False  # nine events in the first year
    few = fit_prognostic_model("pfs", TERMS, columns(), FollowUp(follow_up().months, event))
    assert few.withheld_horizons == (WithheldHorizon(12.0, "too_few_events"),)
    assert few.horizons_months == (36.0, 60.0)


def test_refusals() -> None:
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        fit_prognostic_model("pfs", TERMS, columns(), FollowUp(follow_up().months, np.arange(N) < 2))
    same = [columns()[0], [60.0] * N, columns()[2]]
    with pytest.raises(NotComputable, match="COX_NOT_FITTED"):
        fit_prognostic_model("pfs", TERMS, same, follow_up())
