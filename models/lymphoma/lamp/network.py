"""LAMP's prognosis head: lesions and organs of a patient -> logits of hazard, with the attention behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from lymphoma.lamp.aggregation import Aggregate, GatedAttention, largest_of_lesions, mean_of_lesions
from lymphoma.lamp.bags import BURDEN, LesionBags
from lymphoma.lamp.context import LesionAnatomyContext, LesionPerceptron

__all__ = ["HeadShape", "Judged", "LampHead"]

Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class HeadShape:
    """What the head is made of. The defaults are the paper's, with the gaps filled as the fields say.

    Attributes:
        features: F, width of a pooled feature vector. context: "lacf" is Eq. 3-4; "none" leaves z = f; "mlp" is a
            perceptron of the same size on the lesion alone (ablations). lesion_width: of a further layer with ReLU on
            each lesion before they are aggregated; None has none, as printed. lesion_dropout: after that layer.
        aggregate: "attention" is Eq. 5; "mean" and "max" are ablations. gate_width: of U and V [A].
        gate_dropout: of the two gates, as in MCAT.
        burden: appends :data:`lymphoma.lamp.bags.BURDEN` to P; not in the paper.
        head: "discrete" is the paper's survival over bins; "cox" one log hazard ratio.
        slopes: "per_bin" is one linear map a bin; "shared" one map, and an intercept a bin (proportional odds of
            the hazards). bins: of time, as in MCAT.
    """

    features: Count = 128
    context: Literal["lacf", "none", "mlp"] = "lacf"
    lesion_width: Count | None = None
    lesion_dropout: Share = 0.0
    aggregate: Aggregate = "attention"
    gate_width: Count = 128
    gate_dropout: Share = 0.25
    burden: bool = False
    head: Literal["discrete", "cox"] = "discrete"
    slopes: Literal["per_bin", "shared"] = "per_bin"
    bins: Count = 4


@dataclass(frozen=True, eq=False)
class Judged:
    """What the head says of n patients.

    Attributes:
        logits: (n, bins) of the hazards, or (n, 1), the log hazard ratio of a Cox head.
        attention: (n, J), adds up to 1 over a patient's lesions, equal for "mean"; None for "max".
        organs: (n, J, K), how much each organ tells of each lesion's surroundings; None without LACF.
    """

    logits: torch.Tensor
    attention: torch.Tensor | None
    organs: torch.Tensor | None


class LampHead(torch.nn.Module):
    """Standardised features -> LACF -> aggregation -> linear map (section 2.2 and 2.3 of LAMP).

    Mean and scale of the features are buffers, fitted on the training fold by :meth:`standardise_by`, so that weights
    and standardisation are never apart.
    """

    lesion_centre: torch.Tensor
    lesion_scale: torch.Tensor
    organ_centre: torch.Tensor
    organ_scale: torch.Tensor
    burden_centre: torch.Tensor
    burden_scale: torch.Tensor

    def __init__(self, shape: HeadShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or HeadShape()
        for name, width in (("lesion", shape.features), ("organ", shape.features), ("burden", len(BURDEN))):
            self.register_buffer(f"{name}_centre", torch.zeros(width))
            self.register_buffer(f"{name}_scale", torch.ones(width))
        self.context = LesionAnatomyContext(shape.features) if shape.context == "lacf" else None
        self.perceptron = LesionPerceptron(shape.features) if shape.context == "mlp" else None
        width = shape.features * (1 if shape.context == "none" else 2)
        self.lesion_layer = _lesion_layer(width, shape.lesion_width, shape.lesion_dropout)
        width = shape.lesion_width or width
        attends = shape.aggregate == "attention"
        self.attention = GatedAttention(width, shape.gate_width, shape.gate_dropout) if attends else None
        width += len(BURDEN) if shape.burden else 0
        outputs = shape.bins if shape.head == "discrete" else 1
        shared = shape.head == "cox" or shape.slopes == "shared"
        self.slope = torch.nn.Linear(width, 1 if shared else outputs, bias=False)
        # A log hazard ratio has no intercept: the Cox loss cannot see one.
        self.intercept = torch.nn.Parameter(torch.zeros(outputs)) if shape.head == "discrete" else None

    def forward(self, bags: LesionBags) -> Judged:
        """Judges padded patients."""
        lesions = (bags.lesions - self.lesion_centre) / self.lesion_scale
        organs = None
        if self.context is not None:
            around, organs = self.context(lesions, (bags.organs - self.organ_centre) / self.organ_scale, bags.present)
            lesions = torch.cat((lesions, around), dim=-1)
        elif self.perceptron is not None:
            lesions = torch.cat((lesions, self.perceptron(lesions)), dim=-1)
        lesions = self.lesion_layer(lesions)
        pooled, attention = self._aggregate(lesions, bags.is_lesion)
        if self.shape.burden:
            pooled = torch.cat((pooled, (bags.burden - self.burden_centre) / self.burden_scale), dim=-1)
        logits: torch.Tensor = self.slope(pooled)
        return Judged(logits if self.intercept is None else logits + self.intercept, attention, organs)

    def standardise_by(self, bags: LesionBags) -> None:
        """Takes mean and scale from training patients: over all their lesions, and over all their organs that are
        there. One mean for all organs, since a mean for each would take out what tells them apart."""
        known = (
            ("lesion", bags.lesions[bags.is_lesion]),
            ("organ", bags.organs[bags.present]),
            ("burden", bags.burden),
        )
        for name, rows in known:
            spread = rows.std(dim=0, correction=0) if len(rows) else torch.zeros(rows.shape[1])
            getattr(self, f"{name}_centre").copy_(rows.mean(dim=0) if len(rows) else torch.zeros(rows.shape[1]))
            # A feature that never changes tells nothing; its scale is left at 1.
            getattr(self, f"{name}_scale").copy_(torch.where(spread > 1e-6, spread, torch.ones_like(spread)))

    @torch.no_grad()
    def start_at(self, intercepts: torch.Tensor | None = None) -> None:
        """Lets every patient start at the same hazards: slopes 0, intercepts as given.

        From intercepts of 0 every hazard starts at one half, and the attention first learns to stand in for an
        intercept. From slopes drawn at random some patients start ahead of others by chance, which early stopping on
        few patients may then keep.

        Args:
            intercepts: (bins,), of :func:`lymphoma.prognosis.survival_loss.hazard_logits` for the training fold;
                None leaves a Cox head, which has none.
        """
        with torch.no_grad():
            self.slope.weight.zero_()
            if self.intercept is not None and intercepts is not None:
                self.intercept.copy_(intercepts)

    def _aggregate(self, lesions: torch.Tensor, is_lesion: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        if self.attention is not None:
            pooled, attention = self.attention(lesions, is_lesion)
            return pooled, attention
        if self.shape.aggregate == "mean":
            return mean_of_lesions(lesions, is_lesion)
        return largest_of_lesions(lesions, is_lesion), None


def _lesion_layer(width: int, hidden: int | None, dropout: float) -> torch.nn.Module:
    if hidden is None:
        return torch.nn.Identity()
    return torch.nn.Sequential(torch.nn.Linear(width, hidden), torch.nn.ReLU(), torch.nn.Dropout(dropout))
