"""Seconds to build the result objects of a whole body, by number of lesions; the target is 2 s for SEG, SR and PDF."""

from __future__ import annotations

import time

from nodal.report.build import build
from nodal.report.inputs import ReportInputs, Target
from nodal.settings import Profile
from rich.console import Console
from rich.table import Table

from tests.unit.report.sample import sample_inputs

__all__ = ["main"]

RUNS = 3


def main() -> None:
    """Prints a table and a line of JSON: the quickest of a few runs, summary image included."""
    console, target = Console(), Target(Profile(), "simulation_trained")
    table = Table("lesions", "seconds", "target", title="SEG, SR, PDF and summary image of 168 x 168 x 260 voxels")
    seconds = {}
    for lesions in (1, 12, 60):
        inputs = sample_inputs(lesions, shape=(260, 168, 168), spacing_mm=(4.0, 4.0, 3.75))
        seconds[lesions] = min(_once(inputs, target) for _ in range(RUNS))
        table.add_row(str(lesions), f"{seconds[lesions]:.2f}", "2")
    console.print(table)
    console.print_json(data={"encode": {"seconds": {str(n): round(s, 2) for n, s in seconds.items()}}})


def _once(inputs: ReportInputs, target: Target) -> float:
    begun = time.perf_counter()
    build(inputs, target)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
