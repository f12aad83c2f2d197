"""What a model adds to the refitted IMPI, and comparisons of two models on the same patients and resamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import norm

from lymphoma.errors import NotComputable
from lymphoma.evaluation.baselines import IMPI_REFITTED, NULL, Candidate, impi_columns
from lymphoma.evaluation.figures import Figures, holm, verdict
from lymphoma.evaluation.fitting import Predictions
from lymphoma.evaluation.measures import NET_BENEFIT_THRESHOLDS, Key
from lymphoma.evaluation.result import Added, AtHorizon, AtThreshold, Comparison, TestResult
from lymphoma.survival.concordance import kang
from lymphoma.survival.cox import LikelihoodRatio, fit_cox
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["added_value", "comparisons", "multiplicity_note", "nested_test"]

C_WORDS = "Harrell C"


def added_value(
    models: Sequence[Candidate],
    follow_up: FollowUp,
    repeats: Sequence[Predictions],
    figures: Figures,
    horizons: Sequence[float],
) -> tuple[Added, ...]:
    """Every model after the refitted IMPI against it; nothing where the IMPI itself was left out."""
    keys = [model.key for model in models]
    if IMPI_REFITTED not in keys:
        return ()
    reference = models[keys.index(IMPI_REFITTED)]
    later = models[keys.index(IMPI_REFITTED) + 1 :]
    return tuple(
        _added(model, reference, follow_up, repeats[0], keys.index(model.key), figures, horizons) for model in later
    )


def _added(
    model: Candidate,
    reference: Candidate,
    follow_up: FollowUp,
    predicted: Predictions,
    row: int,
    figures: Figures,
    horizons: Sequence[float],
) -> Added:
    def change(measure: Key) -> tuple[Key, Key]:
        return replace(measure, model=model.key), replace(measure, model=reference.key)

    ratio, problem = None, None
    # Beside the IMPI the question is what the system's own score adds, which is its first column.
    score = model.values[:, 0] if model.kind == "system_and_impi" else predicted.scores[row]
    try:
        ratio = nested_test(reference.values, score, follow_up, predicted)
    except NotComputable as found:
        problem = found.reason
    harrell = figures.difference(*change(Key("", "harrell")))
    tested = int((predicted.fold >= 0).sum())
    return Added(
        model.key,
        reference.key,
        ratio,
        harrell,
        figures.difference(*change(Key("", "uno"))),
        tuple(AtHorizon(m, figures.difference(*change(Key("", "auc", m)))) for m in horizons),
        figures.difference(*change(Key("", "integrated_brier"))),
        tuple(AtThreshold(t, figures.difference(*change(Key("", "net_benefit", t)))) for t in NET_BENEFIT_THRESHOLDS),
        verdict(model.label, reference.label, harrell, tested, measure=C_WORDS),
        problem,
    )


def nested_test(impi_values: Floats, score: Floats, follow_up: FollowUp, predicted: Predictions) -> LikelihoodRatio:
    """Likelihood ratio of the IMPI's covariates with and without a score, among the tested patients.

    Both models are fitted there; the score was made without their outcomes, so that it earns its one degree of freedom.

    Args:
        impi_values: (n, 3) volume, age, stage. score: (n,) out of fold.

    Raises:
        NotComputable: as :func:`lymphoma.survival.cox.fit_cox`.
    """
    tested = np.flatnonzero(predicted.fold >= 0)
    part = follow_up.take(tested)
    columns = impi_columns(impi_values[tested], np.arange(tested.size), part)
    names = [f"x{number}" for number in range(columns.shape[1])]
    smaller = fit_cox(names, columns, part, endpoint="evaluation")
    both = np.column_stack([columns, score[tested]])
    return fit_cox([*names, "score"], both, part, endpoint="evaluation").likelihood_ratio(smaller)


def comparisons(
    models: Sequence[Candidate], follow_up: FollowUp, repeats: Sequence[Predictions], figures: Figures
) -> tuple[Comparison, ...]:
    """Harrell C of every model after the refitted IMPI against the refitted IMPI, and of every system and system with
    IMPI against every baseline; p values corrected together. Against the IMPI also by Kang's test."""
    found = []
    for row, first in enumerate(models):
        for other, second in enumerate(models[:row]):
            system = first.kind in ("system", "system_and_impi")
            headline = second.key == IMPI_REFITTED
            if second.key == NULL or second.kind in ("system", "system_and_impi") or not (system or headline):
                continue
            gap = figures.difference(Key(first.key, "harrell"), Key(second.key, "harrell"))
            tested = int((repeats[0].fold >= 0).sum())
            said = verdict(first.label, second.label, gap, tested, measure=C_WORDS)
            test = _kang(follow_up, repeats[0], row, other) if headline else None
            found.append(Comparison(first.key, second.key, "harrell", gap, None, test, said))
    corrected = holm([one.difference.p for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True))


def multiplicity_note(count: int) -> str:
    """The sentence beside the p values."""
    return (
        f"{count} differences of C-indices were tested; single p values are not corrected, those named Holm are. "
        "Univariate p values, log-rank tests and subgroups are not corrected and only describe."
    )


def _kang(follow_up: FollowUp, predicted: Predictions, first: int, second: int) -> TestResult:
    """Mean of the differences within folds; folds are other patients each, so that their variances add up."""
    gaps, variances = [], []
    for split in predicted.splits:
        test = follow_up.take(split.test)
        try:
            one = kang(test, predicted.scores[first, split.test], predicted.scores[second, split.test])
        except NotComputable as problem:
            return TestResult(None, None, None, problem=problem.reason)
        gaps.append(one.difference)
        variances.append(one.standard_error**2)
    error = float(np.sqrt(np.sum(variances)))
    total = float(np.sum(gaps))
    z = 0.0 if total == 0 else total / error if error > 0 else float("inf")
    if not np.isfinite(z):
        return TestResult(None, None, None, problem="the difference has no spread")
    return TestResult(z, None, float(2 * norm.sf(abs(z))))
