"""``python -m lymphoma.lamp.pilot``: runs what is not there yet, then writes the results."""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path

import structlog
import torch

from lymphoma.errors import CannotDo
from lymphoma.lamp.pilot.cells import Cell, Runner, save_cell
from lymphoma.lamp.pilot.page import write_page
from lymphoma.lamp.pilot.patients import Repetition, read_repetition
from lymphoma.lamp.pilot.plan import planned, quick
from lymphoma.lamp.pilot.result import read_results, write_results
from lymphoma.logs import log_to_stderr

__all__ = ["main"]

QUICK_PATIENTS, QUICK_STEPS = 300, 40

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Runs the pilot; see ``--help``.

    Returns:
        Exit code: 0.
    """
    given = _parser().parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    out: Path = given.out
    if not given.report_only:
        _run(list(quick() if given.quick else planned()), out, given.quick, given.minutes)
    results = read_results(out / "cells")
    write_results(out / "results.json", results)
    if given.page is not None:
        write_page(given.page, results)
    log.info("pilot_written", cells=len(results))
    return 0


def _run(cells: list[Cell], out: Path, small: bool, minutes: float | None) -> None:
    """Runs cells that have no file, for so many minutes; a kill loses the cell it hits and nothing else."""
    left = [cell for cell in cells if not (out / "cells" / f"{cell.name}.json").exists()]
    log.info("pilot_started", cells=len(cells), left=len(left))
    ends_s = None if minutes is None else time.monotonic() + 60 * minutes
    runner, number = None, 0
    for done, cell in enumerate(left, start=1):
        if ends_s is not None and time.monotonic() >= ends_s:
            return
        if runner is None or number != cell.repetition:
            runner, number = None, cell.repetition  # one repetition in memory at a time
            patients = _repetition(number, out, small)
            runner = Runner(patients, steps=QUICK_STEPS if small else None)
        try:
            result = runner.run(cell)
        except CannotDo as problem:
            log.warning("cell_left_out", cell=cell.name, code=problem.code)
            continue
        save_cell(out / "cells", result)
        gc.collect()  # torch's optimisers stand in circles, and each holds the patients of its run
        found = {"truth": result.truth_test, "harrell": round(result.harrell_test, 4), "trained": result.trained}
        log.info("cell", name=cell.name, done=done, of=len(left), seconds=result.seconds, **found)


def _repetition(number: int, out: Path, small: bool) -> Repetition:
    def told(name: str, done: int) -> None:
        log.info("patients_drawn", set=name, done=done)

    return read_repetition(number, out / "patients", patients=QUICK_PATIENTS if small else None, progress=told)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.lamp.pilot",
        description="What LAMP's head learns at feature level; the same command again goes on.",
        epilog="Example: nice -n 15 python -m lymphoma.lamp.pilot --out pilot --page docs/lamp-pilot.md",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of patients, cells and results.json")
    parser.add_argument("--page", type=Path, help="a markdown page of the results, its figures in images/ beside it")
    parser.add_argument("--quick", action="store_true", help="a few small cells")
    parser.add_argument("--report-only", action="store_true", help="runs nothing; writes what the cells so far say")
    parser.add_argument("--minutes", type=float, help="starts no cell after so long")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
