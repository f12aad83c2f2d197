"""Folds of the patients of a cohort, and where each patient stands in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import Ints
from lymphoma.training.case import Subject
from lymphoma.training.folds import Folds, stratified_folds

__all__ = ["folds_of", "held_out"]


def folds_of(patients: Patients, index: Ints, count: int, seed: int, endpoint: Endpoint) -> Folds:
    """Folds of the patients at ``index``, with events and centres shared out.

    Raises:
        NotComputable: ``FOLDS_IMPOSSIBLE``.
    """
    subjects = [
        Subject(
            patients.ids[i],
            patients.centres[i],
            patients.clinical[i],
            patients.outcomes["pfs"][i],
            patients.outcomes["os"][i],
            patients.contents[i],
        )
        for i in index
    ]
    return stratified_folds(subjects, count, seed, endpoint=endpoint)


def held_out(folds: Folds, ids: Sequence[str]) -> list[Ints]:
    """Positions in ``ids`` that each fold holds out; a fold that holds none of them out is passed over.

    Raises:
        NotComputable: ``FOLDS_IMPOSSIBLE``: a patient is in none of the folds, or in two.
    """
    place = {name: at for at, name in enumerate(ids)}
    held = [
        np.array(sorted(place[one] for one in fold.validation if one in place), dtype=np.int64) for fold in folds.folds
    ]
    if sum(len(one) for one in held) != len(ids):
        raise NotComputable("FOLDS_IMPOSSIBLE", "the folds that are given do not hold out each patient once")
    return [one for one in held if len(one)]
