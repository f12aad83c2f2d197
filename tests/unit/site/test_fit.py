"""The clinical PET model: how many covariates, which patients, and that figures are out of fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.site.export import fit_site
from lymphoma.site.features import FEATURES, range_features
from lymphoma.site.fit import COVARIATES_IN_ORDER, FOLDS, fit_endpoint
from lymphoma.survival.concordance import harrell
from lymphoma.survival.cox import fit_cox
from lymphoma.training.case import Outcome

from tests.bundles import feature_patients, site_fit

pytestmark = pytest.mark.unit


def first(n: int) -> Patients:
    whole = feature_patients()
    return replace(
        whole,
        ids=whole.ids[:n],
        contents=whole.contents[:n],
        centres=whole.centres[:n],
        clinical=whole.clinical[:n],
        pet=whole.pet[:n],
        outcomes={endpoint: found[:n] for endpoint, found in whole.outcomes.items()},
    )


def with_outcomes(patients: Patients, found: list[Outcome | None]) -> Patients:
    return replace(patients, outcomes={**patients.outcomes, "pfs": tuple(found)})


def test_it_is_a_cox_model_of_the_five_covariates() -> None:
    fit, patients = site_fit().endpoints[0], feature_patients()
    assert [term.name for term in fit.fit.model.terms] == list(COVARIATES_IN_ORDER)
    x = np.array(
        [
            (np.log(max(pet.tmtv_ml, 1.0)), one.age_years, one.ecog, pet.dmax_bulk_mm, pet.suv_peak)
            for one, pet in zip(patients.clinical, patients.pet, strict=True)
        ],
        dtype=float,
    )
    by_hand = fit_cox(
        ["tmtv", "age", "ecog", "bulk", "peak"], x, patients.follow_up("pfs", np.arange(600)), endpoint="pfs"
    )
    assert np.allclose(fit.fit.model.cox.coefficients, by_hand.coefficients, rtol=1e-9)
    assert fit.left_out == 0
    assert fit.fit.beats_chance


@pytest.mark.parametrize(("n", "parameters"), [(100, 3), (50, 1)])
def test_a_parameter_for_every_ten_events(n: int, parameters: int) -> None:
    patients = first(n)
    fit = fit_endpoint(patients, "pfs", resamples=20)
    assert fit.fit.model.cox.events // 10 == parameters
    assert [term.name for term in fit.fit.model.terms] == list(COVARIATES_IN_ORDER[:parameters])
    assert fit.dropped == COVARIATES_IN_ORDER[parameters:]


def test_under_ten_events_there_is_no_model() -> None:
    with pytest.raises(NotComputable, match="TOO_FEW_EVENTS"):
        fit_endpoint(first(15), "pfs", resamples=20)


def test_complete_patients_only() -> None:
    patients = first(300)
    clinical = tuple(replace(one, ecog=None) if i < 40 else one for i, one in enumerate(patients.clinical))
    outcomes = [None if 40 <= i < 50 else one for i, one in enumerate(patients.outcomes["pfs"])]
    fit = fit_endpoint(with_outcomes(replace(patients, clinical=clinical), outcomes), "pfs", resamples=20)
    assert fit.left_out == 40
    assert fit.index.tolist() == list(range(50, 300))
    assert fit.fit.model.cox.n == 250


def test_a_patient_without_a_lesion_is_left_out() -> None:
    patients = first(300)
    pet = (PetMeasures(tmtv_ml=0.0, tlg_g=0.0, lesion_count=0), *patients.pet[1:])
    assert fit_endpoint(replace(patients, pet=pet), "pfs", resamples=20).left_out == 1


def test_out_of_fold_predictions_do_not_see_their_patients() -> None:
    """Other times of the patients of one fold, with the same events, so that the folds stay: their own predictions
    stay, those of all others change."""
    patients = first(300)
    before = fit_endpoint(patients, "pfs", resamples=20)
    held = held_together(patients)
    changed = list(patients.outcomes["pfs"])
    for position in held:
        one = changed[position]
        assert one is not None
        changed[position] = Outcome(one.months * (0.2 if position % 2 else 1.7), one.event)
    after = fit_endpoint(with_outcomes(patients, changed), "pfs", resamples=20)
    same = np.isclose(before.fit.out_of_fold, after.fit.out_of_fold, rtol=0, atol=1e-9)
    assert same[held].all()
    assert not np.delete(same, held).any()


def held_together(patients: Patients) -> np.ndarray:
    """Positions of the first fold."""
    folds = folds_of(patients, np.arange(len(patients)), FOLDS, 0, "pfs")
    parts = held_out(folds, patients.ids)
    assert len(parts) == FOLDS
    assert sorted(np.concatenate(parts)) == list(range(len(patients)))
    return parts[0]


def test_out_of_fold_is_worse_than_apparent_and_near_the_truth() -> None:
    fit, patients = site_fit().endpoints[0], feature_patients()
    follow_up = patients.follow_up("pfs", fit.index)
    columns = [
        [COVARIATES[term.name].read(patients.prospect(int(i))) for i in fit.index] for term in fit.fit.model.terms
    ]
    apparent = harrell(follow_up, fit.fit.model.linear_predictor(columns))
    assert fit.fit.concordance.estimate < apparent
    assert fit.fit.concordance.lower < fit.fit.concordance.estimate < fit.fit.concordance.upper
    assert fit.fit.slope.estimate == pytest.approx(1, abs=0.25)


def test_shuffled_outcomes_are_not_trained() -> None:
    """One shuffle scatters, so that many are averaged."""
    patients = first(200)
    found = []
    for seed in range(12):
        order = np.random.default_rng([seed]).permutation(len(patients))
        shuffled = [patients.outcomes["pfs"][i] for i in order]
        found.append(fit_endpoint(with_outcomes(patients, shuffled), "pfs", resamples=30))
    assert np.mean([fit.fit.concordance.estimate for fit in found]) == pytest.approx(0.5, abs=0.035)
    assert sum(fit.fit.beats_chance for fit in found) <= 2


def test_a_fit_that_does_not_beat_chance_says_so() -> None:
    patients = first(200)
    for seed in range(20):
        order = np.random.default_rng([seed, 1]).permutation(len(patients))
        shuffled = {endpoint: tuple(found[i] for i in order) for endpoint, found in patients.outcomes.items()}
        fit = fit_site(replace(patients, outcomes=shuffled), resamples=30)
        if not any(one.fit.beats_chance for one in fit.endpoints):
            assert not fit.trained
            assert len(fit.endpoints) == 2
            return
    raise AssertionError("twenty shuffles in a row beat chance")


def test_an_endpoint_that_cannot_be_fitted_is_named() -> None:
    patients = first(200)
    outcomes = {"pfs": patients.outcomes["pfs"], "os": (None,) * 195 + patients.outcomes["os"][195:]}
    fit = fit_site(replace(patients, outcomes=outcomes), resamples=30)
    assert [one.fit.model.endpoint for one in fit.endpoints] == ["pfs"]
    assert set(fit.left_out) == {"os"}


def test_the_same_cohort_gives_the_same_fit() -> None:
    patients = first(200)
    order = np.random.default_rng([9]).permutation(len(patients))
    turned = replace(
        patients,
        ids=tuple(patients.ids[i] for i in order),
        contents=tuple(patients.contents[i] for i in order),
        clinical=tuple(patients.clinical[i] for i in order),
        pet=tuple(patients.pet[i] for i in order),
        outcomes={endpoint: tuple(found[i] for i in order) for endpoint, found in patients.outcomes.items()},
    )
    one, two = (fit_endpoint(each, "pfs", resamples=20) for each in (patients, turned))
    assert np.allclose(one.fit.out_of_fold[order], two.fit.out_of_fold, atol=1e-9)


def test_progress_reaches_its_end() -> None:
    seen: list[tuple[int, int]] = []
    fit_site(first(200), resamples=50, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1][0] == seen[-1][1] == 2 * (FOLDS + 50)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_range_features() -> None:
    pet = PetMeasures(300.0, 2000.0, 20.0, 16.0, 4, 500.0, 420.0, 0.2)
    found = dict(zip(FEATURES, range_features(pet), strict=True))
    assert found["log_tmtv_ml"] == pytest.approx(np.log(300))
    assert found["dmax_bulk_mm"] == 420
    assert np.isnan(range_features(PetMeasures())).all()


def test_where_nothing_bears_on_the_outcome_nothing_is_trained() -> None:
    fit = fit_site(feature_patients(600, 7_000_000, "null"), resamples=100)
    assert not fit.trained
    assert all(abs(one.fit.concordance.estimate - 0.5) < 0.06 for one in fit.endpoints)
