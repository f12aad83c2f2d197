"""Findings of the prognosis stage for the tests of result objects: a hand-made model, real arithmetic, no medicine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
from lymphoma.survival import indices as published
from lymphoma.survival.baseline import Baseline
from lymphoma.survival.cox import CoxModel
from lymphoma.survival.design import Categorical, Continuous, Term, columns_of
from lymphoma.survival.nomogram import Nomogram, Value, build_nomogram
from nodal.clinical.record import ClinicalRecord, Conflict, Said, Unusable
from nodal.findings import BundleUsed, Findings, NotComputed
from nodal.outlook import (
    Curve,
    EndpointFinding,
    ImpiFinding,
    IndexFinding,
    Indices,
    NomogramAxis,
    NomogramFinding,
    NomogramPoints,
    PublishedRate,
    Suggestion,
    SurvivalAt,
    SurvivalAxisFinding,
    SystemFinding,
)
from nodal.report.inputs import ReportInputs

from tests.unit.report.sample import with_findings

Level = Literal["E0", "E1", "E2"]

TERMS: tuple[Term, ...] = (
    Continuous("age_years", "years"),
    Categorical("stage", ("I", "II", "III", "IV")),
    Continuous("ldh_ratio", "times the upper limit"),
    Categorical("ecog", ("0-1", "2 and more")),
    Categorical("cell_of_origin", ("non-GCB", "GCB")),
    Continuous("score:auto_radio"),
    Continuous("score:deepmts"),
)
LABELS = (
    "Age, years",
    "Ann Arbor stage",
    "LDH, times the upper limit",
    "ECOG",
    "Cell of origin",
    "AutoRadio",
    "DeepMTS",
)
TICKS: tuple[tuple[Value, ...], ...] = (
    tuple(float(age) for age in range(20, 91, 10)),
    ("I", "II", "III", "IV"),
    (0.0, 1.0, 2.0, 3.0, 4.0, 5.0),
    ("0-1", "2 and more"),
    ("non-GCB", "GCB"),
    (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0),
    (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5),
)
PATIENT: tuple[Value, ...] = (66.0, "III", 1.84, "0-1", "GCB", 0.62, 0.31)
COEFFICIENTS = {"pfs": (0.018, 0.10, 0.28, 0.41, 0.24, 0.45, -0.33, 0.30, 0.72)}
COEFFICIENTS["os"] = (0.034, 0.05, 0.31, 0.52, 0.21, 0.62, -0.40, 0.18, 0.66)
HAZARD_PER_MONTH = {"pfs": 0.0105, "os": 0.0072}
GROUPS = ("low", "high")


def record(*missing: str) -> ClinicalRecord:
    """A clinical record of several sources, without the fields named."""
    full = ClinicalRecord(
        age_years=66,
        sex="F",
        stage=3,
        ldh_ratio=1.84,
        ecog=1,
        extranodal_sites=("stomach",),
        cell_of_origin="GCB",
        bulky=False,
        b_symptoms=True,
        timepoint="baseline",
        entered_at="20240610120000",
        sources={
            "age_years": "dicom", "sex": "dicom", "stage": "fhir", "ldh_ratio": "hl7", "ecog": "api",
            "extranodal_sites": "api", "cell_of_origin": "fhir", "bulky": "file", "b_symptoms": "file",
            "timepoint": "api",
        },
        dates={"stage": "20240605", "ldh_ratio": "20240609", "ecog": "20240610", "cell_of_origin": "20240604"},
        said={"ldh_ratio": "442 U/L, upper limit 240 U/L"},
    )  # fmt: skip
    sources = {name: source for name, source in full.sources.items() if name not in missing}
    return replace(full, **dict.fromkeys(missing), sources=sources)


def conflicts(count: int) -> tuple[Conflict, ...]:
    """So many conflicts, on different fields in turn."""
    names = ("stage", "ldh_ratio", "ecog", "cell_of_origin", "extranodal_sites", "bulky", "b_symptoms")
    used = {"stage": 3, "ldh_ratio": 1.84, "ecog": 1, "cell_of_origin": "GCB", "extranodal_sites": ("stomach",)}
    other = {"stage": 4, "ldh_ratio": 0.91, "ecog": 2, "cell_of_origin": "non-GCB"}
    return tuple(
        Conflict(
            names[n % len(names)],
            Said(used.get(names[n % len(names)], False), "fhir", "20240605"),
            (
                Said(other.get(names[n % len(names)], True), "file", f"202405{n + 10:02d}"),
                Said(other.get(names[n % len(names)], True), "api", None),
            ),
        )
        for n in range(count)
    )


def unusable(count: int) -> tuple[Unusable, ...]:
    """So many statements that could not be used."""
    return tuple(
        Unusable("ldh_ratio", "hl7", "20240609080000", f"LDH {300 + n} U/L", "the upper limit of normal is not stated")
        for n in range(count)
    )


def indices_of(clinical: ClinicalRecord, tmtv_ml: float = 300.0) -> Indices:
    """The published indices, as the science computes them."""
    found: dict[str, IndexFinding] = {}
    for name in ("ipi", "aa_ipi", "r_ipi", "nccn_ipi", "cns_ipi"):
        score = getattr(published, name)(clinical)
        if score is None:
            continue
        rates = score.group.rates if score.group else ()
        found[name] = IndexFinding(
            score.table.name,
            score.points,
            (score.least, score.most),
            score.table.most_points,
            score.group.name if score.group else None,
            ()
            if score.group
            else tuple(g.name for g in score.table.groups if g.most >= score.least and g.least <= score.most),
            score.missing,
            tuple(PublishedRate(r.endpoint, r.months, r.share, r.interval, r.source) for r in rates),
        )
    impi = published.impi(clinical, tmtv_ml)
    seen = None
    if impi is not None:
        seen = ImpiFinding(None if impi.missing else impi.least, (impi.least, impi.most), impi.missing)
    return Indices(**found, impi=seen)


@cache
def nomogram(endpoint: Literal["pfs", "os"]) -> Nomogram:
    """The nomogram of a Cox model with coefficients made up."""
    b = np.array(COEFFICIENTS[endpoint])
    months = np.arange(1.0, 73.0)
    hazard = HAZARD_PER_MONTH[endpoint] * months * np.exp(-months / 160)
    means = np.array([62.0, 0.3, 0.25, 0.3, 1.5, 0.25, 0.55, 0.0, 0.0])
    baseline = Baseline("efron", months, 72.0, hazard, hazard**2 / 60, np.zeros((months.size, b.size)))
    names = columns_of(TERMS)
    cox = CoxModel(endpoint, names, b, np.diag(np.full(b.size, 0.003)), means, baseline, 258, 93, -400.0, -430.0)
    return build_nomogram(cox, TERMS, TICKS, (12.0, 36.0, 60.0))


def said(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def nomogram_finding(
    endpoint: Literal["pfs", "os"], missing: Sequence[str] = (), patient: tuple[Value, ...] = PATIENT
) -> NomogramFinding:
    """The patient on the nomogram, without the covariates named."""
    chart = nomogram(endpoint)
    names = [axis.term.name for axis in chart.axes]
    values = [None if name in missing else value for name, value in zip(names, patient, strict=True)]
    read = chart.read(values)
    whole = not read.missing
    return NomogramFinding(
        system="deepmts",
        endpoint=endpoint,
        points=tuple(
            NomogramPoints(name, None if value is None else said(value), points)
            for name, value, points in zip(names, values, read.points, strict=True)
        ),
        total_points=read.least_total if whole else None,
        total_range=(read.least_total, read.most_total),
        survival=tuple(
            SurvivalAt(
                s.months,
                s.least if whole else None,
                (min(s.least, s.most), max(s.least, s.most)),
                (s.lower, s.upper),
            )
            for s in read.survival
        ),
        missing=read.missing,
        outside=read.outside,
        axes=tuple(
            NomogramAxis(name, label, tuple((said(t.value), t.points) for t in axis.ticks))
            for name, label, axis in zip(names, LABELS, chart.axes, strict=True)
        ),
        points_ticks=chart.points_ticks,
        total_ticks=chart.total_ticks,
        survival_axes=tuple(
            SurvivalAxisFinding(axis.months, tuple((t.survival, t.total_points) for t in axis.ticks))
            for axis in chart.survival
        ),
        group=GROUPS[int(read.least_total > 160)] if whole else None,
        group_curves=group_curves(endpoint),
        patient_curves=patient_curves(chart, read.least_total, read.most_total),
    )


def group_curves(endpoint: str) -> tuple[Curve, ...]:
    """Curves of two groups that look like Kaplan-Meier estimates."""
    months = tuple(float(month) for month in range(61))
    found = []
    for name, n, events, rate in (("low", 171, 31, 0.0035), ("high", 87, 62, 0.016)):
        hazard = np.floor(np.array(months) / 3) * 3 * rate * (0.8 if endpoint == "os" else 1.0)
        survival = np.exp(-hazard)
        spread = 0.09 * np.sqrt(np.array(months) / 60)
        at_risk = tuple(round(n * (1 - m / 80) * s) for m, s in zip(months, survival, strict=True))
        lower, upper = np.clip(survival - spread, 0, 1), np.clip(survival + spread, 0, 1)
        found.append(
            Curve(name, months, tuple(survival), tuple(lower), tuple(upper), at_risk, n=n, events=events),
        )
    return tuple(found)


def patient_curves(chart: Nomogram, least: float, most: float) -> tuple[Curve, ...]:
    """The patient's predicted curve, or the two that missing covariates leave."""
    months = tuple(float(month) for month in range(61))
    totals = (least,) if least == most else (least, most)
    names = ("this patient",) if least == most else ("this patient, at best", "this patient, at worst")
    return tuple(
        Curve(name, months, tuple(1.0 if m == 0 else chart.survival_at(total, m) for m in months))
        for name, total in zip(names, totals, strict=True)
    )


