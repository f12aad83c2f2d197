"""Cases on the working grid of a network: resampled and cut to the body once, read often."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import ModuleType

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging import body, resample, working
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import body_box, crop, working_grid
from lymphoma.training.cache import code_digest, config_digest
from lymphoma.training.case import Case

__all__ = ["ToWorkingGrid"]

_CODE: tuple[ModuleType, ...] = (body, resample, working)
AIR_HU = -1024.0


@dataclass(frozen=True)
class ToWorkingGrid:
    """Brings a case to voxels of ``edge_mm`` and cuts it to the body; labels keep their numbers."""

    edge_mm: float

    @property
    def config_digest(self) -> str:
        return config_digest(self)

    @property
    def code_digest(self) -> str:
        return code_digest(*_CODE)

    def __call__(self, case: Case) -> Case:
        grid = working_grid(case.suv, self.edge_mm)
        suv = resample_like(case.suv, grid, fill=0.0, interpolation="linear")
        ct = resample_like(case.ct_hu, grid, fill=AIR_HU, interpolation="linear")
        box = body_box(suv, ct)

        def labels(volume: Volume | None) -> Volume | None:
            if volume is None:
                return None
            return crop(resample_like(volume, grid, fill=0, interpolation="nearest"), box)

        return dataclasses.replace(
            case,
            suv=crop(suv, box),
            ct_hu=crop(ct, box),
            lesions=labels(case.lesions),
            anatomy=Anatomy(case.anatomy.engine, labels(case.anatomy.organs), case.anatomy.names),
        )
