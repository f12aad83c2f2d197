"""The lesion network over a whole body: probability, and features pooled over any regions, in one pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.imaging.volume import Volume
from lymphoma.inference.device import Processor
from lymphoma.inference.fallback import Attempt, attempts, with_fallback
from lymphoma.inference.sliding import over_windows, padded
from lymphoma.inference.windows import Windows, fit_windows
from lymphoma.prognosis.pooled import FEATURES
from lymphoma.segmentation.network import LampNetwork, LampShape, LesionMaps, image_of
from lymphoma.segmentation.regions import Members, PoolingSum, RegionFeatures, members_of
from lymphoma.segmentation.working_crop import AIR_HU, WorkingCrop, crop_to_body

__all__ = ["LesionNetwork", "Pooling", "WholeBodyRun"]

Seen = tuple[torch.Tensor, tuple[torch.Tensor, ...]]
"""Probability (k, j, i) and the parts of the features, fused, PET, CT, each (channels, k, j, i)."""

LEFT_RIGHT = 4
"""Axis of the columns in a tensor (n, channels, k, j, i), along which the training flips patches."""


@dataclass(frozen=True, eq=False)
class Pooling:
    """Features of regions.

    Attributes:
        regions: one for each label map that was asked for. windows: how many were run. notes: for the report.
    """

    regions: tuple[RegionFeatures, ...]
    windows: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class WholeBodyRun(Pooling):
    """All that one pass over a body gives.

    Attributes:
        probability: of a lesion, float32 0 to 1, on the PET's grid.
    """

    probability: npt.NDArray[np.float32] = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class LesionNetwork:
    """A trained lesion network and how it is run.

    Attributes:
        network: in evaluation mode. digest: of its weights and shape, by which pooled features name their origin.
        organ_names: in the order of the rows of pooled organ features.
        flips: each window is seen a second time with left and right changed, and the mean of both is taken.
    """

    network: LampNetwork
    shape: LampShape
    digest: str
    organ_names: tuple[str, ...]
    processor: Processor
    flips: bool = False

    def crop(self, suv: Volume, ct_hu: Volume) -> WorkingCrop:
        """A study as the network sees it; both on the PET's grid."""
        return crop_to_body(suv, ct_hu, self.shape.edge_mm)

    def run(self, crop: WorkingCrop, regions: Sequence[Volume] = ()) -> WholeBodyRun:
        """One pass over all windows.

        Args:
            regions: label maps 1..n on any grid in the same patient space.
        """
        members = [members_of(one, crop.suv) for one in regions]
        ways = attempts(self.processor)
        done = with_fallback(lambda attempt: self._pass(attempt, crop, members, whole=True), ways)
        probability, pooled, count = done.result
        return WholeBodyRun(pooled, count, done.notes, probability=np.clip(crop.on_pet(probability), 0.0, 1.0))

    def pool(self, crop: WorkingCrop, regions: Sequence[Volume]) -> Pooling:
        """Features of regions from the windows that they touch alone, the same as a pass over all windows gives."""
        members = [members_of(one, crop.suv) for one in regions]
        ways = attempts(self.processor)
        done = with_fallback(lambda attempt: self._pass(attempt, crop, members, whole=False), ways)
        return Pooling(done.result[1], done.result[2], done.notes)

    def windows(self, crop: WorkingCrop, *, small: bool = False) -> Windows:
        """The plan for a crop; ``small``: half the usual edge, for a GPU of little memory."""
        k, j, i = (edge // 2 for edge in self.shape.window) if small else self.shape.window
        return fit_windows(crop.shape, (k, j, i), multiple=2 ** (len(self.shape.widths) - 1))

    def _pass(
        self, attempt: Attempt, crop: WorkingCrop, members: Sequence[Members], *, whole: bool
    ) -> tuple[npt.NDArray[np.float32], tuple[RegionFeatures, ...], int]:
        processor, windows = attempt.processor, self.windows(crop, small=attempt.small)
        network = self._on(processor.device)
        image = padded(torch.from_numpy(image_of(crop.suv.array, crop.ct_hu.array)), windows, _air())
        sums = [PoolingSum(one, windows, FEATURES, processor.device) for one in members]
        chosen = range(len(windows)) if whole else sorted({at for one in members for at in windows.holding(one.voxels)})
        probability = torch.zeros(windows.padded)
        for box, (seen, features) in over_windows(self._seeing(network), image, windows, processor, chosen):
            probability[box] += seen.cpu() * windows.weights
            for one in sums:
                one.add(box, features)
        k, j, i = crop.shape
        found = (probability / windows.total)[:k, :j, :i].numpy()
        return found, tuple(one.result() for one in sums), len(chosen)

    def _on(self, device: torch.device) -> LampNetwork:
        """The network there; a copy where it lies elsewhere, as another thread may be using it."""
        if next(self.network.parameters()).device.type == device.type:
            return self.network
        return copy.deepcopy(self.network).to(device)

    def _seeing(self, network: LampNetwork) -> Callable[[torch.Tensor], Seen]:
        def once(window: torch.Tensor) -> Seen:
            maps: LesionMaps = network(window)
            parts = (maps.fused.features, maps.pet.features, maps.ct.features)
            return maps.log_probability[0, 1].exp(), tuple(one[0] for one in parts)

        def twice(window: torch.Tensor) -> Seen:
            as_is, changed = once(window), once(window.flip(LEFT_RIGHT))
            # one axis fewer for the batch, one fewer again for the channels of a probability
            probability = (as_is[0] + changed[0].flip(LEFT_RIGHT - 2)) / 2
            pairs = zip(as_is[1], changed[1], strict=True)
            return probability, tuple((one + other.flip(LEFT_RIGHT - 1)) / 2 for one, other in pairs)

        return twice if self.flips else once


def _air() -> torch.Tensor:
    """What the network sees in air."""
    image = image_of(np.zeros((1, 1, 1), dtype=np.float32), np.full((1, 1, 1), AIR_HU, dtype=np.float32))
    return torch.from_numpy(image[:, 0, 0, 0])
