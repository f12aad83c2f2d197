"""A site's acceptance run: what is looked at, what it is held against, and the signature of the result.

The run asks whether a bundle works at this site as it should, not whether it is the best there is: its limits are wide
enough that a right model passes on 50 events, and every one of them may be set.
"""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.recalibrate import CalibrationFigures, calibration_figures, cross_fitted_figures
from lymphoma.prognosis.model import Endpoint, PrognosticModel
from lymphoma.survival.bootstrap import bootstrap, interval
from lymphoma.survival.concordance import harrell_of_resamples
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.splines import quantile_knots, restricted_cubic
from lymphoma.training.evidence import Acceptance, Check

__all__ = ["Conduct", "Limits", "Trial", "judge", "signed", "verify_acceptance"]

RESAMPLES = 1000
SEED = 7


@dataclass(frozen=True)
class Limits:
    """What an acceptance run is held against; each may be set by the site, and is written into the result.

    Attributes:
        patients, events: fewest with a known outcome. With 50 events the standard error of C is about .04 and that of
            log(expected / observed) .14, so that the other limits separate right from wrong; 100 are better.
        harrell_c_low: the lower bound of C's 95 % interval is above it; .5 is chance.
        impi_margin: C may be lower than that of the IMPI refitted here by so much. Refitted on these very patients the
            IMPI has the advantage, and .05 is about one standard error of the difference at 50 events.
        slope_low, slope_high: calibration slope. With 50 events and scores of standard deviation .7 its standard
            error is .2: a right model stays within.
        ratio_low, ratio_high: expected over observed events, in all and by each horizon with 10 events; a third too
            few and half too many are the same distance on the log scale, three standard errors at 50 events.
        outside: largest share of patients unlike those of the training. By its making the limit of the range calls
            1 % of the training's own patients outside.
        computed: least share of patients with a result, so that a bundle is not accepted on a few.
    """

    patients: float = 100
    events: float = 50
    harrell_c_low: float = 0.5
    impi_margin: float = 0.05
    slope_low: float = 0.5
    slope_high: float = 1.5
    ratio_low: float = 2 / 3
    ratio_high: float = 1.5
    outside: float = 0.1
    computed: float = 0.8

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{field.name} is a finite number, 0 or more")
        if self.slope_low >= self.slope_high or self.ratio_low >= self.ratio_high:
            raise ValueError("a range ends above where it begins")


@dataclass(frozen=True, eq=False)
class Trial:
    """One endpoint on the site's patients.

    Attributes:
        follow_up: of n patients with a known outcome and a result.
        linear_predictor: (n,) before any correction. impi: (n,) its linear predictor, NaN where not known.
        corrected_here: the model's correction was fitted on these very patients, on whom it looks perfect; its
            calibration is then judged on patients left out of such a fit.
    """

    endpoint: Endpoint
    model: PrognosticModel
    follow_up: FollowUp
    linear_predictor: Floats
    impi: Floats
    corrected_here: bool = False


@dataclass(frozen=True)
class Conduct:
    """How the bundle behaved on all patients, whatever their outcome.

    Attributes:
        patients: in the cohort. computed: with a result. explained: without one, but with a code.
        outside: unlike the training patients. ranged: patients for whom that could be said.
        repeatable: a second run gave the same bits. unchanged: all digests were right, before and after.
        trained: the bundle's training beat its null.
    """

    patients: int
    computed: int
    explained: int
    outside: int
    ranged: int
    repeatable: bool
    unchanged: bool
    trained: bool


def judge(trials: Sequence[Trial], conduct: Conduct, limits: Limits) -> tuple[Check, ...]:
    """Every check of a run; it is passed where each of them is.

    A figure that cannot be computed fails its check: what is not known is not accepted.
    """
    found = [*_of_conduct(conduct, limits)]
    if not trials:
        found.append(Check("endpoints", 0.0, "at least 1 with patients of known outcome", False))
    for trial in trials:
        found += _of_trial(trial, limits)
    return tuple(found)


def signed(acceptance: Acceptance, key: bytes) -> Acceptance:
    """The same with its signature: HMAC-SHA-256 by the site's key over all other fields."""
    return replace(acceptance, signature=_mac(acceptance, key))


def verify_acceptance(acceptance: Acceptance, key: bytes) -> bool:
    """Whether the signature is of this key and nothing was changed since."""
    return hmac.compare_digest(_mac(acceptance, key), acceptance.signature)


