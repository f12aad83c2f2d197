"""What passes an acceptance run and what does not, and that its signature holds every figure."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from lymphoma.evaluation.acceptance import Conduct, Limits, Trial, judge, signed, verify_acceptance
from lymphoma.evaluation.recalibrate import fit_recalibration
from lymphoma.prognosis.covariates import covariate
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.model import PrognosticModel, Recalibration
from lymphoma.training.evidence import Acceptance, Check
from pydantic import TypeAdapter

from tests.unit.evaluation.cohorts import follow_up_of

pytestmark = pytest.mark.unit

GOOD = Conduct(300, 290, 10, 3, 300, repeatable=True, unchanged=True, trained=True)
KEY = b"k" * 32


def model(n: int = 3000, seed: int = 1) -> PrognosticModel:
    score = 0.8 * np.random.default_rng(seed).standard_normal(n)
    term = covariate("score:simulated").term
    return fit_prognostic_model("pfs", [term], [score.tolist()], follow_up_of(score, seed))


MODEL = model()


def trial(n: int = 300, seed: int = 2, noise: float = 1.0, shift: float = 0.0, slope: float = 1.0) -> Trial:
    """A site whose log hazard is shift + slope times the score; the IMPI is the score with noise."""
    rng = np.random.default_rng([seed, 4])
    score = 0.8 * rng.standard_normal(n)
    seen = follow_up_of(shift + slope * score, seed)
    lp = MODEL.linear_predictor([score.tolist()])
    return Trial("pfs", MODEL, seen, lp, score + noise * rng.standard_normal(n))


def failed(*trials: Trial, conduct: Conduct = GOOD, limits: Limits | None = None) -> set[str]:
    return {check.name for check in judge(trials, conduct, limits or Limits()) if not check.passed}


def test_a_right_model_passes() -> None:
    assert failed(trial()) == set()


def test_too_few_patients_and_events_fail() -> None:
    good = trial()
    few = good.follow_up.take(np.arange(99))
    small = replace(good, follow_up=few, linear_predictor=good.linear_predictor[:99], impi=good.impi[:99])
    assert "pfs patients" in failed(small)
    assert "pfs events" in failed(good, limits=Limits(events=good.follow_up.events + 1))
    assert "pfs events" not in failed(good, limits=Limits(events=good.follow_up.events))


def test_a_score_without_worth_fails_by_its_lower_bound_and_its_slope() -> None:
    rng = np.random.default_rng(9)
    found = failed(replace(trial(), linear_predictor=0.8 * rng.standard_normal(300)))
    assert {"pfs C, lower bound", "pfs calibration slope"} <= found


def test_a_model_behind_the_impi_fails() -> None:
    good = trial(600, noise=0.0)
    rng = np.random.default_rng(10)
    worse = replace(good, linear_predictor=good.linear_predictor + rng.standard_normal(600))
    assert "pfs C less that of the refitted IMPI" in failed(worse)
    assert "pfs C less that of the refitted IMPI" not in failed(good)
    assert "pfs C less that of the refitted IMPI" not in failed(worse, limits=Limits(impi_margin=0.5))


def test_an_impi_that_nobody_has_fails_its_check() -> None:
    without = replace(trial(), impi=np.full(300, np.nan))
    assert failed(without) == {"pfs C less that of the refitted IMPI"}


def test_a_site_with_twice_the_events_fails_until_it_is_recalibrated() -> None:
    other = trial(600, shift=0.9)
    assert "pfs expected/observed" in failed(other)
    correction = Recalibration(0.9, 1.0, "site", 600, 400)
    assert failed(replace(other, model=MODEL.recalibrated(correction))) == set()


def test_a_correction_is_not_judged_by_the_patients_it_was_fitted_on() -> None:
    other = trial(600, shift=0.9)
    found = fit_recalibration(other.follow_up, other.linear_predictor, MODEL.cox.baseline, "site")
    here = replace(other, model=MODEL.recalibrated(found))
    slopes = [
        next(check.value for check in judge([one], GOOD, Limits()) if check.name == "pfs calibration slope")
        for one in (here, replace(here, corrected_here=True))
    ]
    assert slopes[0] == pytest.approx(1, abs=1e-9)
    # Left out of the fit, patients give another slope; 380 events tell it to .065.
    assert slopes[1] != pytest.approx(1, abs=1e-4)
    assert slopes[1] == pytest.approx(1, abs=0.2)


def test_a_model_too_sure_of_itself_fails_by_its_slope() -> None:
    good = trial(1500)
    assert "pfs calibration slope" in failed(replace(good, linear_predictor=3 * good.linear_predictor))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"repeatable": False}, "repeatable"),
        ({"unchanged": False}, "digests unchanged"),
        ({"trained": False}, "trained"),
        ({"explained": 9}, "without result and code"),
        ({"computed": 200, "explained": 100}, "share computed"),
        ({"outside": 31}, "share outside the range"),
        ({"ranged": 0}, "share outside the range"),
    ],
)
def test_how_the_bundle_behaves_is_checked(change: dict[str, int], name: str) -> None:
    assert failed(trial(), conduct=replace(GOOD, **change)) == {name}


def test_a_run_without_any_endpoint_is_not_passed() -> None:
    assert "endpoints" in failed()


def test_a_right_model_passes_at_the_least_numbers_in_nearly_every_cohort() -> None:
    """The limits' own claim: at 50 events a right model stays within, whoever happens to be in the cohort."""
    limits, passed = Limits(patients=0), 0
    for seed in range(30):
        full = trial(400, seed=100 + seed, noise=2.0)
        keep = np.arange(int(np.searchsorted(np.cumsum(full.follow_up.event), 50)) + 1)
        seen = full.follow_up.take(keep)
        one = replace(full, follow_up=seen, linear_predictor=full.linear_predictor[keep], impi=full.impi[keep])
        passed += not failed(one, limits=limits)
    # 26 of 30 or more in 98 % of such runs where the true share is .95.
    assert passed >= 26


