"""Folds: balanced, the same for any order of the rows, kept on disk, refused where they cannot be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome, Subject
from lymphoma.training.folds import Fold, Folds, leave_one_centre_out, stratified_folds

pytestmark = pytest.mark.unit


def subject(number: int, event: bool | None, centre: str = "A") -> Subject:
    outcome = None if event is None else Outcome(12.0 + number, event)
    return Subject(f"P{number:03d}", centre, ClinicalFactors(), outcome, outcome, f"content {number}")


def cohort(events: int, censored: int, centre: str = "A", start: int = 0) -> list[Subject]:
    return [subject(start + n, n < events, centre) for n in range(events + censored)]


def test_every_patient_validates_once_and_never_trains_his_own_fold() -> None:
    subjects = cohort(12, 25) + cohort(8, 13, "B", start=100)
    folds = stratified_folds(subjects, 5, seed=3)
    assert [fold.name for fold in folds.folds] == ["1", "2", "3", "4", "5"]
    assert sorted(p for fold in folds.folds for p in fold.validation) == [s.patient_id for s in subjects]
    everyone = {s.patient_id for s in subjects}
    for fold in folds.folds:
        assert set(fold.train) == everyone - set(fold.validation)


def test_events_and_centres_are_balanced_to_one_patient() -> None:
    subjects = cohort(12, 25) + cohort(8, 13, "B", start=100)
    of = {s.patient_id: (s.pfs.event if s.pfs else None, s.centre) for s in subjects}
    total = Counter(of.values())
    folds = stratified_folds(subjects, 5, seed=3)
    assert folds.strata == {"censored, A": 25, "censored, B": 13, "event, A": 12, "event, B": 8}
    for fold in folds.folds:
        counted = Counter(of[patient] for patient in fold.validation)
        for stratum, size in total.items():
            assert abs(counted[stratum] - size / 5) < 1


def test_the_order_of_the_rows_changes_nothing_and_the_seed_does() -> None:
    subjects = cohort(10, 20)
    order = np.random.default_rng(0).permutation(len(subjects))
    shuffled = [subjects[index] for index in order]
    assert stratified_folds(shuffled, 5, seed=1) == stratified_folds(subjects, 5, seed=1)
    assert stratified_folds(subjects, 5, seed=2).folds != stratified_folds(subjects, 5, seed=1).folds


def test_the_endpoint_decides_which_events_are_spread() -> None:
    alive = [Subject(f"P{n}", "A", ClinicalFactors(), Outcome(5, n < 10), Outcome(9, n >= 20), "") for n in range(30)]
    pfs, os = (stratified_folds(alive, 5, 1, endpoint=endpoint) for endpoint in ("pfs", "os"))
    assert {sum(int(p[1:]) < 10 for p in fold.validation) for fold in pfs.folds} == {2}
    assert {sum(int(p[1:]) >= 20 for p in fold.validation) for fold in os.folds} == {2}


def test_without_outcomes_lesions_are_spread() -> None:
    subjects = [subject(n, None) for n in range(20)]
    lesions = {f"P{n:03d}": n < 10 for n in range(20)}
    folds = stratified_folds(subjects, 5, 1, endpoint=None, with_lesions=lesions)
    assert folds.strata == {"lesions, A": 10, "no lesions, A": 10}
    assert {sum(lesions[p] for p in fold.validation) for fold in folds.folds} == {2}
    assert stratified_folds(subjects, 5, 1).strata == {"unknown, A": 20}


def test_small_centres_give_up_their_name() -> None:
    subjects = cohort(10, 20) + cohort(2, 3, "B", 100) + cohort(3, 2, "C", 200)
    folds = stratified_folds(subjects, 5, 1)
    assert folds.strata == {"censored": 5, "censored, A": 20, "event": 5, "event, A": 10}
    of = {s.patient_id: s for s in subjects}
    small = [
        sum(of[p].centre != "A" and bool(of[p].pfs and of[p].pfs.event) for p in f.validation) for f in folds.folds
    ]
    assert small == [1] * 5


def test_a_centre_with_one_event_for_each_fold_keeps_its_name() -> None:
    folds = stratified_folds(cohort(5, 5) + cohort(6, 4, "B", 100), 5, 1)
    assert folds.strata == {"censored, A": 9, "event, A": 5, "event, B": 6}


def test_what_is_still_too_small_joins_the_largest_of_its_kind() -> None:
    subjects = cohort(10, 20) + cohort(1, 1, "B", 100) + [subject(200, None)]
    assert stratified_folds(subjects, 5, 1).strata == {"censored, A": 22, "event, A": 11}
    assert stratified_folds(cohort(10, 2), 5, 1).strata == {"event, A": 12}


@pytest.mark.parametrize(("events", "censored"), [(4, 20), (0, 20), (2, 2)])
def test_fewer_events_or_patients_than_folds_are_refused(events: int, censored: int) -> None:
    with pytest.raises(NotComputable) as caught:
        stratified_folds(cohort(events, censored), 5, 1)
    assert caught.value.code == "FOLDS_IMPOSSIBLE"


def test_a_patient_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than once"):
        stratified_folds([*cohort(5, 5), subject(1, True)], 2, 1)
    with pytest.raises(ValueError, match="two folds"):
        stratified_folds(cohort(5, 5), 1, 1)


def test_each_centre_is_left_out_in_turn_and_small_ones_together() -> None:
    subjects = cohort(5, 7) + cohort(4, 6, "B", 100) + cohort(1, 1, "C", 200) + cohort(1, 1, "", 300)
    folds = leave_one_centre_out(subjects, least=10)
    held = {fold.name: set(fold.validation) for fold in folds.folds}
    assert set(held) == {"A", "B", "small centres"}
    assert held["B"] == {s.patient_id for s in subjects if s.centre == "B"}
    assert len(held["small centres"]) == 4
    assert folds.strata == {"A": 12, "B": 10, "small centres": 4}
    with pytest.raises(NotComputable, match="two centres"):
        leave_one_centre_out(cohort(10, 10))


def test_folds_come_back_from_disk(tmp_path: Path) -> None:
    folds = stratified_folds(cohort(10, 20), 5, 1)
    folds.save(tmp_path / "folds.json")
    assert Folds.load(tmp_path / "folds.json") == folds
    assert [path.name for path in tmp_path.iterdir()] == ["folds.json"]
    assert folds.patients == tuple(f"P{n:03d}" for n in range(30))


def test_folds_that_leak_are_not_read(tmp_path: Path) -> None:
    Folds("stratified", 1, {}, (Fold("1", ("a", "b"), ("b",)),)).save(tmp_path / "leak.json")
    with pytest.raises(ValueError, match="both sides"):
        Folds.load(tmp_path / "leak.json")
    (tmp_path / "newer.json").write_text('{"layout": 2}')
    with pytest.raises(ValueError, match="layout"):
        Folds.load(tmp_path / "newer.json")
