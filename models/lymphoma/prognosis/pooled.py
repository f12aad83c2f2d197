"""Features of lesions and organs, pooled from the last blocks of the lesion network; what LAMP reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
        network: digest of the bundle whose network made the maps.
        lesions: shape (n, 128), row r is lesion r + 1 of the lesion map.
        organs: shape (K, 128), 0 for an organ that is not there. present: bool, shape (K,).
        organ_names: K names in the order of the rows.
    """

    network: str
    lesions: Floats
    organs: Floats
    present: npt.NDArray[np.bool_]
    organ_names: tuple[str, ...]

    def __post_init__(self) -> None:
        wide = (self.lesions.shape[-1], self.organs.shape[-1])
        if wide != (FEATURES, FEATURES) or not len(self.organs) == len(self.present) == len(self.organ_names):
            raise ValueError(f"features of shapes {self.lesions.shape} and {self.organs.shape} do not fit together")

    def save(self, path: Path) -> None:
        """Writes a safetensors file."""
        arrays = {"lesions": self.lesions, "organs": self.organs, "present": self.present}
        about = {"network": self.network, "organ_names": "\n".join(self.organ_names)}
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, path, about)

    @classmethod
    def load(cls, path: Path) -> PooledFeatures:
        """Reads what :meth:`save` wrote."""
        with safe_open(path, framework="numpy") as file:
            about = file.metadata()
            arrays = {name: file.get_tensor(name) for name in ("lesions", "organs", "present")}
        names = tuple(about["organ_names"].split("\n")) if about["organ_names"] else ()
        return cls(about["network"], arrays["lesions"], arrays["organs"], arrays["present"].astype(bool), names)


class FeaturePooler(Protocol):
    """Pools features of the lesions of a map and of the organs that the network's bundle lists."""

    @property
    def network(self) -> str:
        """Digest of the bundle whose network is run."""
        ...

    def pool(self, lesion_map: Volume) -> PooledFeatures:
        """Of the study it was opened for.

        Args:
            lesion_map: labels 1..n on the PET grid.

        Raises:
            NotComputable: NO_ANATOMY, NOT_INSTALLED.
        """
        ...
