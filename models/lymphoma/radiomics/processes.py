"""Work shared out over processes that end with the one that started them, be it killed.

Processes and not threads: the library holds Python's lock while it counts.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

import structlog
from threadpoolctl import threadpool_limits

__all__ = ["cores", "run_all"]

log = structlog.get_logger()

R = TypeVar("R")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run_all(jobs: Sequence[Callable[[], R]], workers: int) -> list[R]:
    """The outcomes in order; with one worker, or one job, in this process.

    Where the system ends a process, mostly for want of memory, all is done once more here, one job after the other.

    Args:
        jobs: that can be pickled, the longest first. An error of one ends the others and is raised.
    """
    count = min(workers, len(jobs))
    if count <= 1:
        return [job() for job in jobs]
    try:
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin) as pool:
            return list(pool.map(_call, jobs))
    except BrokenProcessPool:
        log.warning("radiomics_process_ended", jobs=len(jobs), processes=count)
        return [job() for job in jobs]


def _call(job: Callable[[], R]) -> R:
    return job()


def _begin() -> None:
    """One thread, as the other cores have a process each; and an end with the process that asked for this one."""
    threadpool_limits(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent,), name="leave with the parent", daemon=True).start()


def _outlive(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
