"""Seconds for the 1456 features of a patient, beside plain serial PyRadiomics on the whole scan, in one run.

Seconds of processor time in one thread, so that what else the machine does counts for little; what a caller
waits for stands beside it. Memory is the greatest of this process.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from lymphoma.imaging.volume import Volume
from lymphoma.radiomics import RadiomicsSettings, extract, extract_lesions
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from threadpoolctl import threadpool_limits

from tests.unit.radiomics.plain import plain_features

__all__ = ["main"]

R = TypeVar("R")

SHAPE = (260, 168, 168)
SPACING_MM = 4.0
LESIONS = 30
TARGET_S = 20.0
SETTINGS = RadiomicsSettings()


def main() -> None:
    """Prints a table and a line of JSON."""
    suv, ct, lesions = _patient()
    inside = int((lesions.array > 0).sum())
    found: dict[str, float] = {}
    with threadpool_limits(1):
        found["all lesions together"], own = _timed(lambda: extract(suv, ct, lesions, SETTINGS, workers=1).by_name)
        found["each lesion"], _ = _timed(lambda: extract_lesions(suv, ct, lesions, workers=1))
        memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        found["plain PyRadiomics"], plain = _timed(lambda: plain_features(suv, ct, lesions, SETTINGS))
    apart = max(abs(own[name] - plain[name]) / max(abs(plain[name]), 1e-6) for name in plain)
    begun = time.perf_counter()
    extract(suv, ct, lesions, SETTINGS)
    waited_s = time.perf_counter() - begun
    ratio = found["plain PyRadiomics"] / found["all lesions together"]
    table = Table(
        "features of", "processor s", title=f"Radiomics, {SHAPE} voxels, {inside} of them in {LESIONS} lesions"
    )
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.1f}")
    table.add_row("waiting time as by default, target 20", f"{waited_s:.1f}")
    table.add_row("plain over ours", f"{ratio:.1f}")
    table.add_row("largest relative difference", f"{apart:.1e}")
    table.add_row("memory, GB", f"{memory_gb:.2f}")
    Console().print(table)
    Console().print_json(
        data={
            "radiomics": {
                "processor_s": {name: round(seconds, 2) for name, seconds in found.items()},
                "waiting_s": round(waited_s, 2),
                "ratio": round(ratio, 2),
                "apart": apart,
                "memory_gb": round(memory_gb, 2),
                "within_target": waited_s <= TARGET_S,
            }
        }
    )


def _timed(work: Callable[[], R]) -> tuple[float, R]:
    begun = time.process_time()
    done = work()
    return time.process_time() - begun, done


def _patient() -> tuple[Volume, Volume, Volume]:
    """A whole body of noise with ellipsoids of 1 to 200 mL, hot in the middle."""
    rng = np.random.default_rng(0)
    suv = np.abs(ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.2) * 3 + 1)
    ct = ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.0) * 150 - 50
    lesions = np.zeros(SHAPE, dtype=np.uint16)
    grid = np.ogrid[tuple(slice(0, size) for size in SHAPE)]
    for number in range(1, LESIONS + 1):
        middle = [rng.uniform(0.15, 0.85) * size for size in SHAPE]
        radii = (18.0, 14.0, 12.0) if number == 1 else rng.uniform(2, 6, 3)
        away = sum(((axis - at) / radius) ** 2 for axis, at, radius in zip(grid, middle, radii, strict=True))
        inside = (np.asarray(away) < 1) & (lesions == 0)
        lesions[inside] = number
        suv[inside] += rng.lognormal(np.log(9), 0.4) * (1 - 0.5 * np.asarray(away)[inside])
        ct[inside] = 0.3 * ct[inside] + 45
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    return Volume(suv, affine), Volume(ct, affine), Volume(lesions, affine)


if __name__ == "__main__":
    main()
