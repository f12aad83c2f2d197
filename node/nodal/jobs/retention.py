"""What the node deletes by itself, and when: the spool after ``spool_days``, maps and results after ``results_days``.

The registry and the audit trail are kept.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from nodal.audit import Trail
from nodal.intake.spool import Spool
from nodal.jobs.book import ENDED
from nodal.jobs.model import JobState
from nodal.jobs.registry import Registry
from nodal.jobs.results import objects_from_json
from nodal.jobs.workspace import Workspace
from nodal.settings import RetentionSettings

__all__ = ["Retention"]

log = structlog.get_logger()

EVERY_S = 3600.0
YOUNG_S = 86_400.0
"""What is younger than a day may belong to work under way and is left alone."""

EXPIRING: tuple[JobState, ...] = (*ENDED, "failed", "parked")


class Retention:
    """Looks once an hour, in a thread of its own.

    Args:
        forget_work: deletes what the engine remembers of work that ended before an instant.
    """

    def __init__(
        self,
        state_dir: Path,
        rules: RetentionSettings,
        registry: Registry,
        trail: Trail,
        *,
        spool: Spool | None = None,
        forget_work: Callable[[datetime], int] = lambda before: 0,
    ) -> None:
        self._state_dir = state_dir
        self._rules = rules
        self._registry = registry
        self._trail = trail
        self._spool = spool
        self._forget_work = forget_work
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begins with a look at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def once(self, instant: datetime) -> None:
        """Deletes what is too old at an instant."""
        if self._spool is not None:
            self._clear_spool(self._spool, instant)
        limit = instant - timedelta(days=self._rules.results_days)
        expired = [
            job_id
            for job_id, _ in self._registry.jobs.in_states(EXPIRING, limit.isoformat(timespec="milliseconds"))
            if self._folder(job_id).is_dir()
        ]
        for job_id in expired:
            shutil.rmtree(self._folder(job_id))
            self._trail.record("results_expired", job_id=job_id)
        if expired:
            self._clear_results(instant)
        self._clear_leftovers(instant)
        self._clear_contours(instant)
        self._forget_work(limit)

    def _clear_spool(self, spool: Spool, instant: datetime) -> None:
        limit_s = (instant - timedelta(days=self._rules.spool_days)).timestamp()
        for study in spool.studies():
            uid = study.study_instance_uid
            if study.last_arrival >= limit_s or self._needed(uid):
                continue
            spool.forget(uid)
            self._trail.record("spool_cleared", study_instance_uid=uid, instances=study.instances)
        spool.clear_quarantine(self._rules.spool_days * YOUNG_S)

    def _needed(self, study_instance_uid: str) -> bool:
        """Whether a job of the study, or an intake, is not at its end yet."""
        intakes = self._registry.intakes.views(study_instance_uid)
        jobs = self._registry.jobs.views(study_instance_uid)
        waiting = any(intake.state == "waiting" for intake in intakes)
        return waiting or not (intakes or jobs) or any(job.state not in ENDED for job in jobs)

    def _clear_results(self, instant: datetime) -> None:
        """Objects that no kept job names."""
        named: set[str] = set()
        for listed in (self._state_dir / "jobs").glob("*/objects.json"):
            objects = objects_from_json(Workspace(listed.parent).read_json("objects.json"))
            named.update(entry.sha256 for entry in objects)
        for path in (self._state_dir / "results").glob("*"):
            if path.name not in named and _older(path, instant, YOUNG_S):
                path.unlink()

    def _clear_leftovers(self, instant: datetime) -> None:
        """Folders of a re-run or an intake that was killed before it was entered."""
        waiting = set(self._registry.intakes.waiting())
        for folder in (*(self._state_dir / "jobs").glob(".*"), *(self._state_dir / "intake").glob("*")):
            if folder.name not in waiting and _older(folder, instant, YOUNG_S):
                shutil.rmtree(folder, ignore_errors=True)

    def _clear_contours(self, instant: datetime) -> None:
        """Contours for which no results have come."""
        for path in (self._state_dir / "contours").glob("*.dcm"):
            if _older(path, instant, self._rules.results_days * YOUNG_S):
                self._registry.contours.settle(path.stem, "passed_over", "no results came that it could correct")
                path.unlink()

    def _folder(self, job_id: str) -> Path:
        return self._state_dir / "jobs" / job_id

    def _run(self) -> None:
        while not self._ending.is_set():
            begun = time.monotonic()
            try:
                self.once(datetime.now(UTC))
            except Exception as error:  # noqa: BLE001 - it is tried again in an hour; nothing depends on it
                log.error("retention failed", fault=type(error).__name__)
            log.debug("retention looked", seconds=round(time.monotonic() - begun, 1))
            self._ending.wait(EVERY_S)


def _older(path: Path, instant: datetime, age_s: float) -> bool:
    return path.stat().st_mtime < instant.timestamp() - age_s
