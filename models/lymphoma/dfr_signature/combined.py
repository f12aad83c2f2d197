"""The combined model: stage, NCCN-IPI, SUVmax, TMTV and the signature, each cut in two, in a Cox model; and its peers.

Cuts of SUVmax, TMTV and the signature maximise Youden's index at 24 months and are found in the training fold. Every
coefficient is fitted on the cohort at hand; of overall survival the cell of origin stands where the stage does, as
published. (The paper prints a hazard ratio of 1.986 for "non-GCB/GCB", against what is known of these tumours; nothing
of it is used.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lymphoma.dfr_signature.fit import score_name
from lymphoma.errors import CannotDo, NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.covariates import AT_LEAST, SCORE, covariate
from lymphoma.prognosis.cross_fit import CrossFit, Design, EachFit, Progress, cross_fit_design, fit_each
from lymphoma.prognosis.fit import CUTOFF_MONTHS
from lymphoma.prognosis.model import ENDPOINTS, CutOffRule, Endpoint
from lymphoma.prognosis.nomogram_tables import Columns, Comparison, compared, parts_within, screened
from lymphoma.survival.cox_tables import TermRow, multivariate_table
from lymphoma.survival.cutoffs import fit_cutoff
from lymphoma.survival.design import Continuous, Term
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.nomogram import Value

__all__ = ["FIXED", "Combined", "CombinedConfig", "OutOfFoldScore", "cut_design", "fit_combined_model"]

FIXED: Mapping[Endpoint, tuple[str, ...]] = {
    "pfs": ("stage", "nccn_ipi_high"),
    "os": ("cell_of_origin", "nccn_ipi_high"),
}
"""Factors whose cut is given."""
METABOLIC = ("suv_max", "tmtv_ml")
"""Measures whose cut is found."""
OTHERWISE = "the combined model did not order patients it never saw better than chance"


@dataclass(frozen=True)
class CombinedConfig:
    """Attributes: rule: of the cut-off between the model's own risk groups. resamples: of every interval."""

    rule: CutOffRule = "youden_24m"
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class OutOfFoldScore:
    """What signatures that never saw them say of patients.

    Attributes:
        index: (n,) positions in the cohort. parts: positions in ``index`` that each fold held out.
        values: name of a score -> (n,); the signature, and those of other images or of radiomics beside it.
    """

    index: Ints
    parts: Sequence[Ints]
    values: Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Combined:
    """The combined model of one endpoint, and what the paper sets beside it.

    Attributes:
        index: (n,) positions in the cohort of the patients all of whose values are known. left_out: how many others.
        fits: ``combined``, ``nccn_ipi``, and one for each score in place of the signature (with the same factors);
            those that could be fitted. cuts: of all patients, covariate -> value.
        univariate, multivariate: tables of hazard ratios. comparisons: of ``combined`` with each of the others.
        not_fitted: name -> why.
    """

    endpoint: Endpoint
    index: Ints
    left_out: int
    fits: Mapping[str, CrossFit]
    cuts: Mapping[str, float]
    univariate: tuple[TermRow, ...]
    multivariate: tuple[TermRow, ...]
    comparisons: tuple[Comparison, ...]
    not_fitted: Mapping[str, str] = field(default_factory=dict)

    @property
    def fit(self) -> CrossFit:
        """The combined model itself."""
        return self.fits["combined"]


def fit_combined_model(
    patients: Patients,
    scores: Mapping[Endpoint, OutOfFoldScore],
    config: CombinedConfig | None = None,
    progress: Progress | None = None,
) -> EachFit[Combined]:
    """Fits each endpoint of which there is a signature.

    Args:
        progress: called with (models fitted, models in all).

    Raises:
        CannotDo: with the code of the first endpoint, where none can be fitted.
    """
    chosen = config or CombinedConfig()

    def fit(endpoint: Endpoint, tell: Progress | None) -> Combined:
        return _endpoint(patients, scores[endpoint], endpoint, chosen, tell)

    endpoints = [endpoint for endpoint in ENDPOINTS if endpoint in scores]
    return fit_each(endpoints, fit, lambda one: one.fit.beats_chance, OTHERWISE, progress)


