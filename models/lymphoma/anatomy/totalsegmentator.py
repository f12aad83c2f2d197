"""TotalSegmentator v2 as an engine: somebody else's program, run beside the node on the CT of one study."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.structures import CLASSES, StructuresOption, structures
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.inference.external import run_external

__all__ = ["TotalSegmentator"]

INPUT, OUTPUT = "ct.nii.gz", "organs.nii.gz"

SAME_MM = 0.05
"""How far voxel centres may lie from where they were: NIfTI keeps its affine in float32."""

GREATEST_HU = 32767
"""CT is handed over as int16, as scanners store it."""


@dataclass(frozen=True)
class TotalSegmentator:
    """The engine; an :class:`lymphoma.anatomy.organs.AnatomyEngine`.

    The CT is handed over as it lies on the PET grid, since organs are asked for there alone.

    Attributes:
        command: program and first arguments; input, output, ``--ml`` and ``--fast`` are added.
        time_limit_s, memory_gb: as in :func:`lymphoma.inference.external.run_external`.
        fast: the network of 3 mm voxels. option: how 117 classes become 71 structures.
    """

    command: tuple[str, ...] = ("TotalSegmentator",)
    time_limit_s: float = 1800.0
    memory_gb: float = 24.0
    fast: bool = True
    option: StructuresOption = "b"
    name: str = "totalsegmentator"

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        """The organs on the grid of ``suv``; ``ct_hu`` is on the same grid.

        Raises:
            NotComputable: ENGINE_MISSING, ENGINE_TIMEOUT, ENGINE_FAILED; ENGINE_OUTPUT, what it left is not a label map
                of its 117 classes on the grid that it was given.
        """
        with tempfile.TemporaryDirectory(prefix="nodal-engine-") as name:
            folder = Path(name)
            whole = np.clip(np.rint(ct_hu.array), -GREATEST_HU, GREATEST_HU).astype(np.int16)
            ct_hu.with_array(whole).save(folder / INPUT)
            arguments = ("-i", INPUT, "-o", OUTPUT, "--ml", *(["--fast"] if self.fast else []))
            environment = _quiet_home(folder)
            run_external(
                (*self.command, *arguments), folder, self.time_limit_s, self.memory_gb, environment=environment
            )
            labels = _read(folder / OUTPUT, ct_hu)
        table = structures(self.option)
        return Anatomy(self.name, suv.with_array(table.merged(labels)), table.names)


def _quiet_home(folder: Path) -> Mapping[str, str]:
    """A home in the scratch folder that says to send no usage statistics, with the weights where they were."""
    home = folder / "home"
    home.mkdir()
    config = {"totalseg_id": "nodal", "send_usage_stats": False, "prediction_counter": 0}
    (home / "config.json").write_text(json.dumps(config), encoding="utf-8")
    before = Path(os.environ.get("TOTALSEG_HOME_DIR", Path.home() / ".totalsegmentator"))
    weights = os.environ.get("TOTALSEG_WEIGHTS_PATH", str(before / "nnunet" / "results"))
    return {"TOTALSEG_HOME_DIR": str(home), "TOTALSEG_WEIGHTS_PATH": weights}


def _read(path: Path, grid: Volume) -> npt.NDArray[np.uint8]:
    if not path.is_file():
        raise NotComputable("ENGINE_OUTPUT", "TotalSegmentator ended well and left no organ map")
    try:
        found = Volume.load(path)
    except (RuntimeError, ValueError) as error:
        raise NotComputable("ENGINE_OUTPUT", "TotalSegmentator's organ map cannot be read") from error
    if not found.same_grid(grid, SAME_MM):
        raise NotComputable("ENGINE_OUTPUT", "TotalSegmentator's organ map lies on another grid than the CT")
    labels = np.rint(found.array).astype(np.int64)
    if (labels != found.array).any() or labels.min() < 0 or labels.max() > CLASSES:
        raise NotComputable("ENGINE_OUTPUT", f"TotalSegmentator's organ map holds labels other than 0 to {CLASSES}")
    if not labels.any():
        raise NotComputable("ENGINE_OUTPUT", "TotalSegmentator found no organ at all")
    return np.asarray(labels, dtype=np.uint8)
