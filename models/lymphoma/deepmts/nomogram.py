"""The MTDLR nomogram: stage, the network's score and the AutoRadio score in a Cox model, for each endpoint.

As published but for three things. TNM stage IVa becomes Ann Arbor III-IV. Both scores are out of fold, where the paper
fits on the scores of the patients that the networks learned from. And every coefficient is fitted on the cohort at
hand: the published ones are of nasopharyngeal carcinoma and print no risk here.

Beside it the nomograms that the paper compares it with: the conventional one (stage and the radiomics of a given
contour, or AutoRadio where there is none) and that of a single-task network (stage and its score).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lymphoma.deepmts.auto_radio import (
    DEFAULTS,
    AutoRadio,
    CrossRadio,
    RadioConfig,
    Region,
    cross_fit_radio,
)
from lymphoma.errors import CannotDo, NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.covariates import COVARIATES, SCORE
from lymphoma.prognosis.cross_fit import CrossFit, EachFit, Progress, cross_fit, fit_each
from lymphoma.prognosis.model import ENDPOINTS, CutOffRule, Endpoint
from lymphoma.prognosis.nomogram_tables import Columns, Comparison, compared, parts_within, screened
from lymphoma.radiomics import RadiomicsSettings
from lymphoma.survival.cox_tables import TermRow, multivariate_table
from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["Mtdlr", "MtdlrConfig", "OutOfFoldRisk", "fit_mtdlr", "for_bundle"]

OTHERWISE = "the nomogram did not order patients it never saw better than chance"


@dataclass(frozen=True)
class MtdlrConfig:
    """Attributes: rule: of the cut-off between low and high risk; Youden's index of the ROC curve, as published, at 24
    months. resamples: of every interval."""

    radio: RadioConfig = DEFAULTS
    rule: CutOffRule = "youden_24m"
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class OutOfFoldRisk:
    """What networks that never saw them say of patients.

    Attributes:
        index: (n,) positions in the cohort. parts: positions in ``index`` that each fold held out. risk: (n,).
    """

    index: Ints
    parts: Sequence[Ints]
    risk: Floats


@dataclass(frozen=True, eq=False)
class Mtdlr:
    """The nomogram of one endpoint and what the paper sets beside it.

    Attributes:
        index: (n,) positions in the cohort of the patients all of whose values are known. left_out: how many others had
            an outcome.
        fits: ``mtdlr``, ``conventional``, ``single_task`` (where such a network is given), and ``stage``, ``deepmts``,
            ``auto_radio``, ``manual_radio`` alone; those that could be fitted.
        univariate, multivariate: tables of hazard ratios. comparisons: of ``mtdlr`` with each of the others.
        not_fitted: name -> why.
    """

    endpoint: Endpoint
    index: Ints
    left_out: int
    fits: Mapping[str, CrossFit]
    auto_radio: CrossRadio
    manual_radio: CrossRadio | None
    univariate: tuple[TermRow, ...]
    multivariate: tuple[TermRow, ...]
    comparisons: tuple[Comparison, ...]
    not_fitted: Mapping[str, str] = field(default_factory=dict)

    @property
    def fit(self) -> CrossFit:
        """The nomogram itself; its model is what a bundle keeps for the endpoint."""
        return self.fits["mtdlr"]


def fit_mtdlr(
    patients: Patients,
    features: Floats,
    risks: Mapping[Endpoint, OutOfFoldRisk],
    config: MtdlrConfig | None = None,
    *,
    manual: Floats | None = None,
    single_task: Mapping[Endpoint, OutOfFoldRisk] | None = None,
    progress: Progress | None = None,
) -> EachFit[Mtdlr]:
    """Fits the nomogram of each endpoint that the networks have a risk of.

    Args:
        features: (patients, 1456) of the final lesions or of the predicted mask; a row of NaN where there are none.
        manual: the same of a given contour. single_task: risks over the same patients and folds as ``risks``.
        progress: called with (steps done, steps in all).

    Raises:
        CannotDo: with the code of the first endpoint, where none can be fitted.
        ValueError: the single-task network has other patients or folds.
    """
    chosen = config or MtdlrConfig()

    def fit(endpoint: Endpoint, tell: Progress | None) -> Mtdlr:
        other = (single_task or {}).get(endpoint)
        return _fit_endpoint(patients, features, endpoint, risks[endpoint], manual, other, chosen, tell)

    endpoints = [endpoint for endpoint in ENDPOINTS if endpoint in risks]
    return fit_each(endpoints, fit, lambda one: one.fit.beats_chance, OTHERWISE, progress)


def for_bundle(
    fits: Sequence[Mtdlr], region: Region, settings: RadiomicsSettings
) -> tuple[dict[Endpoint, tuple[CrossFit, Ints]], dict[str, str]]:
    """What a bundle of DeepMTS keeps of the nomogram: models in place of the risk's own, and word -> JSON.

    Args:
        region, settings: that ``features`` were extracted from and with.
    """
    radio = AutoRadio(region, settings, {one.endpoint: one.auto_radio.model for one in fits})
    return {one.endpoint: (one.fit, one.index) for one in fits}, {radio.word: radio.to_json()}


def _fit_endpoint(
    patients: Patients,
    features: Floats,
    endpoint: Endpoint,
    deep: OutOfFoldRisk,
    manual: Floats | None,
    single_task: OutOfFoldRisk | None,
    config: MtdlrConfig,
    progress: Progress | None,
) -> Mtdlr:
    rows = _complete(patients, features, deep)
    index, parts = deep.index[rows], parts_within(deep.parts, rows)
    if single_task is not None and not _same_folds(deep, single_task):
        raise ValueError("the single-task network must have judged the same patients over the same folds")
    follow_up = patients.follow_up(endpoint, index)
    auto = cross_fit_radio(features[index], follow_up, parts, config.radio)
    scores = {f"deepmts_{endpoint}": deep.risk[rows], f"auto_radio_{endpoint}": auto.out_of_fold}
    by_hand = None
    if manual is not None and np.isfinite(manual[index]).all():
        by_hand = cross_fit_radio(manual[index], follow_up, parts, config.radio)
        scores[f"manual_radio_{endpoint}"] = by_hand.out_of_fold
    if single_task is not None:
        scores[f"single_task_{endpoint}"] = single_task.risk[rows]
    columns = Columns(patients, index, scores)
    fits, not_fitted = _all_fits(columns, endpoint, follow_up, parts, config, progress)
    names = _models(endpoint, scores)["mtdlr"]
    terms, values = columns.of(names)
    return Mtdlr(
        endpoint=endpoint,
        index=index,
        left_out=len(deep.index) - len(index),
        fits=fits,
        auto_radio=auto,
        manual_radio=by_hand,
        univariate=screened(columns, endpoint, follow_up),
        multivariate=multivariate_table(terms, values, follow_up, endpoint=endpoint)[1],
        comparisons=compared(fits, "mtdlr", follow_up, resamples=config.resamples, seed=config.seed),
        not_fitted=not_fitted,
    )


def _complete(patients: Patients, features: Floats, deep: OutOfFoldRisk) -> Ints:
    """Rows of ``deep`` whose stage and features are known."""
    known = [
        bool(np.isfinite(features[at]).all())
        and bool(np.isfinite(deep.risk[row]))
        and COVARIATES["stage"].read(patients.prospect(int(at))) is not None
        for row, at in enumerate(deep.index)
    ]
    if not any(known):
        raise NotComputable("TOO_FEW_PATIENTS", "no patient has a stage and features of the lesions")
    return np.flatnonzero(known).astype(np.int64)


def _same_folds(first: OutOfFoldRisk, second: OutOfFoldRisk) -> bool:
    return (
        np.array_equal(first.index, second.index)
        and len(first.parts) == len(second.parts)
        and all(np.array_equal(one, other) for one, other in zip(first.parts, second.parts, strict=True))
    )


def _models(endpoint: Endpoint, scores: Mapping[str, Floats]) -> dict[str, list[str]]:
    """Name of a model -> its covariates; the nomogram first."""
    deep, auto, manual, single = (
        f"{SCORE}{name}_{endpoint}" for name in ("deepmts", "auto_radio", "manual_radio", "single_task")
    )
    has_manual, has_single = (name.removeprefix(SCORE) in scores for name in (manual, single))
    models = {"mtdlr": ["stage", deep, auto], "conventional": ["stage", manual if has_manual else auto]}
    if has_single:
        models["single_task"] = ["stage", single]
    models |= {"stage": ["stage"], "deepmts": [deep], "auto_radio": [auto]}
    if has_manual:
        models["manual_radio"] = [manual]
    return models


def _all_fits(
    columns: Columns,
    endpoint: Endpoint,
    follow_up: FollowUp,
    parts: Sequence[Ints],
    config: MtdlrConfig,
    progress: Progress | None,
) -> tuple[dict[str, CrossFit], dict[str, str]]:
    """Each model over the same folds; only the nomogram itself must be possible."""
    fits: dict[str, CrossFit] = {}
    not_fitted: dict[str, str] = {}
    models = _models(endpoint, columns.scores)
    for done, (name, names) in enumerate(models.items(), start=1):
        terms, values = columns.of(names)
        try:
            fits[name] = cross_fit(
                endpoint,
                terms,
                values,
                follow_up,
                parts,
                rule=config.rule,
                resamples=config.resamples,
                seed=config.seed,
            )
        except CannotDo as fault:
            if name == "mtdlr":
                raise
            not_fitted[name] = fault.reason
        if progress is not None:
            progress(done, len(models))
    return fits, not_fitted
