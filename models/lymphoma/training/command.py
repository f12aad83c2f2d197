"""The command that trains a shared network on the project's own virtual patients, in legs that can be interrupted.

``kill -TERM`` (or Ctrl-C) ends a leg after the step it is in: the checkpoint is written and the hand-over too. The same
command in the same folder goes on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
import torch

from lymphoma.logs import log_to_stderr
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.sets import SETS
from lymphoma.training.cache import CachedCases, DiskCache
from lymphoma.training.case import Case, Subject
from lymphoma.training.config import TrainConfig, read_config
from lymphoma.training.progress import UpdateDone
from lymphoma.training.task import B, Task
from lymphoma.training.trainer import Trainer
from lymphoma.training.working import ToWorkingGrid

__all__ = ["NetworkPatients", "network_patients", "run_command", "told_by_log", "until_told_to_stop"]

CACHE_BYTES = 16_000_000_000
"""Room for 280 patients at 4 mm, cut to the body."""

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class NetworkPatients:
    """The patients of the shared networks, on a working grid.

    Attributes:
        training, validation: of the sets ``network-train`` and ``network-validation``.
        read: a patient of either, from the cache where he or she is in it.
    """

    training: tuple[Subject, ...]
    validation: tuple[Subject, ...]
    read: Callable[[Subject], Case]

    def prepare(self) -> None:
        """Makes all that is not in the cache yet."""
        everybody = (*self.training, *self.validation)
        for done, subject in enumerate(everybody, start=1):
            self.read(subject)
            if done % 20 == 0:
                log.info("patients_prepared", done=done, of=len(everybody))


def network_patients(edge_mm: float, cache: Path, *, limit_bytes: int = CACHE_BYTES) -> NetworkPatients:
    """The project's sets for networks, in cubes of ``edge_mm``, kept in the folder ``cache``."""
    cohorts = []
    for name in ("network-train", "network-validation"):
        members = SETS[name]
        cohorts.append(VirtualCohort(name, members.seeds, members.variety, TRAINING_GRID))
    training, validation = (tuple(cohort.subjects) for cohort in cohorts)
    # either cohort makes the patient from the seed alone
    cases = CachedCases(cohorts[0], ToWorkingGrid(edge_mm), DiskCache(cache, limit_bytes))
    return NetworkPatients(training, validation, cases.load)


def run_command(
    name: str,
    config: Path,
    patients: Callable[[Path], NetworkPatients],
    task: Callable[[NetworkPatients, TrainConfig], Task[B]],
    arguments: list[str] | None = None,
) -> int:
    """Parses the command line and trains until the steps, the leg or a signal end it.

    Args:
        config: the shipped train.yaml. patients: from the cache's folder. task: from patients and configuration.

    Returns:
        Exit code: 0 when the leg or the run is over.
    """
    given = _parser(name).parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    cohort = patients(given.cache)
    if given.prepare_only:
        cohort.prepare()
        return 0
    settings = read_config(given.config or config)
    run = dataclasses.replace(settings.run, workers=given.workers, tensorboard=False)
    if given.leg_minutes is not None:
        run = dataclasses.replace(run, leg_minutes=given.leg_minutes)
    settings = dataclasses.replace(settings, run=run)
    with until_told_to_stop() as stop:
        trainer = Trainer(
            task(cohort, settings),
            settings,
            given.run,
            handover=given.handover,
            on_update=told_by_log,
            should_stop=stop.is_set,
        )
        result = trainer.run()
    log.info("leg_over", ended=result.ended, step=result.step, metrics=dict(result.metrics))
    return 0


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description="Trains on the project's own virtual patients; the same command again goes on.",
        epilog=f"Example: nice -n 19 python -m {name} --run runs/one --cache cache --leg-minutes 100",
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; made if missing")
    parser.add_argument("--cache", type=Path, required=True, help="folder of prepared patients; made if missing")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one")
    parser.add_argument(
        "--handover", type=Path, help="hand-over of the leg before, for a run folder without checkpoint"
    )
    parser.add_argument("--leg-minutes", type=float, help="ends this leg after so long")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches ahead (default 0)")
    parser.add_argument("--prepare-only", action="store_true", help="only fills the cache")
    return parser


def told_by_log(done: UpdateDone) -> None:
    """Logs an update, one in twenty after the first three."""
    if done.step % 20 == 0 or done.step <= 3:
        log.info("step", step=done.step, of=done.steps, **{name: round(v, 4) for name, v in done.values.items()})


@contextmanager
def until_told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the handlers before are put back."""
    told = threading.Event()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