def acceptance() -> Acceptance:
    checks = (Check("pfs events", 126.0, ">= 50", True), Check("pfs calibration slope", None, "0.5 to 1.5", False))
    return Acceptance(False, "b" * 64, "site", "c" * 64, 400, 126, checks, "A. Physician", "2026-01-01T00:00:00Z")


def test_a_signature_holds_through_the_file() -> None:
    made = signed(acceptance(), KEY)
    assert verify_acceptance(made, KEY)
    adapter = TypeAdapter(Acceptance)
    again = adapter.validate_python(json.loads(json.dumps(adapter.dump_python(made, mode="json"))))
    assert verify_acceptance(again, KEY)
    assert not verify_acceptance(made, b"x" * 32)
    assert not verify_acceptance(acceptance(), KEY)


CHANGES = {
    "passed": True,
    "bundle_digest": "d" * 64,
    "cohort": "another",
    "cohort_digest": "e" * 64,
    "n": 401,
    "events": 127,
    "checks": acceptance().checks[:1],
    "by": "B. Physician",
    "at": "2026-01-02T00:00:00Z",
    "calibration_digest": "f" * 64,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Acceptance) if field.name != "signature"])
def test_any_change_voids_the_signature(name: str) -> None:
    assert not verify_acceptance(replace(signed(acceptance(), KEY), **{name: CHANGES[name]}), KEY)


@pytest.mark.parametrize(
    "values", [{"events": -1.0}, {"slope_low": 2.0}, {"ratio_low": float("nan")}, {"ratio_high": 0.1}]
)
def test_limits_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Limits(**values)


def test_limits_are_written_into_the_checks() -> None:
    checks = judge([trial()], GOOD, Limits(events=60, slope_low=0.75))
    said = {check.name: check.limit for check in checks}
    assert said["pfs events"] == ">= 60"
    assert said["pfs calibration slope"] == "0.75 to 1.5"
    assert all(isinstance(check.value, float) for check in checks)
    assert set(asdict(checks[0])) == {"name", "value", "limit", "passed"}
