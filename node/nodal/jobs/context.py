"""What every step of a job shares, and the small decisions they have in common."""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from nodal.audit import Trail
from nodal.jobs.pipeline import Pipeline
from nodal.jobs.registry import Registry
from nodal.jobs.workspace import Workspace
from nodal.settings import DeliverySettings

__all__ = ["JobContext", "Verdict", "link_tree", "log_fault", "next_delay_s"]

log = structlog.get_logger()


class Verdict(StrEnum):
    """How the durable work goes on after a step: to the next one, not at all, or once more later."""

    ON = "on"
    STOP = "stop"
    AGAIN = "again"


@dataclass(frozen=True)
class JobContext:
    """The node as its jobs see it.

    Attributes:
        release: "after_review" holds results back from every destination but the node's own Orthanc.
        accept_from: AE titles whose contours count as corrections.
    """

    state_dir: Path
    registry: Registry
    pipeline: Pipeline
    trail: Trail
    delivery: DeliverySettings
    accept_from: tuple[str, ...] = ()

    def intake_workspace(self, intake_id: str) -> Workspace:
        """Where a study lies until its digest is known."""
        return Workspace(self.state_dir / "intake" / intake_id)

    def workspace(self, job_id: str) -> Workspace:
        """A job's folder."""
        return Workspace(self.state_dir / "jobs" / job_id)

    def contour(self, digest: str) -> Path:
        """Where a contour lies that waits for results to correct."""
        return self.state_dir / "contours" / f"{digest}.dcm"


def next_delay_s(attempt: int, rules: DeliverySettings) -> float | None:
    """Seconds to wait after the given attempt (from 0) before the next.

    Doubles from ``retry_first_s`` up to ``retry_max_s``. None when the waits so far have used up ``give_up_after_h``:
    time the node itself was down does not count.
    """
    waited, delay = 0.0, min(rules.retry_first_s, rules.retry_max_s)
    for _ in range(attempt):
        waited, delay = waited + delay, min(2 * delay, rules.retry_max_s)
    return None if waited + delay > rules.give_up_after_h * 3600 else delay


def link_tree(source: Path, target: Path, wanted: Callable[[Path], bool] = lambda path: True) -> int:
    """Hard links of every wanted file below ``source``, copies where the file system has no links; how many.

    Names that begin with a dot are unfinished files and passed over.
    """
    count = 0
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if any(part.startswith(".") for part in relative.parts) or not path.is_file() or not wanted(path):
            continue
        place = target / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:
            shutil.copy2(path, place)
        count += 1
    return count


def log_fault(where: str, error: Exception, **names: str) -> str:
    """Logs an unexpected fault by type and place, never by its text, which may quote a header; the sentence for it."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    log.error("unexpected fault", where=where, fault=type(error).__name__, at=places, **names)
    return f"an unexpected fault ({type(error).__name__}) in {where}"