def _mac(acceptance: Acceptance, key: bytes) -> str:
    content = {name: value for name, value in asdict(acceptance).items() if name != "signature"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hmac.new(key, canonical.encode(), sha256).hexdigest()


def _of_conduct(conduct: Conduct, limits: Limits) -> list[Check]:
    n = max(conduct.patients, 1)
    computed, silent = conduct.computed / n, conduct.patients - conduct.computed - conduct.explained
    ranged = conduct.ranged >= conduct.computed and conduct.ranged > 0
    outside = conduct.outside / conduct.ranged if ranged else None
    return [
        Check("digests unchanged", float(conduct.unchanged), "every file as listed", conduct.unchanged),
        Check("trained", float(conduct.trained), "better than a model without any input", conduct.trained),
        Check("repeatable", float(conduct.repeatable), "bit for bit the same twice", conduct.repeatable),
        Check("without result and code", float(silent), "0 patients", silent == 0),
        _at_least("share computed", computed, limits.computed),
        _at_most("share outside the range", outside, limits.outside),
    ]


def _of_trial(trial: Trial, limits: Limits) -> list[Check]:
    name, seen = trial.endpoint, trial.follow_up
    enough = [
        _at_least(f"{name} patients", float(seen.n), limits.patients),
        _at_least(f"{name} events", float(seen.events), limits.events),
    ]
    return enough + _discrimination(trial, limits) + _calibration(trial, limits)


def _discrimination(trial: Trial, limits: Limits) -> list[Check]:
    name, seen = trial.endpoint, trial.follow_up
    low = _lower_bound(seen, trial.linear_predictor)
    behind = _behind_impi(trial)
    return [
        _above(f"{name} C, lower bound", low, limits.harrell_c_low),
        _at_least(f"{name} C less that of the refitted IMPI", behind, -limits.impi_margin),
    ]


def _lower_bound(seen: FollowUp, risk: Floats) -> float | None:
    statistic = harrell_of_resamples(seen, risk[:, None])
    estimate = float(statistic(np.ones((seen.n, 1)))[0, 0])
    if math.isnan(estimate):
        return None
    return interval(estimate, bootstrap(seen.n, statistic, resamples=RESAMPLES, seed=SEED)[:, 0]).lower


def _behind_impi(trial: Trial) -> float | None:
    """Difference of the two C on the patients who have both; the IMPI refitted as a spline on these very patients."""
    both = np.flatnonzero(np.isfinite(trial.impi))
    if both.size == 0:
        return None
    seen, impi = trial.follow_up.take(both), trial.impi[both]
    try:
        basis = restricted_cubic(impi, quantile_knots(impi, 3))
        refitted = fit_cox(["straight", "curved"], basis, seen, endpoint=trial.endpoint).linear_predictor(basis)
    except NotComputable:
        # Too few different values for a spline; a C needs none.
        refitted = impi
    risks = np.stack([trial.linear_predictor[both], refitted], axis=1)
    found = harrell_of_resamples(seen, risks)(np.ones((seen.n, 1)))[0]
    return None if np.isnan(found).any() else float(found[0] - found[1])


def _calibration(trial: Trial, limits: Limits) -> list[Check]:
    name = trial.endpoint
    slope: float | None = None
    ratios: list[tuple[str, float | None]] = [(f"{name} expected/observed", None)]
    try:
        found = _figures(trial)
        slope, ratios = found.slope, _ratios(name, found)
    except NotComputable:
        pass  # both stay None, which fails
    return [
        _within(f"{name} calibration slope", slope, limits.slope_low, limits.slope_high),
        *(_within(what, ratio, limits.ratio_low, limits.ratio_high) for what, ratio in ratios),
    ]


def _figures(trial: Trial) -> CalibrationFigures:
    baseline, correction = trial.model.cox.baseline, trial.model.recalibration
    if correction is not None and trial.corrected_here:
        return cross_fitted_figures(trial.follow_up, trial.linear_predictor, baseline)
    return calibration_figures(trial.follow_up, trial.linear_predictor, baseline, correction)


def _ratios(name: str, found: CalibrationFigures) -> list[tuple[str, float | None]]:
    by_horizon = [
        (f"{name} expected/observed, {one.months:g} months", one.expected_over_observed)
        for one in found.horizons
        if one.expected_over_observed is not None
    ]
    return [(f"{name} expected/observed", found.expected_over_observed), *by_horizon]


def _at_least(name: str, value: float | None, limit: float) -> Check:
    return Check(name, value, f">= {limit:.4g}", value is not None and value >= limit)


def _at_most(name: str, value: float | None, limit: float) -> Check:
    return Check(name, value, f"<= {limit:.4g}", value is not None and value <= limit)


def _above(name: str, value: float | None, limit: float) -> Check:
    return Check(name, value, f"> {limit:.4g}", value is not None and value > limit)


def _within(name: str, value: float | None, low: float, high: float) -> Check:
    return Check(name, value, f"{low:.4g} to {high:.4g}", value is not None and low <= value <= high)
