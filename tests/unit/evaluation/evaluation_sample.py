"""An evaluation made by hand: every kind of model, figures that are missing or withheld, names that need escaping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from lymphoma.evaluation.result import (
    Accuracy,
    Added,
    AsPublished,
    AtHorizon,
    AtThreshold,
    Calibration,
    CalibrationPoint,
    Comparison,
    Control,
    CoxTables,
    DecisionResult,
    Discrimination,
    EndpointResult,
    Estimate,
    Evaluation,
    FoldSize,
    HorizonCalibration,
    Model,
    ModelKind,
    ModelResult,
    NaiveFigures,
    ProtocolUsed,
    RiskGroups,
    Subgroup,
    SubgroupRow,
    TableOne,
    TableOneRow,
    TestResult,
    ThresholdRow,
    Verdict,
)
from lymphoma.prognosis.model import CURVE_MONTHS, Endpoint, GroupCurve
from lymphoma.survival.cox import Coefficient, LikelihoodRatio
from lymphoma.survival.cox_tables import TermRow
from lymphoma.survival.curves import LogRank, Rate

HORIZONS = (12.0, 36.0, 60.0)
LEFT_OUT, NO_LDH = "nccn_ipi", "LDH is known for no patient"
TOO_FEW = Estimate(None, problem="fewer than 10 events")
NO_SURVIVAL = "the system predicts no survival"
BASELINES: tuple[tuple[str, str, ModelKind], ...] = (
    ("null", "Null", "null"),
    ("age", "Age", "measure"),
    ("ipi", "IPI", "published"),
    ("nccn_ipi", "NCCN-IPI", "published"),
    ("log_tmtv", "Log TMTV", "measure"),
    ("impi_published", "IMPI as published", "published"),
    ("impi_refitted", "IMPI refitted", "fitted"),
    ("cox_pet", "Cox (TMTV, Dmax bulk, SUVpeak, age, ECOG)", "fitted"),
)


def estimate(value: float, half: float = 0.04, p: float | None = None) -> Estimate:
    return Estimate(value, value - half, value + half, p)


def at_horizons(value: float) -> tuple[AtHorizon, ...]:
    return tuple(AtHorizon(months, estimate(value + months / 2000)) for months in HORIZONS)


def calibration(rng: np.random.Generator, horizons: tuple[float, ...]) -> Calibration:
    found = []
    for months in horizons:
        predicted = np.sort(rng.uniform(0.3, 0.95, 5))
        observed = np.clip(predicted + rng.normal(0, 0.05, 5), 0.05, 0.97)
        groups = tuple(
            CalibrationPoint(80, 30 - 4 * i, float(p), float(o), float(o) - 0.09, min(1.0, float(o) + 0.08))
            for i, (p, o) in enumerate(zip(predicted, observed, strict=True))
        )
        last = replace(groups[-1], events=6, observed=None, lower=None, upper=None, problem="fewer than 10 events")
        risks = tuple(float(r) for r in np.linspace(0.05, 0.7, 40))
        curve = tuple(float(r) for r in np.clip(np.array(risks) * 1.1 - 0.02, 0, 1))
        distances = (estimate(0.031, 0.01), estimate(0.027, 0.01), estimate(0.062, 0.02))
        test = TestResult(6.2, 3, 0.102, 5)
        found.append(HorizonCalibration(months, (*groups[:-1], last), risks, curve, *distances, test))
    return Calibration(estimate(0.93, 0.17), tuple(found))


def curve(name: str, rate: float, n: int, events: int, last: int) -> GroupCurve:
    months = np.array(CURVE_MONTHS[: last + 1])
    survival = np.exp(-rate * np.floor(months / 2) * 2)
    at_risk = np.round(n * np.exp(-0.03 * months)).astype(int)
    return GroupCurve(
        name,
        n,
        events,
        tuple(float(s) for s in survival),
        tuple(float(max(0, s - 0.05)) for s in survival),
        tuple(float(min(1, s + 0.05)) for s in survival),
        tuple(int(r) for r in at_risk),
    )


def groups() -> RiskGroups:
    curves = (curve("low risk", 0.004, 262, 50, 60), curve("high risk", 0.014, 138, 72, 57))
    rates = (
        tuple(Rate(m, 100, 20, float(np.exp(-0.004 * m)), 0.8, 0.97) for m in HORIZONS),
        (
            Rate(12.0, 100, 8, None, None, None),
            Rate(36.0, 40, 60, 0.6, 0.5, 0.7),
            Rate(60.0, 0, 72, None, None, None),
        ),
    )
    four = (estimate(0.61, 0.1), estimate(0.72, 0.08), estimate(0.44, 0.1), estimate(0.84, 0.05))
    rows = tuple(ThresholdRow(m, *four) for m in HORIZONS)
    test = LogRank(41.25, 1, 1.4e-10)
    return RiskGroups(24.0, (0.31, 0.36, 0.29, 0.4, 0.33), 0.12, 0.08, curves, rates, test, estimate(2.91, 0.8), rows)


def decision(level: float) -> DecisionResult:
    thresholds = tuple(float(t) for t in np.linspace(0.02, 0.6, 30))
    model = tuple(None if t > 0.55 else float(level * np.exp(-4 * t)) for t in thresholds)
    everybody = tuple(float(0.24 - 0.76 * t / (1 - t)) for t in thresholds)
    chosen = tuple(AtThreshold(t, estimate(level * float(np.exp(-4 * t)), 0.02)) for t in (0.1, 0.2, 0.3))
    return DecisionResult(24.0, thresholds, model, everybody, chosen)


def model_result(model: Model, c: float, seed: int) -> ModelResult:
    rng = np.random.default_rng(seed)
    null = model.kind == "null"
    ranks = Discrimination(
        Estimate(0.5) if null else estimate(c),
        Estimate(0.5) if null else estimate(c - 0.01),
        tuple(AtHorizon(m, Estimate(0.5)) for m in HORIZONS) if null else at_horizons(c + 0.02),
        (c, c, c, None, c),
    )
    naive = tuple(
        NaiveFigures(m, estimate(c + 0.01, 0.05), TestResult(9.1, 8, 0.33, 10, 57), 0.61, 0.7, None, 0.83)
        for m in HORIZONS[:2]
    )
    no_groups = RiskGroups(24.0, (), None, None, (), (), None, Estimate(None), (), "the score is the same for all")
    return ModelResult(
        model,
        ranks,
        Accuracy(at_horizons(0.15), estimate(0.16 - (c - 0.5) / 10, 0.01)),
        Calibration(Estimate(None, problem="one prediction for all"), ()) if null else calibration(rng, HORIZONS),
        no_groups if null else groups(),
        decision(0.2 + (c - 0.5) / 3),
        AsPublished(() if null else naive),
    )


def coefficient(name: str, b: float) -> Coefficient:
    ratio = float(np.exp(b))
    return Coefficient(name, b, 0.2, ratio, ratio * 0.7, ratio * 1.4, b / 0.2, 0.03)


def cox() -> CoxTables:
    ratio = LikelihoodRatio(12.3, 1, 0.0005)
    age = TermRow("age_years", (coefficient("age_years", 0.03),), ratio)
    levels = tuple(coefficient(f"stage_four={level}", b) for level, b in (("II", 0.2), ("III", 0.5), ("IV", 0.8)))
    stage = TermRow("stage_four", levels, ratio)
    volume = TermRow("tmtv_ml", (coefficient("log(tmtv_ml)", 0.4),), ratio)
    broken = TermRow("bulky", (), None, "all patients have the same value")
    return CoxTables((age, stage, volume, broken), (400, 396, 400, 400), (age, stage), 396, 121, ("suv_peak",))


def table_ones() -> tuple[TableOne, ...]:
    rows = (
        TableOneRow("age", "Age", "years", (279, 121), (0, 0), (61.0, 66.0), (50.0, 55.0), (70.0, 74.0),
                    (60.2, 64.8), test="mann_whitney", p=0.003),
        TableOneRow("sex", "Sex", "", (279, 119), (0, 2), levels=("female", "male"), counts=((130, 149), (50, 69)),
                    test="chi_squared", p=0.41),
        TableOneRow("ecog", "ECOG", "", (2, 1), (277, 120), (None, 1.0), (None, 1.0), (None, 1.0), (None, 1.0),
                    problem="three known values per group are needed"),
    )  # fmt: skip
    centres = tuple(f"Centre {letter}" for letter in "ABCDEFGHIJKL")
    by_centre = TableOneRow(
        "tmtv_ml", "TMTV", "mL", (33,) * 12, (0,) * 12, tuple(120.0 + i for i in range(12)), (40.0,) * 12,
        (412.0,) * 12, (200.0,) * 12, test="kruskal", p=0.7,
    )  # fmt: skip
    return (
        TableOne("event", ("no event", "event"), (279, 121), rows),
        TableOne("centre", centres, (33,) * 12, (by_centre,)),
    )


def added_of(model: Model, *, shown: bool) -> Added:
    words = "beats" if shown else "not shown, n = 396, against"
    brier = Estimate(None, problem=NO_SURVIVAL) if model.kind == "system" else estimate(-0.004, 0.005)
    return Added(
        model.key,
        "impi_refitted",
        LikelihoodRatio(8.1, 1, 0.0044),
        estimate(0.021, 0.018, 0.03),
        estimate(0.018, 0.02),
        at_horizons(0.02),
        brier,
        tuple(AtThreshold(t, estimate(0.004, 0.006)) for t in (0.1, 0.2, 0.3)),
        Verdict(shown, f"{model.label}: {words} the refitted IMPI."),
    )


def comparison_of(model: Model) -> Comparison:
    kang = TestResult(2.1, None, 0.034)
    difference, verdict = estimate(0.021, 0.018, 0.03), Verdict(False, "not shown, n = 396")
    return Comparison(model.key, "impi_refitted", "harrell", difference, 0.06, kang, verdict)


def endpoint_result(endpoint: Endpoint, systems: tuple[str, ...]) -> EndpointResult:
    rows = list(BASELINES)
    rows += [(name, name, "system") for name in systems]
    rows += [(f"{name}+impi", f"{name} + IMPI", "system_and_impi") for name in systems]
    models = tuple(
        Model(key, label, kind, ("age",), 400 - i, 121, key != LEFT_OUT, NO_LDH if key == LEFT_OUT else None)
        for i, (key, label, kind) in enumerate(rows)
    )
    compared = [model for model in models if model.compared]
    later = compared[[model.key for model in compared].index("impi_refitted") + 1 :]
    added = tuple(added_of(model, shown=i % 2 == 0) for i, model in enumerate(later))
    comparisons = tuple(comparison_of(model) for model in later)
    subgroups = (
        Subgroup("North & <East>", 210, 64, tuple(SubgroupRow(m.key, estimate(0.7), estimate(0.9)) for m in later)),
        Subgroup("South", 40, 7, tuple(SubgroupRow(m.key, TOO_FEW, TOO_FEW) for m in later)),
    )
    return EndpointResult(
        endpoint,
        ProtocolUsed("cross_validation", "5-fold cross-validation", 1, 7,
                     tuple(FoldSize(f"fold {i + 1}", 317, 97, 79, 24) for i in range(5))),
        400, 396, 121, 41.3, HORIZONS, 60.0, models,
        tuple(model_result(model, 0.55 + 0.02 * i, i) for i, model in enumerate(compared)),
        added, comparisons, cox(), table_ones(), subgroups,
        (Control("impi_refitted", 100, 0.499, 0.003, 0.03, 0.42, 0.57),),
        ("4 patients without ECOG were left out.",),
        "p values are not corrected unless it says Holm.",
    )  # fmt: skip


def sample(
    systems: tuple[str, ...] = ("lamp", "deepmts"), *, virtual: bool = True, endpoints: tuple[Endpoint, ...] = ("pfs",)
) -> Evaluation:
    """An evaluation of 400 patients."""
    found = tuple(endpoint_result(endpoint, systems) for endpoint in endpoints)
    return Evaluation(
        "L1 <test> & more", virtual, 400, 2, 7, 1000, found, (("nodal", "0.1.0"), ("lifelines", "0.30.3"))
    )
