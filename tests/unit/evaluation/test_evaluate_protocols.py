"""Who trains and who is tested, and that nothing leaks from one to the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.baselines import baselines
from lymphoma.evaluation.fitting import fit_model, usable_horizons
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.protocols import Protocol, described, make_splits
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.folds import Fold, Folds

from tests.unit.evaluation.virtual_cohort import virtual_patients

pytestmark = pytest.mark.unit

PATIENTS = 300


@pytest.fixture(scope="module")
def patients() -> Patients:
    return virtual_patients(PATIENTS)


@pytest.mark.parametrize("count", [5, 10])
def test_cross_validation_tests_everybody_once_and_balances_events(patients: Patients, count: int) -> None:
    (splits,) = make_splits(Protocol(folds=count), patients, "pfs", patients.known("pfs"), seed=1)
    assert len(splits) == count
    assert sorted(np.concatenate([one.test for one in splits])) == list(range(PATIENTS))
    follow_up = patients.follow_up("pfs", patients.known("pfs"))
    events = [int(follow_up.event[one.test].sum()) for one in splits]
    # three centres and two states: six strata, each of which may put one more or fewer into a fold
    assert max(events) - min(events) <= 3
    for one in splits:
        assert not set(one.train) & set(one.test)
    assert make_splits(Protocol(folds=count), patients, "pfs", patients.known("pfs"), seed=2)[0][0].test.tolist() != (
        splits[0].test.tolist()
    )


def test_repeats_divide_anew(patients: Patients) -> None:
    repeats = make_splits(Protocol(repeats=3), patients, "pfs", patients.known("pfs"), seed=1)
    assert len({tuple(splits[0].test) for splits in repeats}) == 3


def test_split_is_seven_to_three(patients: Patients) -> None:
    ((one,),) = make_splits(Protocol("split"), patients, "pfs", patients.known("pfs"), seed=1)
    assert (one.train.size, one.test.size) == (210, 90)
    follow_up = patients.follow_up("pfs", patients.known("pfs"))
    assert follow_up.event[one.test].mean() == pytest.approx(follow_up.event.mean(), abs=1 / 90)


def test_centres_in_turn_and_one_by_name(patients: Patients) -> None:
    index = patients.known("pfs")
    (splits,) = make_splits(Protocol("centres"), patients, "pfs", index, seed=1)
    assert [one.name for one in splits] == ["centre 0", "centre 1", "centre 2"]
    for one in splits:
        assert {patients.centres[i] for i in one.test} == {one.name}
        assert one.name not in {patients.centres[i] for i in one.train}
    ((alone,),) = make_splits(Protocol("centre", centre="centre 1"), patients, "pfs", index, seed=1)
    assert alone.test.tolist() == splits[1].test.tolist()
    with pytest.raises(NotComputable, match="FOLDS_IMPOSSIBLE"):
        make_splits(Protocol("centre", centre="elsewhere"), patients, "pfs", index, seed=1)


def test_given_folds_are_kept_by_patient(patients: Patients) -> None:
    ids = patients.ids
    folds = Folds("stratified", 1, {}, (Fold("1", ids[:150], ids[150:]), Fold("2", ids[150:], ids[:150])))
    index = np.arange(0, PATIENTS, 2)
    (splits,) = make_splits(Protocol("given", given=folds), patients, "pfs", index, seed=1)
    assert {ids[index[i]] for i in splits[0].test} == set(ids[150::2])
    with pytest.raises(NotComputable, match="FOLDS_IMPOSSIBLE"):
        make_splits(Protocol("given", given=Folds("stratified", 1, {}, folds.folds[:1])), patients, "pfs", index, 1)


def test_a_protocol_that_contradicts_itself_is_refused() -> None:
    for wrong in ({"kind": "centre"}, {"kind": "centres", "repeats": 2}, {"kind": "given"}, {"repeats": 0}):
        with pytest.raises(ValueError, match=r"centre|repeat"):
            Protocol(**wrong)  # type: ignore[arg-type]


def test_outcomes_of_the_tested_do_not_change_what_is_said_of_them(patients: Patients) -> None:
    """Every fitted model: scores, survival and the cut-off of the first fold, with its outcomes turned round."""
    index = patients.known("pfs")
    follow_up = patients.follow_up("pfs", index)
    (splits,) = make_splits(Protocol(), patients, "pfs", index, seed=1)
    first = splits[0].test
    months, event = follow_up.months.copy(), follow_up.event.copy()
    months[first], event[first] = months[first][::-1] / 2, ~event[first]
    turned = FollowUp(months, event)
    times = np.array([12.0, 24.0])
    for model in baselines(patients):
        one, other = (fit_model(model, seen, splits, times, untouched=False) for seen in (follow_up, turned))
        assert np.array_equal(one.score[first], other.score[first])
        assert np.array_equal(one.survival[first], other.survival[first])
        assert np.array_equal(one.cutoffs[:1], other.cutoffs[:1], equal_nan=True)
        if model.kind == "fitted":
            assert not np.array_equal(one.score, other.score)


def test_knots_are_those_of_the_training_fold(patients: Patients) -> None:
    index = patients.known("pfs")
    follow_up = patients.follow_up("pfs", index)
    (splits,) = make_splits(Protocol(), patients, "pfs", index, seed=1)
    refitted = next(model for model in baselines(patients) if model.key == "impi_refitted")
    moved = refitted.values.copy()
    moved[splits[0].test, 0] *= 3
    one, other = (
        refitted.design(values, splits[0].train, follow_up.take(splits[0].train))[splits[0].train]
        for values in (refitted.values, moved)
    )
    assert np.array_equal(one, other)


def test_horizons_end_with_follow_up(patients: Patients) -> None:
    index = patients.known("pfs")
    (splits,) = make_splits(Protocol(), patients, "pfs", index, seed=1)
    follow_up = patients.follow_up("pfs", index)
    assert usable_horizons(follow_up, splits) == (12.0, 24.0, 36.0, 60.0)
    assert usable_horizons(follow_up.closed_at(40.0), splits) == (12.0, 24.0, 36.0)


def test_the_description_counts_folds(patients: Patients) -> None:
    index = patients.known("pfs")
    (splits,) = make_splits(Protocol(), patients, "pfs", index, seed=1)
    used = described(Protocol(), splits, patients.follow_up("pfs", index), 1)
    assert sum(fold.test_n for fold in used.folds) == PATIENTS
    assert all(fold.train_n + fold.test_n == PATIENTS for fold in used.folds)
    assert used.label == "5-fold cross-validation"
    assert Protocol(folds=10, repeats=2).label == "10-fold cross-validation, 2 times"


def test_a_stage_without_an_event_joins_the_first(patients: Patients) -> None:
    index = patients.known("pfs")
    refitted = next(model for model in baselines(patients) if model.key == "impi_refitted")
    follow_up = patients.follow_up("pfs", index)
    event = follow_up.event & (refitted.values[:, 2] != 2)
    train = np.arange(PATIENTS)
    full = refitted.design(refitted.values, train, follow_up)
    without = refitted.design(refitted.values, train, replace(follow_up, event=event))
    assert without.shape[1] == full.shape[1] - 1
