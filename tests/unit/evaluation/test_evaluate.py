"""Evaluations of virtual patients whose true risk is known, and of a public data set."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from lifelines.utils import concordance_index
from lymphoma.errors import NotComputable
from lymphoma.evaluation.evaluate import Options, evaluate
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.protocols import Protocol, make_splits
from lymphoma.evaluation.result import Added, EndpointResult, Estimate, Evaluation, ModelResult
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.indices import ipi
from lymphoma.training.case import Outcome

from tests.unit.evaluation.virtual_cohort import virtual_patients

pytestmark = pytest.mark.unit

PATIENTS = 300
ORDER = ("null", "age", "ipi", "nccn_ipi", "log_tmtv", "impi", "impi_refitted", "cox_pet", "oracle", "noise")
ORDER += ("oracle+impi", "noise+impi")


@pytest.fixture(scope="module")
def patients() -> Patients:
    return virtual_patients(PATIENTS)


@pytest.fixture(scope="module")
def found(patients: Patients) -> Evaluation:
    return evaluate(patients, Options(endpoints=("pfs",), resamples=150, seed=1))


@pytest.fixture(scope="module")
def pfs(found: Evaluation) -> EndpointResult:
    return found.endpoints[0]


def result_of(endpoint: EndpointResult, key: str) -> ModelResult:
    return next(one for one in endpoint.results if one.model.key == key)


def added_of(endpoint: EndpointResult, key: str) -> Added:
    return next(one for one in endpoint.added if one.model == key)


def numbers(estimate: Estimate) -> tuple[float, float, float]:
    assert estimate.value is not None
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.value, estimate.lower, estimate.upper


def test_models_stand_in_the_fixed_order(pfs: EndpointResult) -> None:
    assert tuple(model.key for model in pfs.models) == ORDER
    assert tuple(one.model.key for one in pfs.results) == ORDER
    assert tuple(one.model for one in pfs.added) == ORDER[7:]
    assert pfs.n == pfs.n_known == PATIENTS


def test_everything_becomes_json_without_ids(found: Evaluation, patients: Patients) -> None:
    text = json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert not [one for one in patients.ids if one in text]


def test_what_knows_the_risk_wins_and_noise_does_not(pfs: EndpointResult) -> None:
    oracle, noise = added_of(pfs, "oracle+impi"), added_of(pfs, "noise+impi")
    assert oracle.verdict.shown
    assert oracle.likelihood_ratio is not None
    assert oracle.likelihood_ratio.p < 1e-6
    assert numbers(oracle.harrell)[1] > 0
    assert numbers(oracle.integrated_brier)[2] < 0
    assert not noise.verdict.shown
    assert noise.verdict.sentence.endswith("not shown, n = 300.")
    # oracle C with sigma 1 and this censoring is 0.738; its standard error at 400 patients is 0.02
    value, lower, upper = numbers(result_of(pfs, "oracle").discrimination.harrell)
    assert value == pytest.approx(0.738, abs=0.06)
    assert lower < 0.738 + 0.02 < upper + 0.04


def test_the_systems_own_survival_is_used_and_calibrated(pfs: EndpointResult, patients: Patients) -> None:
    calibration = result_of(pfs, "oracle").calibration
    _, lower, upper = numbers(calibration.slope)
    assert lower < 1 < upper
    at_year_3 = next(one for one in calibration.horizons if one.months == 36)
    assert sum(group.n for group in at_year_3.groups) == PATIENTS
    given = patients.scores["oracle", "pfs"].survival
    assert given is not None
    mean = sum(group.predicted * group.n for group in at_year_3.groups) / PATIENTS
    assert mean == pytest.approx(float(given[:, 2].mean()), abs=1e-9)
    assert at_year_3.gnd.p is not None
    assert at_year_3.gnd.p > 0.001


def test_index_c_is_the_mean_over_folds_of_the_points(pfs: EndpointResult, patients: Patients) -> None:
    """The published index is not fitted: its points rank."""
    index = patients.known("pfs")
    follow_up = patients.follow_up("pfs", index)
    points = np.array([ipi(one).points for one in patients.clinical], dtype=float)
    (splits,) = make_splits(Protocol(), patients, "pfs", index, 1)
    by_fold = [concordance_index(follow_up.months[s.test], -points[s.test], follow_up.event[s.test]) for s in splits]
    shown = result_of(pfs, "ipi").discrimination
    assert shown.harrell.value == pytest.approx(np.mean(by_fold), abs=1e-12)
    assert shown.harrell_by_fold == pytest.approx(by_fold, abs=1e-12)


def test_null_model_is_the_floor(pfs: EndpointResult) -> None:
    null = result_of(pfs, "null")
    assert null.discrimination.harrell.value == 0.5
    assert numbers(null.accuracy.integrated)[0] > numbers(result_of(pfs, "oracle").accuracy.integrated)[0]
    assert null.calibration.slope.value is None
    assert null.groups.problem
    assert null.as_published.horizons == ()


def test_groups_are_kaplan_meier_of_their_patients(pfs: EndpointResult) -> None:
    groups = result_of(pfs, "oracle").groups
    low, high = groups.curves
    assert (low.name, high.name) == ("low", "high")
    assert low.n + high.n == PATIENTS
    assert low.events + high.events == pfs.events
    assert low.survival[24] > high.survival[24]
    assert low.at_risk[0] == low.n
    assert groups.log_rank is not None
    assert groups.log_rank.p < 1e-6
    assert len(groups.cutoffs) == 5
    assert numbers(groups.hazard_ratio)[1] > 1


def test_decision_curve_meets_its_estimates(pfs: EndpointResult) -> None:
    decision = result_of(pfs, "oracle").decision
    for one in decision.chosen:
        at = decision.thresholds.index(one.threshold)
        assert decision.model[at] == pytest.approx(one.estimate.value)
        assert decision.everybody[at] is not None


def test_comparisons_are_corrected_together(pfs: EndpointResult) -> None:
    assert all(one.p_holm is not None and one.difference.p is not None for one in pfs.comparisons)
    assert all(one.p_holm >= one.difference.p for one in pfs.comparisons if one.p_holm and one.difference.p)
    headline = [one for one in pfs.comparisons if one.second == "impi_refitted"]
    assert [one.first for one in headline] == list(ORDER[7:])
    assert all(one.kang is not None for one in headline)
    assert str(len(pfs.comparisons)) in pfs.multiplicity
    oracle = next(one for one in headline if one.first == "oracle")
    assert oracle.kang is not None
    assert oracle.kang.p is not None
    assert oracle.kang.p < 1e-4


def test_cox_tables_are_fits_of_the_covariates(pfs: EndpointResult, patients: Patients) -> None:
    assert [row.name for row in pfs.cox.multivariate][:3] == ["tmtv_ml", "age_years", "stage"]
    age = next(row for row in pfs.cox.univariate if row.name == "age_years")
    index = patients.known("pfs")
    column = np.array([[one.age_years] for one in patients.clinical], dtype=float)
    wanted = fit_cox(["age"], column, patients.follow_up("pfs", index), endpoint="pfs").table()[0]
    assert age.coefficients[0].hazard_ratio == pytest.approx(wanted.hazard_ratio, rel=1e-6)


def test_table_one_counts_everybody(pfs: EndpointResult) -> None:
    by_event, by_centre = pfs.table_ones
    assert by_event.columns == ("no event", "event")
    assert by_event.sizes == (PATIENTS - pfs.events, pfs.events)
    assert len(by_centre.columns) == 3
    for table in pfs.table_ones:
        for row in table.rows:
            assert [a + b for a, b in zip(row.known, row.missing, strict=True)] == list(table.sizes)
            if row.levels:
                assert [sum(column) for column in row.counts] == list(row.known)


def test_missing_fields_are_never_imputed(patients: Patients) -> None:
    """A tenth without ECOG leaves the comparison; SUVpeak known in a third leaves its model out instead."""
    clinical = tuple(
        dataclasses.replace(one, ecog=None) if i % 10 == 0 else one for i, one in enumerate(patients.clinical)
    )
    pet = tuple(dataclasses.replace(one, suv_peak=None) if i % 3 else one for i, one in enumerate(patients.pet))
    thinner = dataclasses.replace(patients, clinical=clinical, pet=pet, scores={})
    result = evaluate(thinner, Options(endpoints=("pfs",), resamples=100)).endpoints[0]
    models = {model.key: model for model in result.models}
    assert not models["cox_pet"].compared
    assert models["cox_pet"].problem
    # the IPI of a few is known without the ECOG? never: its point is open
    assert models["ipi"].n < PATIENTS
    assert models["age"].n == PATIENTS
    assert result.n == models["ipi"].n
    assert any("nothing was imputed" in note for note in result.notes)
    assert any(note.startswith("Cox (TMTV") for note in result.notes)


def test_scores_that_saw_the_patients_are_refused(patients: Patients) -> None:
    seen = dataclasses.replace(patients.scores["oracle", "pfs"], out_of_fold=False)
    with pytest.raises(NotComputable, match="SCORES_NOT_OUT_OF_FOLD"):
        evaluate(dataclasses.replace(patients, scores={("oracle", "pfs"): seen}), Options(endpoints=("pfs",)))


def test_as_it_is_a_bundle_without_survival_gets_none(patients: Patients) -> None:
    result = evaluate(patients, Options(Protocol("as_is"), endpoints=("pfs",), resamples=100, seed=1)).endpoints[0]
    noise, oracle = result_of(result, "noise"), result_of(result, "oracle")
    assert noise.accuracy.integrated.value is None
    assert noise.decision.problem
    assert noise.discrimination.harrell.value is not None
    assert oracle.accuracy.integrated.value is not None


def test_too_few_events_are_refused(patients: Patients) -> None:
    outcomes = tuple(Outcome(one.months, False) if one else None for one in patients.outcomes["pfs"])
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        evaluate(dataclasses.replace(patients, outcomes={"pfs": outcomes}, scores={}), Options(endpoints=("pfs",)))


def test_permuted_outcomes_tell_nothing() -> None:
    patients = virtual_patients(120)
    result = evaluate(patients, Options(endpoints=("pfs",), resamples=100, permutations=8)).endpoints[0]
    assert {one.model for one in result.controls} == set(ORDER[1:])
    for one in result.controls:
        # mean of 8, each with a standard deviation of 0.05 or so: 4 standard errors
        assert one.mean == pytest.approx(0.5, abs=max(4 * one.standard_error, 0.03))
    # what knows the risk does far better without permutation
    assert numbers(result_of(result, "oracle").discrimination.harrell)[0] > 0.65
