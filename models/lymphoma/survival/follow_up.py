"""Follow-up of a cohort for one endpoint: how long each patient was seen, and whether the event was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sksurv.util import Surv

from lymphoma.errors import NotComputable

__all__ = ["Bools", "Floats", "FollowUp", "Ints"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Right-censored times of n patients; the arrays are copies that cannot be written.

    Attributes:
        months: (n,) from baseline to event or censoring, above 0. event: (n,) False when censored at that time.

    Raises:
        NotComputable: ``FOLLOW_UP_INVALID`` where the arrays differ in length, are empty, or a time is not a number
            above 0.
    """

    months: Floats
    event: Bools

    def __post_init__(self) -> None:
        months, event = np.array(self.months, dtype=np.float64), np.array(self.event, dtype=np.bool_)
        if months.ndim != 1 or months.shape != event.shape or months.size == 0:
            raise NotComputable("FOLLOW_UP_INVALID", "times and events must be two lists of one length above 0")
        if not (np.isfinite(months).all() and (months > 0).all()):
            raise NotComputable("FOLLOW_UP_INVALID", "every time must be a number above 0")
        months.setflags(write=False)
        event.setflags(write=False)
        object.__setattr__(self, "months", months)
        object.__setattr__(self, "event", event)

    @property
    def n(self) -> int:
        """Patients."""
        return int(self.months.size)

    @property
    def events(self) -> int:
        """Patients with the event."""
        return int(self.event.sum())

    def take(self, index: npt.ArrayLike) -> FollowUp:
        """The patients at ``index``, integers or a mask of shape (n,)."""
        chosen = np.asarray(index)
        return FollowUp(self.months[chosen], self.event[chosen])

    def closed_at(self, months: float) -> FollowUp:
        """The same patients with follow-up stopped: who is later than ``months`` is censored there."""
        return FollowUp(np.minimum(self.months, months), self.event & (self.months <= months))

    def structured(self) -> Any:
        """The record array that scikit-survival reads."""
        return Surv.from_arrays(self.event, self.months)