def cut_design(columns: Columns, names: Sequence[str], follow_up: FollowUp) -> Design:
    """Covariates of which each number is cut in two where Youden's index of the training patients is largest.

    Raises:
        NotComputable: by the design: ``ONE_CLASS``, ``NO_SEPARATION``: no cut of a number does better than chance.
    """

    def design(train: Ints) -> tuple[list[Term], list[list[Value]]]:
        return columns.of([_cut(name, columns, follow_up, train) for name in names])

    return design


def _cut(name: str, columns: Columns, follow_up: FollowUp, train: Ints) -> str:
    """The name with its cut, ``suv_max>=21.5``, or as it is where it is no number."""
    if not isinstance(covariate(name).term, Continuous):
        return name
    values = np.array([columns.column(name)[row] for row in train], dtype=np.float64)
    return f"{name}{AT_LEAST}{fit_cutoff(follow_up.take(train), values, CUTOFF_MONTHS).value!r}"


def _endpoint(
    patients: Patients,
    score: OutOfFoldScore,
    endpoint: Endpoint,
    config: CombinedConfig,
    progress: Progress | None,
) -> Combined:
    own = score_name(endpoint)
    models = _models(endpoint, own, score.values)
    every = Columns(patients, score.index, score.values)
    rows = every.known(sorted({name for names in models.values() for name in names}))
    if not len(rows):
        raise NotComputable("TOO_FEW_PATIENTS", f"nobody has all of {', '.join(models['combined'])}")
    columns, parts = every.take(rows), parts_within(score.parts, rows)
    follow_up = patients.follow_up(endpoint, columns.index)
    fits, not_fitted = _fits(columns, models, endpoint, follow_up, parts, config, progress)
    everybody = np.arange(follow_up.n, dtype=np.int64)
    terms, values = cut_design(columns, models["combined"], follow_up)(everybody)
    return Combined(
        endpoint,
        columns.index,
        len(score.index) - len(rows),
        fits,
        {name: float(cut) for name, _, cut in (one.name.partition(AT_LEAST) for one in terms) if cut},
        screened(columns, endpoint, follow_up),
        multivariate_table(terms, values, follow_up, endpoint=endpoint)[1],
        compared(fits, "combined", follow_up, resamples=config.resamples, seed=config.seed),
        not_fitted,
    )


def _models(endpoint: Endpoint, own: str, scores: Mapping[str, Floats]) -> dict[str, list[str]]:
    """Name of a model -> its covariates; the combined one first."""
    with_signature = [*FIXED[endpoint], *METABOLIC]
    models = {"combined": [*with_signature, f"{SCORE}{own}"], "nccn_ipi": ["nccn_ipi_high"]}
    return models | {name: [*with_signature, f"{SCORE}{name}"] for name in scores if name != own}


def _fits(
    columns: Columns,
    models: Mapping[str, Sequence[str]],
    endpoint: Endpoint,
    follow_up: FollowUp,
    parts: Sequence[Ints],
    config: CombinedConfig,
    progress: Progress | None,
) -> tuple[dict[str, CrossFit], dict[str, str]]:
    """Each model over the same folds; only the combined one must be possible."""
    fits: dict[str, CrossFit] = {}
    not_fitted: dict[str, str] = {}
    for done, (name, names) in enumerate(models.items(), start=1):
        design = cut_design(columns, names, follow_up)
        try:
            fits[name] = cross_fit_design(
                endpoint, design, follow_up, parts, rule=config.rule, resamples=config.resamples, seed=config.seed
            )
        except CannotDo as fault:
            if name == "combined":
                raise
            not_fitted[name] = fault.reason
        if progress is not None:
            progress(done, len(models))
    return fits, not_fitted
