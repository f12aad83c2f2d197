"""Sampled patients as bags: what a lesion network might tell of lesions and organs, plain, mixed or bent.

"clean": eight features that carry the terms of the mechanisms as they are, for the positive control. "linear": 18
descriptions mixed into 128 by a fixed random matrix, as pooled features mix what they know. "nonlinear": the same
through two random layers with a hyperbolic tangent. Organs are described and mixed alike, so that a lesion of the
spleen resembles the spleen, as it does where both are pooled from the same maps.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.lamp.bags import LesionBags
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.features import LENGTH_MM
from lymphoma.simulation.risk import LOCATION_EFFECT, WORST_PLACE
from lymphoma.simulation.sites import GROUPS, ORGANS, group_of_place

__all__ = ["CLEAN", "ENCODINGS", "MOST_LESIONS", "Encoding", "bags_of", "width_of"]

Encoding = Literal["clean", "linear", "nonlinear"]
ENCODINGS: tuple[Encoding, ...] = ("clean", "linear", "nonlinear")
Floats = npt.NDArray[np.float64]

MOST_LESIONS = 32
"""Largest by volume; one patient in nine has more. It halves the cost of an update."""
CLEAN = 8
MIXED = 128
HIDDEN = 64
SEED = 715
"""Of the fixed mixing matrices: a network that is the same for everybody."""
BEND = 1.5
"""Spread of what goes into the second hyperbolic tangent: most of it leaves the straight part."""

CENTRE = np.array([2.1, 2.0, 0.25, 45.0, 60.0, 0.45, 0.0, 0.0, *[0.1] * len(GROUPS)])
SCALE = np.array([1.7, 0.65, 0.13, 100.0, 60.0, 0.22, 0.5, 0.45, *[0.3] * len(GROUPS)])
"""Rough centre and spread of the 18 descriptions over sampled lesions; constants, for a network knows no fold."""
WIDEST = 4.0
MIDDLE_HEIGHT = 0.45
"""Of organs without a height of their own."""


def width_of(encoding: Encoding) -> int:
    """Features a lesion."""
    return CLEAN if encoding == "clean" else MIXED


def bags_of(table: FeatureTable, encoding: Encoding) -> LesionBags:
    """All patients of a table, who have a lesion each; the sampler never draws one without."""
    if not (table.counts > 0).all():
        raise ValueError("a patient without a lesion has no place in the pilot")
    lesions = _encoded(_lesions(table), encoding)
    # Lesions of a patient are sorted by volume; another order would make the cap a matter of chance.
    order = np.lexsort((-table.lesions.volume_ml, table.owner))
    slot = np.arange(len(order)) - table.starts[table.owner]
    kept = slot < MOST_LESIONS
    padded = np.zeros((len(table), int(slot[kept].max()) + 1, lesions.shape[1]), dtype=np.float32)
    there = np.zeros(padded.shape[:2], dtype=np.bool_)
    rows = table.owner[kept], slot[kept]
    padded[rows] = lesions[order[kept]]
    there[rows] = True
    present = table.organs.present
    organs = np.where(present[..., None], _encoded(_organs(table), encoding), 0.0)
    burden = np.column_stack((np.log(table.tmtv_ml), np.log(table.counts), np.nan_to_num(table.sdmax_per_m)))
    return LesionBags(
        torch.from_numpy(padded),
        torch.from_numpy(there),
        torch.from_numpy(organs.astype(np.float32)),
        torch.from_numpy(present.copy()),
        torch.from_numpy(burden.astype(np.float32)),
    )


def _lesions(table: FeatureTable) -> Floats:
    """18 descriptions of each lesion, shape (N, 18)."""
    one = table.lesions
    place = np.eye(len(GROUPS))[one.group]
    plain = (np.log(one.volume_ml), np.log(one.suv_peak), one.suv_cv, one.hu_mean, one.hu_sd)
    return np.column_stack((*plain, one.height, one.lateral, one.depth, place))


def _organs(table: FeatureTable) -> Floats:
    """The same of each organ, shape (P, K, 18); what is not there is 0."""
    one, shape = table.organs, table.organs.present.shape
    heights = [MIDDLE_HEIGHT if organ.height_mm is None else organ.height_mm / LENGTH_MM for organ in ORGANS]
    sides = [0.5 * ((organ.side == "left") - (organ.side == "right")) for organ in ORGANS]
    groups = [group_of_place(organ.name, height) for organ, height in zip(ORGANS, heights, strict=True)]
    with np.errstate(invalid="ignore", divide="ignore"):
        cv = one.suv_sd / one.suv_mean
        plain = (np.log(one.volume_ml), np.log(one.suv_mean), cv, one.hu_mean, one.hu_sd)
    fixed = np.column_stack((heights, sides, np.zeros(len(ORGANS)), np.eye(len(GROUPS))[groups]))
    everything = np.concatenate((np.stack(plain, axis=-1), np.broadcast_to(fixed, (*shape, fixed.shape[1]))), axis=-1)
    return np.where(np.isfinite(everything), everything, 0.0)


def _encoded(described: Floats, encoding: Encoding) -> Floats:
    """(..., 18) -> (..., 8 or 128)."""
    x = np.clip((described - CENTRE) / SCALE, -WIDEST, WIDEST)
    if encoding == "clean":
        place = described[..., -len(GROUPS) :]
        effects = np.stack((place @ np.array(WORST_PLACE), place @ np.array(LOCATION_EFFECT)), axis=-1)
        return np.concatenate((x[..., :6], effects), axis=-1)
    rng = np.random.default_rng(SEED)
    first = rng.normal(size=(x.shape[-1], MIXED)) / np.sqrt(x.shape[-1])
    if encoding == "linear":
        return np.asarray(x @ first)
    second = rng.normal(size=(HIDDEN, MIXED)) * BEND / np.sqrt(HIDDEN)
    return np.asarray(np.tanh(np.tanh(x @ first[:, :HIDDEN]) @ second))
