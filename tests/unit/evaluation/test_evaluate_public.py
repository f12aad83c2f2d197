"""Evaluations of a public data set (GBSG2): nodes and size of the tumour stand in for two bundles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from lifelines.utils import concordance_index
from lymphoma.evaluation.evaluate import Options, evaluate
from lymphoma.evaluation.patients import Patients, Scores
from lymphoma.evaluation.protocols import Protocol, make_splits
from lymphoma.evaluation.result import EndpointResult, ModelResult
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.curves import kaplan_meier
from lymphoma.training.case import Outcome
from sksurv.datasets import load_gbsg2

from tests.unit.survival.cohorts import months

pytestmark = pytest.mark.unit

COUNT = 686
SCORES = ("pnodes", "tsize")


@pytest.fixture(scope="module")
def patients() -> Patients:
    """Nothing but the age is known of them, so that most baselines are left out; three made-up centres."""
    table, y = load_gbsg2()
    ids = tuple(f"{number:04}" for number in range(COUNT))
    outcomes = zip(months(y["time"]), y["cens"], strict=True)
    scores = {name: Scores(name, table[name].to_numpy(float), None, (), True) for name in SCORES}
    return Patients(
        "GBSG2",
        False,
        ids,
        ids,
        tuple(f"centre {number % 3}" for number in range(COUNT)),
        tuple(ClinicalFactors(age_years=float(age)) for age in table["age"]),
        (PetMeasures(),) * COUNT,
        {"pfs": tuple(Outcome(float(time), bool(event)) for time, event in outcomes)},
        {(name, "pfs"): one for name, one in scores.items()},
    )


def evaluated(patients: Patients, protocol: Protocol | None = None, seed: int = 2) -> EndpointResult:
    options = Options(protocol or Protocol(), ("pfs",), resamples=150, seed=seed)
    return evaluate(patients, options).endpoints[0]


@pytest.fixture(scope="module")
def found(patients: Patients) -> EndpointResult:
    return evaluated(patients)


def result_of(endpoint: EndpointResult, key: str) -> ModelResult:
    return next(one for one in endpoint.results if one.model.key == key)


def test_models_without_their_fields_are_left_out(found: EndpointResult) -> None:
    assert [one.model.key for one in found.results] == ["null", "age", *SCORES]
    assert found.n == COUNT
    left_out = [model for model in found.models if not model.compared]
    assert all(model.n == 0 and model.problem for model in left_out)
    assert found.added == ()


def test_c_is_the_mean_over_folds(found: EndpointResult, patients: Patients) -> None:
    follow_up = patients.follow_up("pfs", np.arange(COUNT))
    (splits,) = make_splits(Protocol(), patients, "pfs", np.arange(COUNT), 2)
    risk = patients.scores["pnodes", "pfs"].linear_predictor
    by_fold = [concordance_index(follow_up.months[s.test], -risk[s.test], follow_up.event[s.test]) for s in splits]
    assert result_of(found, "pnodes").discrimination.harrell.value == pytest.approx(np.mean(by_fold), abs=1e-12)


def test_follow_up_is_reverse_kaplan_meier(found: EndpointResult, patients: Patients) -> None:
    follow_up = patients.follow_up("pfs", np.arange(COUNT))
    reversed_ = dataclasses.replace(follow_up, event=~follow_up.event)
    assert found.follow_up_months == kaplan_meier(reversed_).median_months


def test_nodes_beat_the_age(found: EndpointResult) -> None:
    gap = next(one for one in found.comparisons if (one.first, one.second) == ("pnodes", "age"))
    assert gap.verdict.sentence == f"pnodes beats Age by Harrell C (n = {COUNT})."


def test_the_same_seed_gives_the_same_numbers(found: EndpointResult, patients: Patients) -> None:
    assert dataclasses.asdict(evaluated(patients)) == dataclasses.asdict(found)
    other = evaluated(patients, seed=3)
    assert result_of(other, "pnodes").discrimination != result_of(found, "pnodes").discrimination


def test_repeats_are_averaged(patients: Patients) -> None:
    repeated = evaluated(patients, Protocol(repeats=2), seed=5)
    single = [evaluated(patients, seed=seed) for seed in (5, 6)]
    for key in ("age", "pnodes"):
        each = [result_of(one, key).discrimination.harrell.value for one in single]
        mean = np.mean([value for value in each if value is not None])
        assert result_of(repeated, key).discrimination.harrell.value == pytest.approx(mean, abs=1e-12)
    assert len(result_of(repeated, "age").discrimination.harrell_by_fold) == 10


@pytest.mark.parametrize(("kind", "tested"), [("split", 206), ("centres", COUNT)])
def test_other_protocols_test_whom_they_say(patients: Patients, kind: str, tested: int) -> None:
    result = evaluated(patients, Protocol(kind))  # type: ignore[arg-type]
    assert result.n == sum(fold.test_n for fold in result.protocol.folds) == tested
    assert all(one.discrimination.harrell.lower is not None for one in result.results)
    curves = result_of(result, "pnodes").groups.curves
    assert sum(curve.n for curve in curves) == tested


def test_few_events_of_a_centre_are_withheld(patients: Patients) -> None:
    centres = list(patients.centres)
    few = [i for i, one in enumerate(patients.outcomes["pfs"]) if one and one.event][:9]
    for i in few:
        centres[i] = "small"
    groups = evaluated(dataclasses.replace(patients, centres=tuple(centres))).subgroups
    assert sum(group.n for group in groups) == COUNT
    small = groups[-1]
    assert (small.name, small.n, small.events) == ("small", 9, 9)
    assert all(row.harrell.value is None and row.harrell.problem for row in small.rows)
    assert all(row.harrell.lower is not None for row in groups[0].rows)


def test_progress_only_moves_forward(patients: Patients) -> None:
    seen: list[int] = []
    options = Options(endpoints=("pfs",), resamples=600, permutations=3)
    evaluate(patients, options, progress=lambda done, of, words: seen.append(done))
    assert seen == sorted(seen)
    assert len(set(seen)) > 25
    assert seen[-1] == 1000
