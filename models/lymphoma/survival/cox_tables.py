"""Univariate and multivariate tables of hazard ratios, as the papers print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.survival.cox import Coefficient, CoxModel, LikelihoodRatio, fit_cox
from lymphoma.survival.design import Term, columns_of, encode
from lymphoma.survival.follow_up import FollowUp

__all__ = ["TermRow", "multivariate_table", "univariate_table"]


@dataclass(frozen=True)
class TermRow:
    """A covariate of a table; a categorical one has a coefficient per level beyond its reference.

    Attributes:
        coefficients: empty where ``problem`` says why there is none.
        likelihood_ratio: univariate: against no covariates; multivariate: against the model without this covariate.
    """

    name: str
    coefficients: tuple[Coefficient, ...]
    likelihood_ratio: LikelihoodRatio | None
    problem: str | None = None


def univariate_table(
    terms: Sequence[Term], values: Sequence[npt.ArrayLike], follow_up: FollowUp, *, endpoint: str
) -> tuple[TermRow, ...]:
    """Each covariate alone; ``values`` as :func:`lymphoma.survival.design.encode` takes them."""
    rows = []
    for term, column in zip(terms, values, strict=True):
        try:
            model = fit_cox(columns_of([term]), encode([term], [column]), follow_up, endpoint=endpoint)
        except NotComputable as problem:
            rows.append(TermRow(term.name, (), None, problem.reason))
        else:
            rows.append(TermRow(term.name, model.table(), model.likelihood_ratio()))
    return tuple(rows)


def multivariate_table(
    terms: Sequence[Term], values: Sequence[npt.ArrayLike], follow_up: FollowUp, *, endpoint: str
) -> tuple[CoxModel, tuple[TermRow, ...]]:
    """All covariates together, with what each adds to the others.

    Raises:
        NotComputable: as :func:`lymphoma.survival.cox.fit_cox`.
    """
    matrix, names = encode(terms, values), columns_of(terms)
    owner = np.repeat(np.arange(len(terms)), [term.width for term in terms])
    model = fit_cox(names, matrix, follow_up, endpoint=endpoint)
    table = model.table()
    rows = []
    for index, term in enumerate(terms):
        kept = owner != index
        if kept.any():
            without = fit_cox(
                [n for n, k in zip(names, kept, strict=True) if k], matrix[:, kept], follow_up, endpoint=endpoint
            )
            ratio = model.likelihood_ratio(without)
        else:
            ratio = model.likelihood_ratio()
        rows.append(TermRow(term.name, tuple(table[i] for i in np.flatnonzero(~kept)), ratio))
    return model, tuple(rows)
