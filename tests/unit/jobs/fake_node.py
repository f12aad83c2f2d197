"""A node without images as a process of its own, to be killed.

Every study in ``FOLDER/studies`` is submitted once it has a file ``ready``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path

from nodal.jobs.engine import Engine, EngineOptions
from nodal.jobs.model import StudySource
from nodal.jobs.service import NodeService
from nodal.settings import Settings

from tests.unit.jobs.fake import fake_context


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
