"""A node without images as a process of its own, to be killed.

Every study in ``FOLDER/studies`` is submitted once it has a file ``ready``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from nodal.jobs.engine import Engine, EngineOptions
from nodal.jobs.model import JobView, StudySource
from nodal.jobs.registry import Registry
from nodal.jobs.service import NodeService
from nodal.settings import Settings

from tests.unit.jobs.fake import FakePipeline, fake_context, fake_study

LIMIT_S = 300.0
"""Generous: a machine that runs other tests beside takes seconds for each start."""


class FakeNode:
    """A node process that is started again whenever it dies."""

    def __init__(self, folder: Path, recovery_attempts: int = 5) -> None:
        self.folder = folder
        self.pipeline = FakePipeline(folder / "control")
        self.registry = Registry.in_folder(folder / "state")
        self.deaths = 0
        self._recovery_attempts = recovery_attempts
        self._process: BaseProcess | None = None

    def submit(self, name: str, study: str) -> None:
        """Hands a study over; the file ``ready`` comes last and whole."""
        fake_study(self.folder / "studies" / name / "study", study)
        (self.folder / "studies" / name / "ready").touch()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    def keep_alive(self) -> None:
        """Starts the process if it is dead."""
        if self.alive:
            return
        self.deaths += self._process is not None
        self._process = start(self.folder, self._recovery_attempts)

    def until(self, ended: Callable[[], bool]) -> None:
        """Keeps the node alive until something is so."""
        deadline = time.monotonic() + LIMIT_S
        while not ended():
            if time.monotonic() > deadline:
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            self.keep_alive()
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9, from outside."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def jobs(self) -> list[JobView]:
        """All jobs, newest first."""
        return self.registry.jobs.views()

    def __enter__(self) -> FakeNode:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def start(folder: Path, recovery_attempts: int) -> multiprocessing.process.BaseProcess:
    """Starts the node in a process forked off one that has everything imported."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    process = forks.Process(target=run, args=(folder, recovery_attempts))
    process.start()
    return process


def run(folder: Path, recovery_attempts: int) -> None:
    """The node, until it is killed."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    context = fake_context(folder)
    options = EngineOptions(poll_s=0.05, sweep_s=0.3, max_recovery_attempts=recovery_attempts)
    engine = Engine(context, options=options)
    engine.start()
    service = NodeService(Settings(state_dir=context.state_dir), context.registry, context.trail, engine)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    while not ending.wait(0.05):
        for ready in sorted((folder / "studies").glob("*/ready")):
            service.submit(StudySource("folder", ready.parent / "study"), "test")
            ready.unlink()
    engine.stop()
