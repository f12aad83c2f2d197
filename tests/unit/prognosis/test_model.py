"""What a model says of a patient: complete, with gaps, and recalibrated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.prognosis.covariates import covariate
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.model import CURVE_MONTHS, Recalibration
from lymphoma.prognosis.reading import complete
from lymphoma.prognosis.store import model_from_json, model_to_json
from lymphoma.survival.baseline import fit_baseline
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.design import columns_of, encode
from scipy.stats import norm

from tests.unit.prognosis.samples import TERMS, columns, follow_up, model, prospects

pytestmark = pytest.mark.unit

PATIENT = Prospect(ClinicalFactors(age_years=70.0, stage=4), PetMeasures(tmtv_ml=900.0))
CORRECTION = Recalibration(-0.3, 0.8, "North", 400, 150)


def by_hand(patient: Prospect) -> float:
    cox = model().cox
    x = np.array([np.log(patient.pet.tmtv_ml), patient.clinical.age_years, patient.clinical.stage >= 3])
    return float((x - cox.means) @ cox.coefficients)


def test_a_complete_patient() -> None:
    seen = model().predict(PATIENT)
    low, high = seen.linear_predictor
    assert low == high == pytest.approx(by_hand(PATIENT))
    assert seen.percentile[0] == seen.percentile[1]
    lp = model().linear_predictor(columns())
    assert seen.percentile[0] == pytest.approx(100 * (lp < low).mean(), abs=1)
    assert seen.group == "high"
    assert seen.open_groups == ("high",)
    hazard = model().cox.baseline.at(np.array(CURVE_MONTHS))[0]
    assert np.allclose(seen.curve, np.exp(-hazard * np.exp(low)), rtol=1e-12)
    for reading in seen.reading.survival:
        assert reading.least == reading.most == pytest.approx(seen.curve[0, int(reading.months)], abs=1e-12)


def test_a_value_at_the_cutoff_is_high() -> None:
    cutoff = model().cutoffs[0]
    assert model().group_of(cutoff) == "high"
    assert model().group_of(np.nextafter(cutoff, -np.inf)) == "low"


def test_a_gap_gives_the_range_over_the_axis() -> None:
    gaps = Prospect(ClinicalFactors(age_years=70.0), PetMeasures())
    seen = model().predict(gaps)
    assert seen.reading.missing == ("tmtv_ml", "stage")
    ticks = [tick.value for tick in model().nomogram.axes[0].ticks]
    every = [
        model().predict(replace(PATIENT, clinical=replace(PATIENT.clinical, stage=stage), pet=PetMeasures(tmtv_ml=ml)))
        for stage, ml in product((1, 4), (ticks[0], ticks[-1]))
    ]
    risks = [one.linear_predictor[0] for one in every]
    assert seen.linear_predictor == pytest.approx((min(risks), max(risks)))
    assert seen.percentile == pytest.approx((min(e.percentile[0] for e in every), max(e.percentile[0] for e in every)))
    assert seen.group is None
    assert seen.open_groups == ("low", "high")
    curves = np.array([one.curve[0] for one in every])
    assert np.allclose(seen.curve[0], curves.max(axis=0), equal_nan=True)  # least risk first
    assert np.allclose(seen.curve[1], curves.min(axis=0), equal_nan=True)


def test_a_gap_that_cannot_change_the_group_leaves_it_named() -> None:
    worst = Prospect(ClinicalFactors(age_years=85.0), PetMeasures(tmtv_ml=6000.0))
    seen = model().predict(worst)
    assert seen.reading.missing == ("stage",)
    assert seen.group == "high"
    assert seen.linear_predictor[0] < seen.linear_predictor[1]


def test_percentiles_end_at_0_and_100() -> None:
    assert model().predict(Prospect(ClinicalFactors(age_years=18.0, stage=1), PetMeasures(tmtv_ml=0.0))).percentile == (
        0.0,
        0.0,
    )
    worst = Prospect(ClinicalFactors(age_years=119.0, stage=4), PetMeasures(tmtv_ml=9e5))
    assert model().predict(worst).percentile == (100.0, 100.0)
    assert set(model().predict(worst).reading.outside) == {"tmtv_ml", "age_years"}


def test_the_curve_ends_with_follow_up() -> None:
    baseline = replace(model().cox.baseline, last_months=30.5)
    shorter = replace(model(), cox=replace(model().cox, baseline=baseline), horizons_months=(12.0,))
    curve = shorter.predict(PATIENT).curve
    assert np.isfinite(curve[:, :31]).all()
    assert np.isnan(curve[:, 31:]).all()
    with pytest.raises(NotComputable, match="HORIZON_BEYOND_FOLLOW_UP"):
        shorter.survival_of(np.zeros(1), [36.0])


def test_survival_of_many() -> None:
    lp = model().linear_predictor(columns())
    direct = model().survival(columns(), [12.0, 36.0])
    assert direct.shape == (len(prospects()), 2)
    assert np.allclose(model().survival_of(lp, [12.0, 36.0]), direct, rtol=1e-12)


def test_recalibration_holds_everywhere() -> None:
    corrected = model().recalibrated(CORRECTION)
    lp = by_hand(PATIENT)
    hazard = model().cox.baseline.at(np.array(CURVE_MONTHS))[0]
    wanted = np.exp(-hazard * np.exp(-0.3 + 0.8 * lp))
    seen = corrected.predict(PATIENT)
    assert np.allclose(seen.curve[0], wanted, rtol=1e-12)
    for reading in seen.reading.survival:
        assert reading.least == pytest.approx(wanted[int(reading.months)], abs=1e-12)
        total = seen.reading.least_total
        assert corrected.nomogram.survival_at(total, reading.months) == pytest.approx(reading.least, abs=1e-9)
    for axis in corrected.nomogram.survival:
        for tick in axis.ticks:
            assert corrected.nomogram.survival_at(tick.total_points, axis.months) == pytest.approx(tick.survival)
    assert np.allclose(corrected.survival(columns(), [36.0])[0], corrected.survival_of(lp_of_first(), [36.0]))


def lp_of_first() -> np.ndarray:
    return np.array([by_hand(prospects()[0])])


def test_recalibration_leaves_points_groups_and_percentiles() -> None:
    before, after = model().predict(PATIENT), model().recalibrated(CORRECTION).predict(PATIENT)
    assert after.reading.points == pytest.approx(before.reading.points)
    assert after.linear_predictor == before.linear_predictor
    assert (after.group, after.percentile) == (before.group, before.percentile)
    assert after.curve[0, 36] != pytest.approx(before.curve[0, 36], abs=0.01)


def test_a_second_recalibration_replaces_the_first() -> None:
    twice = model().recalibrated(CORRECTION).recalibrated(Recalibration(0.0, 1.0, "North", 400, 150))
    assert np.allclose(twice.predict(PATIENT).curve, model().predict(PATIENT).curve, rtol=1e-12)


def test_the_interval_of_a_recalibrated_model_is_that_of_the_delta_method() -> None:
    """Against derivatives of log H(t | x) taken numerically, with intercept and slope as known."""
    x = encode(TERMS, columns())
    cox = fit_cox(columns_of(TERMS), x, follow_up(), endpoint="pfs")
    at, one = np.array([36.0]), encode(TERMS, [[900.0], [70.0], ["III-IV"]])

    def log_hazard(coefficients: np.ndarray) -> float:
        baseline = fit_baseline(follow_up(), x - cox.means, coefficients, "efron")
        risk = float(((one - cox.means) @ coefficients)[0])
        return float(np.log(baseline.at(at)[0][0])) + CORRECTION.intercept + CORRECTION.slope * risk

    step = 1e-5
    gradient = np.array(
        [
            (log_hazard(cox.coefficients + step * unit) - log_hazard(cox.coefficients - step * unit)) / (2 * step)
            for unit in np.eye(len(cox.names))
        ]
    )
    hazard, variance, _ = cox.baseline.at(at)
    error = norm.ppf(0.975) * np.sqrt(variance[0] / hazard[0] ** 2 + gradient @ cox.covariance @ gradient)
    wanted = np.exp(-np.exp(log_hazard(cox.coefficients) + np.array([error, -error])))
    reading = model().recalibrated(CORRECTION).predict(PATIENT).reading.survival[1]
    # the numerical derivative is right to about 1e-8
    assert (reading.lower, reading.upper) == pytest.approx(tuple(wanted), abs=1e-6)


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_a_recalibration_keeps_the_order_of_patients(intercept: float, slope: float) -> None:
    with pytest.raises(ValueError, match="slope"):
        Recalibration(intercept, slope, "North", 400, 150)


def test_a_score_beside_a_clinical_factor() -> None:
    """The form in which a system's score becomes survival."""
    scored = [replace(one, scores={"deepmts_pfs": float(np.log(one.pet.tmtv_ml))}) for one in prospects()]
    terms = tuple(covariate(name).term for name in ("score:deepmts_pfs", "stage"))
    kept, values = complete(terms, scored)
    assert len(kept) == len(scored)
    found = model_from_json(model_to_json(fit_prognostic_model("pfs", terms, values, follow_up())))
    assert found.cox.names == ("score:deepmts_pfs", "stage=III-IV")
    seen = found.predict(scored[3])
    assert seen.linear_predictor[0] == pytest.approx(found.linear_predictor([[one[3]] for one in values])[0])
    without = found.predict(replace(scored[3], scores={"deepmts_os": 1.0}))
    assert without.reading.missing == ("score:deepmts_pfs",)
    assert without.linear_predictor[0] < seen.linear_predictor[0] < without.linear_predictor[1]
