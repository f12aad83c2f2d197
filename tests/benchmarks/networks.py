"""The shared networks over one whole body, 168 x 168 x 260 in 4 mm: seconds of anatomy and lesions, and peak memory.

Each way runs in a process of its own. The weights are random: the time does not depend on them. Beside the seconds on
the clock stand those of the processor, which other work on the machine disturbs less.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import torch
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging import Volume
from lymphoma.inference.device import Precision, choose
from lymphoma.inference.layout import laid_out
from lymphoma.segmentation.network import LampNetwork, LampShape
from lymphoma.segmentation.pooling import StudyRegions
from lymphoma.segmentation.whole_body import LesionNetwork
from rich.console import Console
from rich.table import Table

__all__ = ["main"]

T = TypeVar("T")

TARGET_S = 40.0
"""Both networks together, float32, two cores."""

WAYS: tuple[tuple[Precision, int], ...] = (("float32", 2), ("float32", 1), ("bfloat16", 2), ("bfloat16", 1))


@dataclass(frozen=True)
class Spent:
    """One step: seconds on the clock and of the processor."""

    clock_s: float
    processor_s: float


@dataclass(frozen=True)
class Measured:
    """One way: a step each, windows of the lesion network, and the peak of the process."""

    precision: str
    threads: int
    anatomy: Spent
    crop: Spent
    lesions: Spent
    edit: Spent
    windows: int
    edit_windows: int
    peak_gb: float


def whole_body() -> tuple[Volume, Volume, Anatomy, Volume]:
    """SUV, CT, organs and lesions of an elliptic body of 48 x 29 cm; every voxel of it belongs to an organ."""
    rng = np.random.default_rng(0)
    k, j, i = np.ogrid[:260, :168, :168]
    body = np.broadcast_to(((j - 84) / 36.0) ** 2 + ((i - 84) / 60.0) ** 2 < 1, (260, 168, 168))
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    suv = np.where(body, 1.0 + rng.random(body.shape, dtype=np.float32), 0.0).astype(np.float32)
    ct = np.where(body, 40.0, -1024.0).astype(np.float32)
    organs = np.where(body, 1 + (k // 7) % 39, 0).astype(np.uint8)
    lesions = np.zeros(body.shape, dtype=np.uint16)
    for number in range(20):
        lesions[10 + 12 * number : 15 + 12 * number, 80:86, 60:66] = number + 1
    grid = Volume(suv, affine)
    anatomy = Anatomy("given", grid.with_array(organs), shipped_classes().names)
    return grid, grid.with_array(ct), anatomy, grid.with_array(lesions)


def measure(precision: Precision, threads: int) -> Measured:
    """One way, in this process."""
    torch.set_num_threads(threads)
    processor = choose("cpu", precision)
    suv, ct, organs, lesions = whole_body()
    table = shipped_classes()
    engine = NetworkAnatomy(
        laid_out(build_network(AnatomyShape(), len(table)), processor), table, AnatomyShape(), processor=processor
    )
    _, anatomy = _timed(lambda: engine.find(suv, ct))
    lesions_by = LampNetwork(LampShape())
    laid_out(lesions_by, processor)
    network = LesionNetwork(lesions_by, LampShape(), "", tuple(table.names.values()), processor)
    crop, cut = _timed(lambda: network.crop(suv, ct))
    regions = StudyRegions.of(lesions, organs, table).volumes
    run, seen = _timed(lambda: network.run(crop, regions))
    edited = lesions.with_array(np.where(lesions.array == 7, lesions.array, 0))
    again, edit = _timed(lambda: network.pool(crop, [edited]))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return Measured(precision, threads, anatomy, cut, seen, edit, run.windows, again.windows, round(peak_gb, 2))


def main() -> None:
    """Prints a table and a line of JSON."""
    console = Console()
    table = Table(
        "precision", "threads", "anatomy, s", "crop, s", "lesions, s", "windows", "an edit, s", "together, s",
        "of the processor, s", "peak, GB", title="Both networks over 168 x 168 x 260 in 4 mm, on the CPU",
    )  # fmt: skip
    measured = []
    for precision, threads in WAYS:
        asked = [sys.executable, "-m", __spec__.name, precision, str(threads)]
        said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        one = json.loads(said.splitlines()[-1])
        measured.append(one)
        steps = [one[name] for name in ("anatomy", "crop", "lesions")]
        together = sum(step["clock_s"] for step in steps)
        table.add_row(
            precision,
            str(threads),
            *(f"{step['clock_s']:.1f}" for step in steps),
            str(one["windows"]),
            f"{one['edit']['clock_s']:.1f} ({one['edit_windows']})",
            f"{together:.1f}",
            f"{sum(step['processor_s'] for step in steps):.1f}",
            f"{one['peak_gb']:.2f}",
        )
    console.print(table)
    console.print(f"Target: {TARGET_S:g} s together in float32 on two cores.")
    console.print_json(data={"networks": measured})


def _timed(step: Callable[[], T]) -> tuple[T, Spent]:
    clock_s, processor_s = time.perf_counter(), time.process_time()
    made = step()
    return made, Spent(round(time.perf_counter() - clock_s, 2), round(time.process_time() - processor_s, 2))


if __name__ == "__main__":
    asked_precision: Precision = "bfloat16" if sys.argv[1] == "bfloat16" else "float32"
    Console().print_json(data=asdict(measure(asked_precision, int(sys.argv[2]))), indent=None)
