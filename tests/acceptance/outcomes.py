"""Acceptances at feature level: the oracle, the mechanisms, and the clinical correlations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.outcomes import Censoring, OutcomeTable, draw_outcomes, outcome_model
from lymphoma.simulation.risk import MODES, true_eta
from lymphoma.simulation.sampler import SampledPatients
from lymphoma.survival.indices import impi, ipi
from scipy.stats import spearmanr
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from tests.acceptance.concordance import Concordance, harrell_in_groups, with_true_risk
from tests.acceptance.report import Check, between
from tests.acceptance.two_samples import pooled_features

__all__ = ["ORACLE", "ORACLE_CENSORED", "baseline_scores", "clinical_checks", "mode_checks", "oracle_checks"]

Floats = npt.NDArray[np.float64]

ORACLE = {0.25: 0.5693, 0.5: 0.6314, 0.75: 0.6835, 1.0: 0.7258, 1.25: 0.7600, 1.5: 0.7877, 2.0: 0.8292}
"""C of the true risk without censoring, E[1 / (1 + exp(-|d|))] with d normal of variance 2 sigma^2."""
ORACLE_CENSORED = {(0.75, "weibull"): 0.688, (0.75, "cure"): 0.692, (1.0, "weibull"): 0.738, (1.0, "cure"): 0.743}
ORACLE_CENSORED |= {(1.25, "weibull"): 0.778, (1.25, "cure"): 0.791}
"""Harrell's C of the true risk with follow-up uniform in 2 to 6 years, from 6,000 patients."""
EARLIER_PATIENTS = 6000
SIGMA = 1.0


def oracle_checks(patients: int, seed: int = 6_000_000) -> tuple[list[Check], dict[float, Concordance]]:
    """Concordance of a normal true risk with the times, against the analytic and the earlier figures."""
    checks, curve = [], {}
    for number, (sigma, wanted) in enumerate(ORACLE.items()):
        eta = np.random.default_rng([seed, number]).normal(0.0, sigma, patients)
        seeds = range(seed + number * patients, seed + (number + 1) * patients)
        times = draw_outcomes(outcome_model(sigma), eta, seeds, censored=False)
        curve[sigma] = found = harrell_in_groups(times, eta)
        reach = 2 * found.error
        checks.append(between(f"oracle C, sigma {sigma}", found.value, wanted - reach, wanted + reach, patients))
        for family in ("weibull", "cure"):
            if (sigma, family) in ORACLE_CENSORED:
                open_end = Censoring(administrative_years=99.0, lost_share=0.0)
                model = outcome_model(sigma, family=family, censoring=open_end)
                seen = harrell_in_groups(draw_outcomes(model, eta, seeds), eta)
                # the earlier figure has a standard error of its own
                reach = 2 * seen.error * np.sqrt(1 + patients / EARLIER_PATIENTS)
                wanted = ORACLE_CENSORED[(sigma, family)]
                name = f"censored oracle C, sigma {sigma}, {family}"
                checks.append(between(name, seen.value, wanted - reach, wanted + reach, patients))
    return checks, curve


def baseline_scores(table: FeatureTable) -> dict[str, Floats]:
    """What is compared with the true risk: single numbers that a clinic can have."""
    lesions = table.lesions
    impis = [impi(record, volume) for record, volume in zip(table.clinical, table.tmtv_ml, strict=True)]
    return {
        "age": table.clinical_column(lambda record: record.age_years),
        "IPI": table.clinical_column(lambda record: _middle(ipi(record).least, ipi(record).most)),
        "IMPI": np.array([np.nan if one is None else _middle(one.least, one.most) for one in impis]),
        "count": table.counts.astype(np.float64),
        "TMTV": table.tmtv_ml,
        "largest volume": table.pooled(lesions.volume_ml, np.maximum),
        "highest SUVpeak": table.pooled(lesions.suv_peak, np.maximum),
        "mean texture": table.mean(lesions.suv_cv),
        "SDmax": table.sdmax_per_m.astype(np.float64),
    }


def _middle(least: float, most: float) -> float:
    return (least + most) / 2


