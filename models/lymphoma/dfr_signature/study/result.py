"""The paper's tables: signatures against each other, hazard ratios, and the combined model against its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from lymphoma.dfr_signature.combined import Combined, CombinedConfig, OutOfFoldScore, fit_combined_model
from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.fit import score_name
from lymphoma.dfr_signature.study.cells import Arm, Centres, Chances, known_rows, parts_of
from lymphoma.errors import CannotDo
from lymphoma.evaluation.figures import verdict
from lymphoma.evaluation.result import Estimate
from lymphoma.prognosis.model import Endpoint, PrognosticModel
from lymphoma.prognosis.nomogram_tables import Columns
from lymphoma.survival.bootstrap import bootstrap, difference, interval
from lymphoma.survival.concordance import harrell_of_resamples
from lymphoma.survival.cox_tables import TermRow
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.time_auc import auc_of_resamples
from lymphoma.training.files import write_whole

__all__ = ["MONTHS", "Compared", "Group", "HazardRatio", "Measured", "judge", "read_groups", "save_group"]

MONTHS = 24.0
"""Of the areas under the curve."""
COMBINED_WITH: Mapping[Arm, str] = {"ct": "CT", "pet": "PET", "radiomics": "radiomics"}
"""Arms whose score stands in place of the signature in a combined model (the paper's Table 3)."""


@dataclass(frozen=True)
class Measured:
    """One score at both centres: area under the curve at 24 months, or Harrell's C."""

    name: str
    over_folds: Estimate
    elsewhere: Estimate


@dataclass(frozen=True)
class Compared:
    """Difference of two scores at the other centre, paired; ``says`` names a winner only where it leaves out 0."""

    first: str
    second: str
    difference: Estimate
    says: str


@dataclass(frozen=True)
class HazardRatio:
    """A row of a table of hazard ratios; ``problem`` where there is none."""

    name: str
    ratio: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Group:
    """All tables of one mode and endpoint.

    Attributes:
        learned, events: patients of the teaching centre. judged, judged_events: of the other.
        signatures, signature_gains: areas under the curve. univariate, multivariate: hazard ratios at the teaching
            centre. models, model_gains: concordances. problems: what could not be computed, and why.
    """

    mode: str
    endpoint: Endpoint
    learned: int
    events: int
    judged: int
    judged_events: int
    signatures: tuple[Measured, ...]
    signature_gains: tuple[Compared, ...]
    univariate: tuple[HazardRatio, ...] = ()
    multivariate: tuple[HazardRatio, ...] = ()
    models: tuple[Measured, ...] = ()
    model_gains: tuple[Compared, ...] = ()
    problems: tuple[str, ...] = field(default=())


_GROUP: TypeAdapter[Group] = TypeAdapter(Group)


def judge(mode: str, endpoint: Endpoint, centres: Centres, chances: Mapping[Arm, Chances], config: DfrConfig) -> Group:
    """The tables of a mode and endpoint from what its cells say."""
    own = known_rows(centres.learn, centres.taught, endpoint)
    other = known_rows(centres.judge, centres.asked, endpoint)
    first, second = centres.learn.follow_up(endpoint, own), centres.judge.follow_up(endpoint, other)
    parts = parts_of(centres.learn, own, config, endpoint)
    fitted = {arm: one for arm, one in chances.items() if one.over_folds is not None and one.elsewhere is not None}
    problems = [f"{arm}: {one.problem}" for arm, one in chances.items() if arm not in fitted]
    inside = {arm: np.asarray(one.over_folds) for arm, one in fitted.items()}
    outside = {arm: np.asarray(one.elsewhere) for arm, one in fitted.items()}
    signatures, gains = _signatures(first, second, inside, outside, config)
    group = Group(
        mode, endpoint, first.n, first.events, second.n, second.events, signatures, gains, problems=tuple(problems)
    )
    if "fused" not in fitted:
        return group
    return _with_models(group, centres, (own, other), parts, inside, outside, config)


def save_group(file: Path, group: Group) -> None:
    """Writes it whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (json.dumps(asdict(group), indent=1) + "\n").encode())


def read_groups(folder: Path) -> list[Group]:
    """All of a folder, by file name."""
    return [_GROUP.validate_json(file.read_bytes()) for file in sorted(folder.glob("*.json"))]


def _signatures(
    first: FollowUp,
    second: FollowUp,
    inside: Mapping[Arm, Floats],
    outside: Mapping[Arm, Floats],
    config: DfrConfig,
) -> tuple[tuple[Measured, ...], tuple[Compared, ...]]:
    """Areas under the curve; differences of the signature from every other arm at the other centre."""
    names = [str(arm) for arm in inside]
    if not names:
        return (), ()
    try:
        here, _ = _areas(first, np.column_stack(list(inside.values())), config)
        there, draws = _areas(second, np.column_stack(list(outside.values())), config)
    except CannotDo as fault:
        none = Estimate(None, problem=fault.reason)
        return tuple(Measured(name, none, none) for name in names), ()
    measured = tuple(Measured(*each) for each in zip(names, here, there, strict=True))
    return measured, _gains(names, there, draws, second.n, f"AUC at {MONTHS:g} months")


def _areas(follow_up: FollowUp, scores: Floats, config: DfrConfig) -> tuple[list[Estimate], Floats]:
    statistic = auc_of_resamples(follow_up, follow_up, scores, MONTHS)
    value = statistic(np.ones((follow_up.n, 1)))[0]
    draws = bootstrap(follow_up.n, statistic, resamples=config.resamples, seed=config.seed)
    return [_estimate(one, draws[:, at]) for at, one in enumerate(value)], draws


def _concordances(follow_up: FollowUp, scores: Floats, config: DfrConfig) -> tuple[list[Estimate], Floats]:
    statistic = harrell_of_resamples(follow_up, scores)
    value = statistic(np.ones((follow_up.n, 1)))[0]
    draws = bootstrap(follow_up.n, statistic, resamples=config.resamples, seed=config.seed)
    return [_estimate(one, draws[:, at]) for at, one in enumerate(value)], draws


def _estimate(value: float, draws: Floats) -> Estimate:
    found = interval(float(value), draws)
    return Estimate(found.estimate, found.lower, found.upper, level=found.level)


def _gains(
    names: Sequence[str], values: Sequence[Estimate], draws: Floats, n: int, measure: str
) -> tuple[Compared, ...]:
    """The first against each of the others."""
    found = []
    for at, name in enumerate(names[1:], start=1):
        gap = difference(float(values[0].value or 0.0), float(values[at].value or 0.0), draws[:, [0, at]])
        estimate = Estimate(gap.estimate, gap.lower, gap.upper, gap.p, gap.level)
        found.append(Compared(names[0], name, estimate, verdict(names[0], name, estimate, n, measure=measure).sentence))
    return tuple(found)


def _with_models(
    group: Group,
    centres: Centres,
    rows: tuple[Ints, Ints],
    parts: tuple[Ints, ...],
    inside: Mapping[Arm, Floats],
    outside: Mapping[Arm, Floats],
    config: DfrConfig,
) -> Group:
    """Tables of hazard ratios and of the combined model, fitted at the first centre, at both."""
    endpoint = group.endpoint
    names: dict[Arm, str] = {"fused": score_name(endpoint)}
    names |= {arm: word for arm, word in COMBINED_WITH.items() if arm in inside}
    score = OutOfFoldScore(rows[0], parts, {word: inside[arm] for arm, word in names.items()})
    try:
        each = fit_combined_model(
            centres.learn, {endpoint: score}, CombinedConfig(config.rule, config.resamples, config.seed)
        )
    except CannotDo as fault:
        return _problem(group, f"combined model: {fault.reason}")
    combined = each.fits[0]
    columns = Columns(centres.judge, rows[1], {word: outside[arm] for arm, word in names.items()})
    predicted: dict[str, Floats] = {}
    problems = [f"{name}: {reason}" for name, reason in combined.not_fitted.items()]
    every = sorted({term.name for fit in combined.fits.values() for term in fit.model.terms})
    known = columns.known(every)
    if len(known) < 2:
        return _problem(group, "the other centre's patients have no value of a factor")
    there = columns.take(known)
    for name, fit in combined.fits.items():
        predicted[name] = _predicted(fit.model, there)
    follow_up = centres.judge.follow_up(endpoint, there.index)
    values, draws = _concordances(follow_up, np.column_stack(list(predicted.values())), config)
    models = tuple(
        Measured(name, _of_interval(combined, name), value)
        for (name, _), value in zip(predicted.items(), values, strict=True)
    )
    gains = _gains(list(predicted), values, draws, follow_up.n, "Harrell's C")
    return replace(
        group,
        univariate=_ratios(combined.univariate),
        multivariate=_ratios(combined.multivariate),
        models=models,
        model_gains=gains,
        problems=(*group.problems, *problems),
    )


def _problem(group: Group, said: str) -> Group:
    return replace(group, problems=(*group.problems, said))


def _predicted(model: PrognosticModel, columns: Columns) -> Floats:
    _, values = columns.of([term.name for term in model.terms])
    return model.linear_predictor(values)


def _of_interval(combined: Combined, name: str) -> Estimate:
    found = combined.fits[name].concordance
    return Estimate(found.estimate, found.lower, found.upper, level=found.level)


def _ratios(rows: Sequence[TermRow]) -> tuple[HazardRatio, ...]:
    found: list[HazardRatio] = []
    for row in rows:
        if not row.coefficients:
            found.append(HazardRatio(row.name, problem=row.problem or "no coefficient"))
        found += [HazardRatio(one.name, one.hazard_ratio, one.lower, one.upper, one.p) for one in row.coefficients]
    return tuple(found)
