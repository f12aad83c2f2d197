"""What the signature is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Bools, Floats, FollowUp
from lymphoma.survival.ipcw import horizon_weights

__all__ = ["HORIZON_MONTHS", "Label", "LabelKind", "label_of"]

HORIZON_MONTHS = 24.0
LabelKind = Literal["event", "ipcw_24m"]
"""Any event during follow-up, as the paper's wording says (an inference), which calls who left early free of it; or the
event within 24 months, where those whose kind is known stand for those censored before [A]."""


@dataclass(frozen=True, eq=False)
class Label:
    """Labels of n patients.

    Attributes:
        event: (n,); False where not known. weight: (n,); 0 where not known, else 1 or with a mean of 1 over the known.
    """

    event: Bools
    weight: Floats

    @property
    def known(self) -> Bools:
        """(n,) patients that can teach."""
        return np.asarray(self.weight > 0)


def label_of(kind: LabelKind, follow_up: FollowUp) -> Label:
    """The labels of training patients; censoring is estimated on these very patients.

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP``; ``ONE_CLASS``: all whose label is known have the same.
    """
    if kind == "event":
        found = Label(np.array(follow_up.event), np.ones(follow_up.n))
    else:
        weights = horizon_weights(follow_up, follow_up, HORIZON_MONTHS)
        weight = weights.case + weights.control
        known = weight > 0
        found = Label(weights.case > 0, weight / weight[known].mean() if known.any() else weight)
    if len(np.unique(found.event[found.known])) < 2:
        raise NotComputable("ONE_CLASS", "all patients whose label is known have the same")
    return found
