"""A study as the lesion network sees it: on the working grid, cut to the body, small enough to be kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import Box, body_box, crop, working_grid

__all__ = ["WorkingCrop", "crop_to_body"]

AIR_HU = -1024.0

_MOST = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class WorkingCrop:
    """PET and CT in cubes of the network's edge, cut to the body.

    Attributes:
        suv, ct_hu: float32 holding float16 values, on one grid: what is run now and what is read from a file later are
            the same numbers. SUV is thereby rounded by at most 1 part in 2,000, CT by 0.5 HU up to 1024 HU.
        box: where the crop lies in the working grid. grid: shape of the working grid. pet: shape of the PET's grid.
    """

    suv: Volume
    ct_hu: Volume
    box: Box
    grid: tuple[int, int, int]
    pet: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels (k, j, i)."""
        k, j, i = self.suv.array.shape
        return k, j, i

    def on_pet(self, values: npt.NDArray[np.float32], outside: float = 0.0) -> npt.NDArray[np.float32]:
        """Values of the crop, interpolated to the voxels of the PET; ``outside`` where the crop does not reach.

        The working grid fills the PET's field, outer edge to outer edge, which ``align_corners=False`` says.
        """
        whole = torch.full(self.grid, outside)
        whole[self.box] = torch.from_numpy(values)
        there = torch.nn.functional.interpolate(whole[None, None], size=self.pet, mode="trilinear")[0, 0]
        found: npt.NDArray[np.float32] = there.numpy()
        return found

    def save(self, path: Path) -> None:
        """Writes a safetensors file of 4 bytes a voxel."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "suv": self.suv.array.astype(np.float16),
            "ct_hu": self.ct_hu.array.astype(np.float16),
            "affine": np.ascontiguousarray(self.suv.affine),
        }
        box = [[side.start, side.stop] for side in self.box]
        save_file(arrays, path, {"place": json.dumps({"box": box, "grid": self.grid, "pet": self.pet})})

    @classmethod
    def load(cls, path: Path) -> WorkingCrop:
        """Reads what :meth:`save` wrote."""
        with safe_open(path, framework="numpy") as file:
            place = json.loads(file.metadata()["place"])
            affine = file.get_tensor("affine")
            suv, ct_hu = (Volume(file.get_tensor(name).astype(np.float32), affine) for name in ("suv", "ct_hu"))
        k, j, i = (slice(first, stop) for first, stop in place["box"])
        return cls(suv, ct_hu, (k, j, i), _triple(place["grid"]), _triple(place["pet"]))


def crop_to_body(suv: Volume, ct_hu: Volume, edge_mm: float) -> WorkingCrop:
    """The crop of a study.

    Args:
        suv, ct_hu: on the PET's grid; SUV in g/mL. edge_mm: of the working grid.
    """
    grid = working_grid(suv, edge_mm)
    coarse_suv = resample_like(suv, grid, fill=0.0, interpolation="linear")
    coarse_ct = resample_like(ct_hu, grid, fill=AIR_HU, interpolation="linear")
    box = body_box(coarse_suv, coarse_ct)
    return WorkingCrop(
        _rounded(crop(coarse_suv, box)),
        _rounded(crop(coarse_ct, box)),
        box,
        _triple(grid.array.shape),
        _triple(suv.array.shape),
    )


def _rounded(volume: Volume) -> Volume:
    kept = np.clip(volume.array, -_MOST, _MOST).astype(np.float16)
    return volume.with_array(kept.astype(np.float32))


def _triple(sizes: Any) -> tuple[int, int, int]:
    k, j, i = (int(one) for one in sizes)
    return k, j, i
