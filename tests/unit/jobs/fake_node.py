"""A node without images as a process of its own, to be killed: ``python -m tests.unit.jobs.fake_node FOLDER [N]``.

Every study in ``FOLDER/studies`` is submitted once it has a file ``ready``; N is the number of recovery attempts.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import structlog
from nodal.jobs.engine import Engine, EngineOptions
from nodal.jobs.model import StudySource
from nodal.jobs.service import NodeService
from nodal.settings import Settings

from tests.unit.jobs.fake import fake_context


def main(folder: Path, recovery_attempts: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
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


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
