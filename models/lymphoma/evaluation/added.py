"""What a model adds to the refitted IMPI, and comparisons of two models on the same patients and resamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy.stats import norm

from lymphoma.errors import NotComputable
from lymphoma.evaluation.baselines import IMPI_REFITTED, NULL, Candidate, impi_columns
from lymphoma.evaluation.figures import Figures, holm, verdict
from lymphoma.evaluation.fitting import Predictions
from lymphoma.evaluation.measures import NET_BENEFIT_THRESHOLDS, Key
from lymphoma.evaluation.result import Added, AtHorizon, AtThreshold, Comparison, Estimate, TestResult
from lymphoma.survival.concordance import kang
from lymphoma.survival.cox import CoxModel, LikelihoodRatio, fit_cox
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["added_value", "comparisons", "multiplicity_note"]

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
    nested = _Nested(reference.values, follow_up, repeats[0])
    later = models[keys.index(IMPI_REFITTED) + 1 :]
    tested = int((repeats[0].fold >= 0).sum())
    found = []
    for model in later:
        # Beside the IMPI the question is what the system's own score adds, which is its first column.
        row = keys.index(model.key)
        score = model.values[:, 0] if model.kind == "system_and_impi" else repeats[0].scores[row]
        found.append(_added(model, reference, nested, score, tested, figures, horizons))
    return tuple(found)


def _added(
    model: Candidate,
    reference: Candidate,
    nested: _Nested,
    score: Floats,
    tested: int,
    figures: Figures,
    horizons: Sequence[float],
) -> Added:
    def change(measure: Key) -> Estimate:
        return figures.difference(replace(measure, model=model.key), replace(measure, model=reference.key))

    ratio, problem = None, None
    try:
        ratio = nested.test(score)
    except NotComputable as found:
        problem = found.reason
    harrell = change(Key("", "harrell"))
    return Added(
        model.key,
        reference.key,
        ratio,
        harrell,
        change(Key("", "uno")),
        tuple(AtHorizon(months, change(Key("", "auc", months))) for months in horizons),
        change(Key("", "integrated_brier")),
        tuple(AtThreshold(cut, change(Key("", "net_benefit", cut))) for cut in NET_BENEFIT_THRESHOLDS),
        verdict(model.label, reference.label, harrell, tested, measure=C_WORDS),
        problem,
    )


class _Nested:
    """Likelihood ratio of the IMPI's covariates with and without a score, among the tested patients.

    Both models are fitted there; the score was made without their outcomes, so that it earns its one degree of freedom.

    Args:
        impi_values: (n, 3) volume, age, stage.
    """

    def __init__(self, impi_values: Floats, follow_up: FollowUp, predicted: Predictions) -> None:
        self.tested = np.flatnonzero(predicted.fold >= 0)
        self.follow_up = follow_up.take(self.tested)
        self.values = impi_values[self.tested]

    @cached_property
    def columns(self) -> Floats:
        """Covariates of the tested patients."""
        return impi_columns(self.values, np.arange(self.tested.size), self.follow_up)

    @cached_property
    def smaller(self) -> CoxModel:
        """The model without a score, fitted once."""
        names = [f"x{number}" for number in range(self.columns.shape[1])]
        return fit_cox(names, self.columns, self.follow_up, endpoint="evaluation")

    def test(self, score: Floats) -> LikelihoodRatio:
        """The test for a score (n,), out of fold.

        Raises:
            NotComputable: as :func:`lymphoma.survival.cox.fit_cox`.
        """
        both = np.column_stack([self.columns, score[self.tested]])
        larger = fit_cox((*self.smaller.names, "score"), both, self.follow_up, endpoint="evaluation")
        return larger.likelihood_ratio(self.smaller)


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
