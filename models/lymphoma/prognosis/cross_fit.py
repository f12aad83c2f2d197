"""A prognostic model and how it does on patients it never saw: the same for every system and for a site's own model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from lymphoma.errors import CannotDo, NotComputable
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.model import CutOffRule, Endpoint, PrognosticModel
from lymphoma.survival.bootstrap import Interval
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.design import Term, columns_of, encode
from lymphoma.survival.folded import folded_concordance
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.nomogram import Value

__all__ = ["CrossFit", "Design", "EachFit", "Progress", "cross_fit", "cross_fit_design", "fit_each"]

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""

Design = Callable[[Ints], tuple[Sequence[Term], Sequence[Sequence[Value]]]]
"""Positions of training patients -> terms that these alone decide, and n values for each, of all patients."""

F = TypeVar("F")


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The model of one endpoint and how it did.

    Attributes:
        parts: positions of the patients that each fold held out.
        out_of_fold: (n,) linear predictors by models that never saw the patient, about the mean covariates of all n.
        concordance: Harrell's C within folds, in mean. slope: of a Cox model on ``out_of_fold``; 1 is well calibrated.
    """

    model: PrognosticModel
    parts: tuple[Ints, ...]
    out_of_fold: Floats
    concordance: Interval
    slope: Interval

    @property
    def beats_chance(self) -> bool:
        """The interval of the concordance lies above one half."""
        return self.concordance.lower > 0.5


@dataclass(frozen=True, eq=False)
class EachFit(Generic[F]):
    """The endpoints of a system.

    Attributes:
        fits: those that are kept. trained: whether they may speak; where none may, all are kept and this is False.
        left_out: endpoint -> why there is no model of it.
    """

    fits: tuple[F, ...]
    trained: bool
    left_out: dict[Endpoint, str]


def cross_fit(
    endpoint: Endpoint,
    terms: Sequence[Term],
    columns: Sequence[Sequence[Value]],
    follow_up: FollowUp,
    parts: Sequence[Ints],
    *,
    rule: CutOffRule = "youden_24m",
    resamples: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> CrossFit:
    """A Cox model on n complete patients, and one for each fold.

    Args:
        columns: n values for each term; a system's score must be out of fold already, by the same ``parts``.
        parts: positions of the patients that each fold holds out, each patient once. resamples: of the interval.

    Raises:
        NotComputable: as :func:`lymphoma.prognosis.fit.fit_prognostic_model`.
    """
    return cross_fit_design(
        endpoint,
        lambda train: (terms, columns),
        follow_up,
        parts,
        rule=rule,
        resamples=resamples,
        seed=seed,
        progress=progress,
    )


def cross_fit_design(
    endpoint: Endpoint,
    design: Design,
    follow_up: FollowUp,
    parts: Sequence[Ints],
    *,
    rule: CutOffRule = "youden_24m",
    resamples: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> CrossFit:
    """As :func:`cross_fit`, where terms themselves are fitted, such as a cut: anew in each fold, and once on all.

    Raises:
        NotComputable: as :func:`cross_fit`, and of ``design``.
    """
    tell = progress or (lambda done, of: None)
    steps = len(parts) + resamples
    everybody = np.arange(follow_up.n, dtype=np.int64)
    out_of_fold = np.empty(follow_up.n)
    for done, held in enumerate(parts, start=1):
        train = np.setdiff1d(everybody, held)
        terms, columns = design(train)
        x = encode(terms, columns)
        cox = fit_cox(columns_of(terms), x[train], follow_up.take(train), endpoint="out of fold")
        out_of_fold[held] = (x[held] - x.mean(axis=0)) @ cox.coefficients
        tell(done, steps)
    terms, columns = design(everybody)
    return CrossFit(
        model=fit_prognostic_model(endpoint, terms, columns, follow_up, rule=rule, out_of_fold=out_of_fold),
        parts=tuple(parts),
        out_of_fold=out_of_fold,
        concordance=folded_concordance(
            follow_up,
            out_of_fold,
            parts,
            resamples=resamples,
            seed=seed,
            progress=lambda done, _: tell(len(parts) + done, steps),
        ),
        slope=_slope(follow_up, out_of_fold),
    )


def fit_each(
    endpoints: Sequence[Endpoint],
    fit: Callable[[Endpoint, Progress | None], F],
    speaks: Callable[[F], bool],
    otherwise: str,
    progress: Progress | None = None,
) -> EachFit[F]:
    """Fits each endpoint; one that cannot be fitted, or does no better than chance, is left out and said.

    Args:
        fit: of one endpoint. speaks: whether the fit may. otherwise: the sentence for one that may not.

    Raises:
        CannotDo: with the code of the first endpoint, where none can be fitted.
    """
    fits: list[tuple[Endpoint, F]] = []
    left_out: dict[Endpoint, str] = {}
    faults: list[CannotDo] = []
    for number, endpoint in enumerate(endpoints):
        try:
            fits.append((endpoint, fit(endpoint, _shifted(progress, number, len(endpoints)))))
        except CannotDo as fault:
            faults.append(fault)
            left_out[endpoint] = fault.reason
    if not fits:
        raise faults[0] if faults else NotComputable("NO_OUTCOME", "no endpoint was asked for")
    good = tuple(one for _, one in fits if speaks(one))
    if good:
        left_out |= {endpoint: otherwise for endpoint, one in fits if not speaks(one)}
    return EachFit(good or tuple(one for _, one in fits), bool(good), left_out)


def _slope(follow_up: FollowUp, risk: Floats) -> Interval:
    row = fit_cox(["lp"], risk[:, None], follow_up, endpoint="slope").table()[0]
    wide = row.coefficient - float(np.log(row.lower))
    return Interval(row.coefficient, row.coefficient - wide, row.coefficient + wide, 0.95)


def _shifted(progress: Progress | None, number: int, of: int) -> Progress | None:
    """Progress of one endpoint among several of the same length."""
    if progress is None:
        return None
    return lambda done, steps: progress(number * steps + done, of * steps)
