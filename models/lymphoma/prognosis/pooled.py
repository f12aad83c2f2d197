"""Features of lesions and organs, pooled from the last blocks of the lesion network; what LAMP reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

from lymphoma.imaging.volume import Volume

__all__ = ["FEATURES", "FeaturePooler", "PooledFeatures"]

FEATURES = 128
"""Fused 64, PET 32, CT 32, in this order (LAMP)."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PooledFeatures:
    """Means of the network's last feature maps over regions of one patient.

    Attributes:
        network: digest of the weights and the shape of the network that made the maps.
        lesions: shape (n, 128), row r is lesion r + 1 of the lesion map.
        organs: shape (K, 128), 0 for an organ that is not there. present: bool, shape (K,).
        organ_names: K names in the order of the rows.
        lesion_map: SHA-256 of the lesion map (uint16, C order); empty where it is not known.
        whole_organs, organ_voxels: the organs with their lesion voxels, float64 (K, 128), and their voxels (K): what is
            needed to leave other lesions out without running the network over all organs again; None where not kept.
    """

    network: str
    lesions: Floats
    organs: Floats
    present: npt.NDArray[np.bool_]
    organ_names: tuple[str, ...]
    lesion_map: str = ""
    whole_organs: npt.NDArray[np.float64] | None = None
    organ_voxels: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        wide = (self.lesions.shape[-1], self.organs.shape[-1])
        if wide != (FEATURES, FEATURES) or not len(self.organs) == len(self.present) == len(self.organ_names):
            raise ValueError(f"features of shapes {self.lesions.shape} and {self.organs.shape} do not fit together")

    def save(self, path: Path) -> None:
        """Writes a safetensors file."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "lesions": self.lesions,
            "organs": self.organs,
            "present": self.present,
        }
        if self.whole_organs is not None and self.organ_voxels is not None:
            arrays |= {"whole_organs": self.whole_organs, "organ_voxels": self.organ_voxels}
        about = {"network": self.network, "organ_names": "\n".join(self.organ_names), "lesion_map": self.lesion_map}
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, path, about)

    @classmethod
    def load(cls, path: Path) -> PooledFeatures:
        """Reads what :meth:`save` wrote."""
        with safe_open(path, framework="numpy") as file:
            about = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        names = tuple(about["organ_names"].split("\n")) if about["organ_names"] else ()
        return cls(
            about["network"],
            arrays["lesions"],
            arrays["organs"],
            arrays["present"].astype(bool),
            names,
            about.get("lesion_map", ""),
            arrays.get("whole_organs"),
            arrays.get("organ_voxels"),
        )


class FeaturePooler(Protocol):
    """Pools features of the lesions of a map and of the organs that the network's bundle lists."""

    @property
    def network(self) -> str:
        """Digest of the weights and the shape of the network that is run."""
        ...

    def pool(self, lesion_map: Volume) -> PooledFeatures:
        """Of the study it was opened for.

        Args:
            lesion_map: labels 1..n on the PET grid.

        Raises:
            NotComputable: NO_ANATOMY, NOT_INSTALLED.
        """
        ...
