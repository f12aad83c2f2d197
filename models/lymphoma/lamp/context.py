"""Lesion-anatomy context fusion (LACF, Eq. 2-4 of LAMP), and what stands in for it in ablations."""

from __future__ import annotations

import math

import torch

__all__ = ["LesionAnatomyContext", "LesionPerceptron"]


class LesionAnatomyContext(torch.nn.Module):
    """h_L = softmax((f_L Wq)(f_S Wk)^T / sqrt(d_k)) f_S Wv over the organs that are there (Eq. 3).

    The paper gives neither d_k nor whether the three maps have a bias: d_k is the feature width and they have none [A].

    Args:
        features: width of the pooled features, 128 in LAMP; 3 x 128 x 128 = 49,152 parameters then.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.query = torch.nn.Linear(features, features, bias=False)
        self.key = torch.nn.Linear(features, features, bias=False)
        self.value = torch.nn.Linear(features, features, bias=False)
        self._scale = 1.0 / math.sqrt(features)

    def forward(
        self, lesions: torch.Tensor, organs: torch.Tensor, present: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Context h, shape (n, J, F), and the weights of the organs, shape (n, J, K), whose rows add up to 1.

        A patient without any organ has weights and context 0.

        Args:
            lesions: (n, J, F). organs: (n, K, F). present: bool, (n, K).
        """
        scores = self.query(lesions) @ self.key(organs).transpose(1, 2) * self._scale
        there = present[:, None, :]
        # the least number of the type, not -inf: a row without any organ would give NaN and spoil every gradient
        scores = scores.masked_fill(~there, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1) * there
        return weights @ self.value(organs), weights


class LesionPerceptron(torch.nn.Module):
    """Ablation: as many parameters as LACF, spent on the lesion's own features.

    Args:
        features: F; two layers F -> 1.5 F -> F without bias have the 3 F^2 parameters of LACF.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        hidden = 3 * features // 2
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(features, hidden, bias=False),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, features, bias=False),
        )

    def forward(self, lesions: torch.Tensor) -> torch.Tensor:
        """Shape (n, J, F) to the same."""
        out: torch.Tensor = self.layers(lesions)
        return out
