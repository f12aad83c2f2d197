"""What the range check compares of a patient: pooled features of organs and lesions in a few numbers, and the burden.

39 organs of 128 features cannot have a covariance of their own from a few hundred patients. Their first principal
components can; what these leave over is one more number, as a scan unlike all others lies mostly outside of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import PCA

from lymphoma.prognosis.covariates import LEAST_TMTV_ML
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.training.weights import Tensors, halved

__all__ = ["RangeSummary", "fit_summary"]

Floats = npt.NDArray[np.float64]

ORGAN_COMPONENTS, LESION_COMPONENTS = 6, 3
"""[A] Few enough that 200 patients give a covariance of all numbers; more hold the noise of single organs."""
_BURDEN = ("log_tmtv_ml", "log_suv_max", "log_lesion_count")
_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class _Subspace:
    """Principal components of rows of m numbers.

    Attributes:
        centre, scale: (m,). components: (c, m), orthonormal.
    """

    centre: Floats
    scale: Floats
    components: Floats

    @classmethod
    def fit(cls, rows: Floats, known: npt.NDArray[np.bool_], components: int) -> _Subspace:
        """From rows (n, m); what is not known counts as the mean."""
        weight = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, rows, 0.0).sum(axis=0) / weight
        spread = np.sqrt((np.where(known, rows - centre, 0.0) ** 2).sum(axis=0) / weight)
        scale = np.where(spread > _LEAST, spread, 1.0)
        z = np.where(known, (rows - centre) / scale, 0.0)
        return cls(centre, scale, PCA(components, svd_solver="full").fit(z).components_)

    def scores(self, row: Floats, known: npt.NDArray[np.bool_]) -> Floats:
        """(c + 1,): places along the components, and the logarithm of what they leave over, a known number."""
        z = np.where(known, (row - self.centre) / self.scale, 0.0)
        along = self.components @ z
        left = z - self.components.T @ along
        mean_square = float((left[known] ** 2).mean()) if known.any() else np.nan
        return np.append(along, 0.5 * np.log(max(mean_square, _LEAST)) if known.any() else np.nan)


@dataclass(frozen=True, eq=False)
class RangeSummary:
    """From pooled features and measures to the numbers of the range check."""

    organs: _Subspace
    lesions: _Subspace

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the bundle's statistics."""
        organ = (f"organ_pc_{number}" for number in range(1, len(self.organs.components) + 1))
        lesion = (f"lesion_pc_{number}" for number in range(1, len(self.lesions.components) + 1))
        return (*organ, "organ_remainder", *lesion, "lesion_remainder", *_BURDEN)

    def features(self, pooled: PooledFeatures, pet: PetMeasures) -> tuple[float, ...]:
        """The numbers of one patient; NaN where one is not known."""
        organs = self.organs.scores(*_organ_row(pooled))
        lesions = self.lesions.scores(*_lesion_row(pooled))
        return (*organs.tolist(), *lesions.tolist(), *_burden(pet))

    def tensors(self) -> dict[str, torch.Tensor]:
        """As a bundle keeps it."""
        return {
            f"{part}.{name}": torch.as_tensor(np.asarray(getattr(one, name), dtype=np.float32))
            for part, one in (("organs", self.organs), ("lesions", self.lesions))
            for name in ("centre", "scale", "components")
        }

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> RangeSummary:
        """What :meth:`tensors` gave."""
        found = {name: tensor.double().numpy() for name, tensor in tensors.items()}
        parts = (
            _Subspace(*(found[f"{part}.{name}"] for name in ("centre", "scale", "components")))
            for part in ("organs", "lesions")
        )
        return cls(*parts)


def fit_summary(pooled: Sequence[PooledFeatures]) -> RangeSummary:
    """Fits the components on training patients.

    They are rounded as the bundle stores them, so that statistics fitted next are of the numbers that it will give.
    """
    organs = [_organ_row(one) for one in pooled]
    lesions = [_lesion_row(one) for one in pooled]
    fitted = RangeSummary(
        _fit(organs, ORGAN_COMPONENTS),
        _fit(lesions, LESION_COMPONENTS),
    )
    return RangeSummary.from_tensors(halved(fitted.tensors()))


def _fit(rows: Sequence[tuple[Floats, npt.NDArray[np.bool_]]], components: int) -> _Subspace:
    values, known = np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])
    return _Subspace.fit(values, known, min(components, len(rows) - 1))


def _organ_row(pooled: PooledFeatures) -> tuple[Floats, npt.NDArray[np.bool_]]:
    known = np.repeat(pooled.present, pooled.organs.shape[1])
    return pooled.organs.astype(np.float64).ravel(), known


def _lesion_row(pooled: PooledFeatures) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Mean over the lesions."""
    mean = pooled.lesions.astype(np.float64).mean(axis=0)
    return mean, np.ones(mean.shape, dtype=np.bool_)


def _burden(pet: PetMeasures) -> tuple[float, float, float]:
    def log(value: float | None, least: float) -> float:
        return np.nan if value is None else float(np.log(max(value, least)))

    return log(pet.tmtv_ml, LEAST_TMTV_ML), log(pet.suv_max, 1.0), log(pet.lesion_count, 1.0)
