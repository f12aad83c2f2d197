"""Lesions as the lesion network draws them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy import Anatomy
from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions
from lymphoma.lesions.components import Connectivity
from lymphoma.segmentation.delineation import Candidate, Delineation
from lymphoma.segmentation.pooling import StudyPooler
from lymphoma.segmentation.whole_body import LesionNetwork

__all__ = ["NetworkSegmenter"]

TAKEN = 0.5
"""Probability from which a voxel is lesion."""


@dataclass(frozen=True, eq=False)
class NetworkSegmenter:
    """Method "network" (:class:`lymphoma.segmentation.Segmenter`): every component is accepted."""

    lesion_network: LesionNetwork
    min_volume_ml: float = 3.0
    connectivity: Connectivity = 26
    name: str = "network"
    needs_organs: bool = False

    @property
    def description(self) -> str:
        return (
            f"lesion network {self.lesion_network.digest[:12]}, probability > {TAKEN:g}, components of at least "
            f"{self.min_volume_ml:g} mL, {self.connectivity}-connected"
        )

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The lesions; see :class:`lymphoma.segmentation.Segmenter`."""
        network = self.lesion_network
        crop = network.crop(suv, ct_hu)
        run = network.run(crop)
        lesions = label_lesions(run.probability > TAKEN, suv.voxel_volume_ml, self.min_volume_ml, self.connectivity)
        lesion_map = suv.with_array(lesions)
        pooled = None if anatomy.organs is None else StudyPooler(network, crop, anatomy).pool(lesion_map)
        return Delineation(
            lesion_map,
            judged=_judged(suv, lesion_map, run.probability, anatomy),
            candidates=lesion_map,
            probability=suv.with_array(run.probability),
            pooled=pooled,
            notes=run.notes,
        )


def _judged(
    suv: Volume, lesion_map: Volume, probability: npt.NDArray[np.float32], anatomy: Anatomy
) -> tuple[Candidate, ...]:
    labels = lesion_map.array
    numbers = np.arange(1, int(labels.max(initial=0)) + 1)
    if not len(numbers):
        return ()
    means = ndimage.mean(probability, labels, numbers)
    hottest = ndimage.maximum_position(suv.array, labels, numbers)
    voxels = np.bincount(labels.ravel())[1:]
    return tuple(
        Candidate(
            label=int(number),
            lesion=int(number),
            status="accepted",
            p_lesion=float(mean),
            organ=_organ(labels == number, anatomy),
            volume_ml=float(count * suv.voxel_volume_ml),
            suv_max=float(suv.array[place]),
            hottest_mm=tuple(suv.points_mm(place).tolist()),
        )
        for number, mean, place, count in zip(numbers, means, hottest, voxels, strict=True)
    )


def _organ(mask: npt.NDArray[np.bool_], anatomy: Anatomy) -> str | None:
    """The organ that holds most of a lesion; None where most of it lies in none."""
    if anatomy.organs is None:
        return None
    label = int(np.bincount(anatomy.organs.array[mask].astype(np.int64)).argmax())
    return anatomy.names.get(label)