def endpoint_finding(seen: NomogramFinding) -> EndpointFinding:
    whole = seen.total_points is not None
    return EndpointFinding(
        risk=0.4213 if whole else None,
        risk_range=(0.4213, 0.4213) if whole else (-0.2, 1.31),
        percentile=(83.0, 83.0) if whole else (41.0, 96.0),
        group=seen.group,
        groups=GROUPS,
        survival=seen.survival,
    )


def better(survival: tuple[SurvivalAt, ...]) -> tuple[SurvivalAt, ...]:
    """The same predictions with less hazard."""

    def raised(share: float) -> float:
        return share**0.55

    return tuple(
        SurvivalAt(
            one.months,
            None if one.probability is None else raised(one.probability),
            (raised(one.range[0]), raised(one.range[1])),
            (raised(one.ci[0]), raised(one.ci[1])),
        )
        for one in survival
    )


def system(level: Level, nomograms: dict[str, NomogramFinding], **changes: object) -> SystemFinding:
    """A computed system of an evidence level."""
    cohorts = {"E0": ("l1-train-1",), "E1": ("St Elsewhere 2012-2020",), "E2": ("St Elsewhere 2012-2020", "North")}
    made = SystemFinding(
        bundle="deepmts",
        version="1.2.0",
        trained_on="virtual" if level == "E0" else "patients",
        evidence=level,
        status="computed",
        in_range="in",
        cohorts=cohorts[level],
        n=258,
        events=93,
        harrell_c={"pfs": (0.741, 0.688, 0.792), "os": (0.76, 0.69, 0.82)},
        percentile=83.0,
        scores={"deepmts_pfs": 0.3124, "auto_radio": 0.6219},
        endpoint={name: endpoint_finding(one) for name, one in nomograms.items()},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def judged(
    inputs: ReportInputs, level: Level = "E1", *, missing: Sequence[str] = (), withheld: bool = False, **changes: object
) -> ReportInputs:
    """The same study with a clinical record, published indices, two systems that judge and one that does not.

    Args:
        level: of both systems. missing: fields of the clinical record that nobody knows. withheld: as the prognosis
            stage marks what the evidence level does not let be shown. changes: further fields of the findings.
    """
    clinical = record(*missing)
    charts = {name: nomogram_finding(name, missing) for name in ("pfs", "os")}  # type: ignore[arg-type]
    if withheld:
        charts = {name: replace(one, withheld=True) for name, one in charts.items()}
    deepmts = system(level, charts)
    lamp = system(
        level,
        charts,
        bundle="lamp",
        version="0.9.1",
        in_range="unusual",
        in_range_features=("liver_suv_mean",),
        percentile=58.0,
        scores={"p_event_24m": 0.2718},
        endpoint={
            name: replace(one, risk=-0.1087, group="low", percentile=(58.0, 58.0), survival=better(one.survival))
            for name, one in deepmts.endpoint.items()
        },
    )
    if withheld:
        deepmts, lamp = (
            replace(one, endpoint={k: replace(e, withheld=True) for k, e in one.endpoint.items()})
            for one in (deepmts, lamp)
        )
    dfr = replace(
        system(level, {}),
        bundle="dfr_signature",
        status="not_computed",
        code="OUT_OF_DISTRIBUTION",
        reason="unlike the patients it was trained on: uptake_minutes",
        in_range="outside",
        in_range_features=("uptake_minutes",),
        scores={},
        percentile=None,
    )
    findings: Findings = inputs.findings
    weights = np.linspace(2, 1, max(len(findings.lesions), 1))
    weights = weights / weights.sum()
    new: dict[str, object] = {
        "clinical": clinical,
        "baseline": "confirmed",
        "indices": indices_of(clinical, findings.totals.tmtv_ml),
        "systems": {"lamp": lamp, "deepmts": deepmts, "dfr_signature": dfr},
        "nomograms": {"mtdlr": charts},
        "suggestions": (
            Suggestion(
                "stage",
                ("IV",),
                "Uptake in the spleen and in two organs that are not lymphatic",
                ("A lesion touches the stomach: contiguous extension would be stage II E",),
            ),
        ),
        "disagreements": ()
        if withheld
        else ("LAMP puts this patient into the low-risk group for PFS, DeepMTS into the high-risk group.",),
        "lesions": tuple(
            replace(lesion, attention={"lamp": float(a)}) for lesion, a in zip(findings.lesions, weights, strict=False)
        ),
        "not_computed": (
            NotComputed("liver_suv_mean", "NO_ANATOMY", "No organ map was computed."),
            NotComputed("systems.dfr_signature", "OUT_OF_DISTRIBUTION", "unlike the patients it was trained on"),
        ),
        "provenance": replace(
            findings.provenance,
            bundles=(BundleUsed("lamp", "0.9.1", "ab" * 32), BundleUsed("deepmts", "1.2.0", "cd" * 32)),
        ),
    }
    return with_findings(inputs, **{**new, **changes})
