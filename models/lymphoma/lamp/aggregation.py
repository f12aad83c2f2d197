"""From the lesions of a patient to one vector: gated attention (ABMLA, Eq. 5 of LAMP), mean, maximum."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["Aggregate", "GatedAttention", "largest_of_lesions", "mean_of_lesions"]

Aggregate = Literal["attention", "mean", "max"]


class GatedAttention(torch.nn.Module):
    """a = softmax(w^T (tanh(V z) * sigm(U z))) over a patient's lesions; P = sum of a z (Eq. 5).

    The circled plus of the printed equation is the product of the gate, as in gated attention (Ilse, ICML 2018).

    Args:
        width: of z. hidden: of the two gates [A]; 65,921 parameters for 256 -> 128, biases counted.
        dropout: of each gate, .25 in the code the paper's loss comes from (MCAT).
    """

    def __init__(self, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.content = torch.nn.Linear(width, hidden)
        self.gate = torch.nn.Linear(width, hidden)
        self.weight = torch.nn.Linear(hidden, 1)
        self._dropout = torch.nn.Dropout(dropout)

    def forward(self, lesions: torch.Tensor, is_lesion: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """P, shape (n, Z), and the attention, shape (n, J), 0 for padding and adding up to 1.

        Args:
            lesions: (n, J, Z). is_lesion: bool, (n, J), False for padding.
        """
        real = lesions[is_lesion]  # padding is more than half of a batch, and this is where most of the time goes
        content = self._dropout(torch.tanh(self.content(real)))
        gate = self._dropout(torch.sigmoid(self.gate(real)))
        scores = lesions.new_full(is_lesion.shape, -torch.inf)
        scores = scores.masked_scatter(is_lesion, self.weight(content * gate).squeeze(-1).to(scores.dtype))
        attention = torch.softmax(scores, dim=-1)
        return (attention[..., None] * lesions).sum(dim=1), attention


def mean_of_lesions(lesions: torch.Tensor, is_lesion: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean over a patient's lesions and the equal weights behind it; shapes as in :class:`GatedAttention`."""
    weights = is_lesion / is_lesion.sum(dim=1, keepdim=True)
    return (weights[..., None] * lesions).sum(dim=1), weights


def largest_of_lesions(lesions: torch.Tensor, is_lesion: torch.Tensor) -> torch.Tensor:
    """The maximum of each feature over a patient's lesions, shape (n, Z)."""
    return lesions.masked_fill(~is_lesion[..., None], -torch.inf).amax(dim=1)