def mode_checks(train: SampledPatients, test: SampledPatients) -> tuple[list[Check], dict[str, dict[str, float]]]:
    """Each mechanism: who tells the true risk, and the conditions it was made for."""
    scores = baseline_scores(test.true)
    matrix: dict[str, dict[str, float]] = {}
    checks = []
    n = len(test.seeds)
    for mode in MODES:
        eta = true_eta(test.true, mode, SIGMA)
        if mode != "null":
            matrix[mode] = {name: with_true_risk(eta, score).value for name, score in scores.items()}
            checks.append(between(f"{mode}: mean of eta", eta.mean(), -0.05, 0.05, n))
            checks.append(between(f"{mode}: SD of eta", eta.std(), 0.95, 1.05, n))
        if mode == "worst_lesion":
            for name in ("count", "TMTV"):
                checks.append(between(f"{mode}: C of {name}", matrix[mode][name], 0.49, 0.51, n))
        if mode == "location":
            for name in ("TMTV", "largest volume", "highest SUVpeak", "mean texture"):
                checks.append(between(f"{mode}: C of {name}", matrix[mode][name], 0.485, 0.515, n))
    null = draw_outcomes(outcome_model(0.0), np.zeros(n), test.seeds)
    for name, score in scores.items():
        found = harrell_in_groups(null, np.nan_to_num(score), groups=10)
        reach = 3 * found.error
        checks.append(between(f"null: C of {name} (3 SE)", found.value, 0.5 - reach, 0.5 + reach, n))
    checks.append(background_check(train, test))
    return checks, matrix


def background_check(train: SampledPatients, test: SampledPatients) -> Check:
    """A Cox model with a ridge fed organs only, in the worst-lesion mode: nothing of it lies in the background."""
    model = outcome_model(SIGMA)
    eta = [true_eta(part.true, "worst_lesion", SIGMA) for part in (train, test)]
    times: list[OutcomeTable] = [
        draw_outcomes(model, values, part.seeds) for values, part in zip(eta, (train, test), strict=True)
    ]
    organs = [pooled_features(part.measured)[:, -100:] for part in (train, test)]
    centre, scale = organs[0].mean(axis=0), organs[0].std(axis=0) + 1e-9
    x = [np.clip((values - centre) / scale, -4, 4) for values in organs]
    cox = CoxPHSurvivalAnalysis(alpha=50.0).fit(x[0], Surv.from_arrays(times[0].pfs_event, times[0].pfs_months))
    found = harrell_in_groups(times[1], cox.predict(x[1]), groups=10)
    reach = 2 * found.error
    name = "worst_lesion: C of a Cox model on organs only (2 SE)"
    return between(name, found.value, 0.5 - reach, 0.5 + reach, len(test.seeds))


def clinical_checks(table: FeatureTable) -> list[Check]:
    """Correlations and shares of the clinical record. Limits that are no published figure are only for information."""
    n = len(table)
    log_tmtv = np.log(np.maximum(table.tmtv_ml, 0.1))
    ldh = table.clinical_column(lambda record: record.ldh_ratio)
    stage = table.clinical_column(lambda record: record.stage)
    ecog = table.clinical_column(lambda record: record.ecog)
    points = table.clinical_column(lambda record: ipi(record).points)
    age = table.clinical_column(lambda record: record.age_years)
    groups = [np.mean((points >= low) & (points <= high)) for low, high in ((0, 1), (2, 2), (3, 3), (4, 5))]
    checks = [
        between("median TMTV, mL", np.median(table.tmtv_ml), 250, 310, n),
        between("10th percentile of TMTV, mL", np.quantile(table.tmtv_ml, 0.1), 30, 70, n),
        between("90th percentile of TMTV, mL", np.quantile(table.tmtv_ml, 0.9), 1400, 2200, n),
        between("mean number of lesions", table.counts.mean(), 11, 15, n),
        between("median age, years", np.nanmedian(age), 62, 64, n),
        between("correlation of log LDH and log TMTV", np.corrcoef(np.log(ldh), log_tmtv)[0, 1], 0.45, 0.55, n),
        between("share of stage III-IV", np.nanmean(stage >= 3), 0.60, 0.78, n),
        between("share of ECOG 2 and more", np.nanmean(ecog >= 2), 0.20, 0.34, n),
        between("Spearman of stage and TMTV", spearmanr(stage, log_tmtv).statistic, 0.2, 0.7, n),
        between("Spearman of IPI and TMTV", spearmanr(points, log_tmtv).statistic, 0.2, 0.7, n),
    ]
    published = (0.35, 0.27, 0.22, 0.16)
    for name, share, wanted in zip(("low", "low-int.", "high-int.", "high"), groups, published, strict=True):
        checks.append(between(f"share of IPI {name} (published {wanted})", share, wanted - 0.1, wanted + 0.1, n))
    return checks
