"""Patients as the prognosis head reads them: lesions and organs side by side, padded to one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.errors import NotComputable

__all__ = ["BURDEN", "LesionBags", "bag_of", "pad_bags"]

BURDEN = ("log_tmtv", "log_count", "sdmax_per_m")
"""What a weighted mean of lesions cannot tell: natural logarithms of mL and of the count, and SDmax."""

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class LesionBags:
    """n patients, padded to J lesions; K organs each.

    Attributes:
        lesions: float32, (n, J, F). is_lesion: bool, (n, J), at least one a patient. organs: float32, (n, K, F).
        present: bool, (n, K). burden: float32, (n, 3), in the order of :data:`BURDEN`, 0 where it is not read.
    """

    lesions: torch.Tensor
    is_lesion: torch.Tensor
    organs: torch.Tensor
    present: torch.Tensor
    burden: torch.Tensor

    def __len__(self) -> int:
        return len(self.lesions)

    def to(self, device: torch.device) -> LesionBags:
        """The same on another device."""
        return LesionBags(*(getattr(self, field.name).to(device) for field in fields(self)))

    def take(self, index: torch.Tensor) -> LesionBags:
        """The patients at ``index``, cut to the most lesions that one of them has. Lesions come before padding."""
        most = int(self.is_lesion[index].sum(dim=1).max())
        return LesionBags(
            self.lesions[index, :most],
            self.is_lesion[index, :most],
            self.organs[index],
            self.present[index],
            self.burden[index],
        )


def bag_of(
    lesions: Floats, organs: Floats, present: npt.NDArray[np.bool_], burden: Sequence[float] = (0.0, 0.0, 0.0)
) -> LesionBags:
    """One patient without padding.

    Args:
        lesions: (J, F). organs: (K, F). present: (K,). burden: in the order of :data:`BURDEN`.

    Raises:
        NotComputable: ``NO_AVID_LESION``: the paper says nothing of a patient without a lesion, who is refused [A].
    """
    if not len(lesions):
        raise NotComputable("NO_AVID_LESION", "no FDG-avid lesion to judge")
    return LesionBags(
        torch.as_tensor(np.asarray(lesions, dtype=np.float32))[None],
        torch.ones((1, len(lesions)), dtype=torch.bool),
        torch.as_tensor(np.asarray(organs, dtype=np.float32))[None],
        torch.as_tensor(np.asarray(present, dtype=np.bool_))[None],
        torch.tensor([tuple(burden)], dtype=torch.float32),
    )


def pad_bags(bags: Sequence[LesionBags]) -> LesionBags:
    """All patients in one; their organs must be the same."""
    most = max(bag.lesions.shape[1] for bag in bags)

    def padded(values: torch.Tensor) -> torch.Tensor:
        wide = values.new_zeros((len(values), most, *values.shape[2:]))
        wide[:, : values.shape[1]] = values
        return wide

    return LesionBags(
        torch.cat([padded(bag.lesions) for bag in bags]),
        torch.cat([padded(bag.is_lesion) for bag in bags]),
        torch.cat([bag.organs for bag in bags]),
        torch.cat([bag.present for bag in bags]),
        torch.cat([bag.burden for bag in bags]),
    )
