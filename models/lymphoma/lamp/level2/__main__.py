"""``python -m lymphoma.lamp.level2``: runs what is not there yet, then writes the results."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

import structlog
import torch

from lymphoma.lamp.level2.cells import CORE_ARMS, MODES, Cell, Runner, planned, read_cells, save_cell
from lymphoma.lamp.level2.page import markdown, results_json
from lymphoma.lamp.level2.patients import Level2, read_level2
from lymphoma.lamp.level2.result import RESAMPLES, summarise
from lymphoma.training.files import write_whole

__all__ = ["main"]

DRAWS = 50
"""Of times and censoring in each mode: a C-index of 120 patients alone scatters by .03."""

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Runs level 2; see ``--help``.

    Returns:
        Exit code: 0.
    """
    given = _parser().parse_args(arguments)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    torch.set_num_threads(given.threads)
    patients = read_level2(given.train, given.test)
    cells = list(planned(given.draws, given.modes, given.arms))
    out: Path = given.out
    if not given.report_only:
        _run(cells, patients, out, given)
    results = summarise(patients, read_cells(out / "cells"), resamples=given.resamples)
    write_whole(out / "results.json", results_json(results).encode())
    page: Path = given.page or out / "level2.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(page, markdown(results).encode())
    log.info("level2_written", groups=len(results.rows))
    return 0


def _run(cells: list[Cell], patients: Level2, out: Path, given: argparse.Namespace) -> None:
    """Runs cells that have no file, for so many minutes; a kill loses the cell it hits and nothing else."""
    left = [cell for cell in cells if not (out / "cells" / f"{cell.name}.json").exists()]
    log.info("level2_started", cells=len(cells), left=len(left))
    ends_s = None if given.minutes is None else time.monotonic() + 60 * given.minutes
    runner = Runner(patients, steps=given.steps, folds=given.inner_folds)
    for done, cell in enumerate(left, start=1):
        if ends_s is not None and time.monotonic() >= ends_s:
            return
        save_cell(out / "cells", runner.run(cell))
        if done % 25 == 0:
            log.info("level2_cells", done=done, of=len(left))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.lamp.level2",
        description="Arms and baselines on features of virtual images; the same command again goes on.",
        epilog="Example: python -m lymphoma.lamp.level2 --train features/l2-train --test features/l2-test --out level2",
    )
    parser.add_argument("--train", type=Path, required=True, help="folder of pooled features to learn from")
    parser.add_argument("--test", type=Path, required=True, help="folder of pooled features to be judged on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and results; made if missing")
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"of the outcomes in each mode (default {DRAWS})")
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES, help="mechanisms (default all)")
    parser.add_argument("--arms", nargs="+", default=CORE_ARMS, choices=CORE_ARMS, help="arms (default all)")
    parser.add_argument("--minutes", type=float, help="starts no further run after so long")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    parser.add_argument("--steps", type=int, help="fewer updates than the arms have, for a quick look")
    parser.add_argument("--inner-folds", type=int, default=5, help="that tell how long to train (default 5)")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="for the intervals")
    parser.add_argument("--page", type=Path, help="file of the page (default level2.md beside the results)")
    parser.add_argument("--report-only", action="store_true", help="runs nothing, writes the results of what is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
