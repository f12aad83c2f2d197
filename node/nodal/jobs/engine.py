"""The durable engine: the only module that knows DBOS.

DBOS keeps ``jobs.sqlite`` (or PostgreSQL): which piece of work was asked for, and which of its steps are finished. A
process killed at any instant finds there, at its next start, what it was in. What the steps do stands in
``arrivals.py``, ``stage_steps.py`` and ``delivery_steps.py``; only ids, numbers and verdicts are stored here.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions

from nodal.errors import Code, Failed
from nodal.jobs.arrivals import ArrivalSteps
from nodal.jobs.book import ENDED, UNFINISHED
from nodal.jobs.context import JobContext, Verdict, next_delay_s
from nodal.jobs.delivery_steps import DELIVERING, DeliverySteps
from nodal.jobs.model import Stage
from nodal.jobs.stage_steps import StageSteps
from nodal.jobs.tables import BUSY_TIMEOUT_MS, sqlite_url
from nodal.jobs.tasks import (
    CONCURRENCY,
    LINKS,
    Link,
    Task,
    delivery_prefix,
    delivery_task,
    intake_task,
    round_prefix,
    stage_task,
)

__all__ = ["ClientDispatcher", "Engine", "EngineOptions"]

log = structlog.get_logger()

APPLICATION_VERSION = "nodal-jobs-1"
"""Changes only when the order of steps in a workflow changes: work begun under another version is not picked up."""

APPLICATION_NAME = "nodal"
EXECUTOR_ID = "node"
ALIVE = ("ENQUEUED", "PENDING", "DELAYED")
ENDINGS = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
DEAD_LETTER = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
NEXT: dict[Link, Link] = {"prepare": "compute", "compute": "finish"}

T = TypeVar("T")


@dataclass(frozen=True)
class EngineOptions:
    """How the engine behaves; the defaults are for a node, the tests make it quicker.

    Attributes:
        poll_s: how often each queue is looked at. sweep_s: how often the registry is compared with the queues.
        max_recovery_attempts: a piece of work during which the process died more often than this is not tried again.
    """

    poll_s: float = 0.25
    sweep_s: float = 15.0
    max_recovery_attempts: int = 5


class Engine:
    """Runs jobs in this process. One engine a state folder: a second one is refused."""

    def __init__(
        self, context: JobContext, database_url: str | None = None, options: EngineOptions | None = None
    ) -> None:
        self._context = context
        self._options = options or EngineOptions()
        self._url = database_url or _sqlite(context.state_dir)
        self._arrivals = ArrivalSteps(context)
        self._stages = StageSteps(context)
        self._deliveries = DeliverySteps(context)
        self._lock: int | None = None
        self._ending = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_often, name="nodal-sweep", daemon=True)

    def start(self) -> None:
        """Takes up what an earlier process left, and new work from now on.

        Raises:
            Failed: STATE_IN_USE, another process works in this state folder.
        """
        self._lock = _take_lock(self._context.state_dir)
        DBOS(config=_config(self._url))
        self._register()
        DBOS.launch()
        for queue, concurrency in CONCURRENCY.items():
            DBOS.register_queue(
                queue,
                worker_concurrency=concurrency,
                polling_interval_sec=self._options.poll_s,
                on_conflict="always_update",
            )
        self._sweeper.start()
        log.info("engine started")

    def stop(self, grace_s: int = 0) -> None:
        """Takes no new work, waits at most ``grace_s`` for what runs; the rest is taken up at the next start."""
        self._ending.set()
        if self._sweeper.is_alive():
            self._sweeper.join()
        DBOS.destroy(workflow_completion_timeout_sec=grace_s)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        log.info("engine stopped")

    def start_task(self, task: Task) -> None:
        """Starts the piece unless one with its id was started before."""
        DBOS.enqueue_workflow_with_options(_options(task), *task.arguments)

    def sweep(self) -> None:
        """Starts what the registry says is due and nothing works on, and fails what has died.

        A contour that waits for results is taken up when they are there. Covers a kill between a line in the registry
        and the start of its work, and work that killed the process so often that it is not tried again.
        """
        registry = self._context.registry
        self._arrivals.contours.take_up()  # what this enters is started below
        for intake_id in registry.intakes.waiting():
            if self._dead(intake_task(intake_id), intake_id):
                self._arrivals.give_up(intake_id)
        for job_id, round_ in registry.jobs.in_states(UNFINISHED):
            first = stage_task("prepare", job_id, round_)
            if reason := self._dead(first, round_prefix(job_id, round_)):
                stage = registry.jobs.standing(job_id).stage or Stage.SELECT
                self._stages.give_up(job_id, round_, f"{reason} in stage {stage}")
        for job_id, round_ in registry.jobs.in_states(DELIVERING):
            self._sweep_delivery(job_id, round_)
        for source in (self._context.state_dir / "jobs").glob("*/source"):
            self._sweep_images(source.parent.name)

    @property
    def works(self) -> bool:
        """Whether the engine takes up work."""
        return self._sweeper.is_alive()

    def forget(self, before: datetime, limit: int = 500) -> int:
        """Deletes what the engine remembers of work that ended before an instant; how many pieces.

        The registry keeps the jobs themselves.
        """
        found = DBOS.list_workflows(
            status=list(ENDINGS), completed_before=before.isoformat(), load_input=False, load_output=False, limit=limit
        )
        DBOS.delete_workflows([status.workflow_id for status in found])
        return len(found)

    def _sweep_delivery(self, job_id: str, round_: int) -> None:
        if _any_alive(_history(round_prefix(job_id, round_) + "finish.")):
            return
        for destination in dict.fromkeys(o.target for o in self._context.registry.deliveries.undelivered(job_id)):
            first = delivery_task(job_id, round_, destination)
            if self._dead(first, delivery_prefix(job_id, round_, destination)):
                self._deliveries.give_up(job_id, destination)
        self._deliveries.settle(job_id)

    def _sweep_images(self, job_id: str) -> None:
        jobs = self._context.registry.jobs
        if jobs.known(job_id) and jobs.standing(job_id).state in ENDED and not _any_alive(_history(job_id)):
            self._context.pipeline.tidy(self._context.workspace(job_id))

    def _dead(self, first: Task, prefix: str) -> str | None:
        """Why nothing works on a piece any more; None when something does, or is started now for the first time.

        A piece starts its successor before it ends, so that one look at all of them finds any that lives.
        """
        found = _history(first.workflow_id) | _history(prefix)
        history = {name: found[name] for name in found if name == first.workflow_id or name.startswith(prefix)}
        if not history:
            self.start_task(first)
        if not history or _any_alive(history):
            return None
        died = DEAD_LETTER in history.values()
        return "the process was killed again and again" if died else "the work ended without an outcome"

    def _sweep_often(self) -> None:
        while not self._ending.is_set():
            try:
                self.sweep()
            except Exception as error:  # noqa: BLE001 - the next sweep tries again; nothing is lost meanwhile
                log.warning("sweep failed", fault=type(error).__name__)
            self._ending.wait(self._options.sweep_s)

    # the workflows: the order of their steps may only change together with APPLICATION_VERSION

    def _register(self) -> None:
        def workflow(name: str, function: Callable[..., None]) -> None:
            DBOS.workflow(name=name, max_recovery_attempts=self._options.max_recovery_attempts)(function)

        # DBOS keeps marks on a function itself, which a bound method cannot bear
        def intake(intake_id: str, attempt: int) -> None:
            self._intake(intake_id, attempt)

        def prepare(job_id: str, round_: int, attempt: int) -> None:
            self._link("prepare", job_id, round_, attempt)

        def compute(job_id: str, round_: int, attempt: int) -> None:
            self._link("compute", job_id, round_, attempt)

        def finish(job_id: str, round_: int, attempt: int) -> None:
            self._link("finish", job_id, round_, attempt)

        def deliver(job_id: str, round_: int, destination: str, attempt: int) -> None:
            self._deliver(job_id, round_, destination, attempt)

        for function in (intake, prepare, compute, finish, deliver):
            workflow(f"nodal.{function.__name__}", function)

    def _intake(self, intake_id: str, attempt: int) -> None:
        verdict = _step("fetch", lambda: str(self._arrivals.fetch(intake_id)))
        if verdict == Verdict.AGAIN:
            delay_s = _step("delay", lambda: next_delay_s(attempt, self._context.delivery))
            if delay_s is None:
                _step("give_up", lambda: self._arrivals.give_up(intake_id))
            else:
                self.start_task(intake_task(intake_id, attempt + 1, delay_s))
        elif verdict == Verdict.ON:
            job_id = _step("admit", lambda: self._arrivals.admit(intake_id))
            if job_id is not None:
                self.start_task(stage_task("prepare", job_id, 0))

    def _link(self, link: Link, job_id: str, round_: int, attempt: int) -> None:
        verdict = Verdict.ON.value
        if link == "prepare":
            verdict = _step("source", lambda: str(self._stages.ensure_source(job_id, round_)))
        for stage in LINKS[link][2]:
            if verdict == Verdict.ON:
                verdict = _step(f"stage.{stage}", partial(self._run_stage, job_id, round_, stage))
        if verdict == Verdict.AGAIN:
            delay_s = _step("delay", lambda: next_delay_s(attempt, self._context.delivery))
            if delay_s is None:
                _step("give_up", lambda: self._stages.give_up(job_id, round_, "the source did not answer in time"))
            else:
                self.start_task(stage_task(link, job_id, round_, attempt + 1, delay_s))
        elif verdict == Verdict.ON and link in NEXT:
            self.start_task(stage_task(NEXT[link], job_id, round_))
        elif verdict == Verdict.ON:
            for destination in _step("plan", lambda: self._stages.plan(job_id, round_)):
                self.start_task(delivery_task(job_id, round_, destination))
            _step("settle", lambda: self._deliveries.settle(job_id))

    def _run_stage(self, job_id: str, round_: int, stage: Stage) -> str:
        return str(self._stages.run(job_id, round_, stage))

    def _deliver(self, job_id: str, round_: int, destination: str, attempt: int) -> None:
        delay_s = _step("attempt", lambda: self._deliveries.attempt(job_id, round_, destination, attempt))
        if delay_s is not None:
            self.start_task(delivery_task(job_id, round_, destination, attempt + 1, delay_s))


class ClientDispatcher:
    """Starts work from beside a running node: it runs nothing itself."""

    def __init__(self, state_dir: Path, database_url: str | None = None) -> None:
        if database_url is None and not (state_dir / "jobs.sqlite").exists():
            raise Failed(Code.INTERNAL, f"no node has run in {state_dir} yet; start it with nodal serve")
        self._client = DBOSClient(
            system_database_url=database_url or _sqlite(state_dir),
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION_NAME,
        )

    def start_task(self, task: Task) -> None:
        """Starts the piece unless one with its id was started before."""
        self._client.enqueue(_options(task), *task.arguments)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.destroy()


def _step(name: str, function: Callable[[], T]) -> T:
    return DBOS.run_step({"name": name}, function)


def _options(task: Task) -> EnqueueOptions:
    options: EnqueueOptions = {
        "workflow_name": task.workflow,
        "queue_name": task.queue,
        "workflow_id": task.workflow_id,
        "app_version": APPLICATION_VERSION,
        "priority": task.priority,
    }
    if task.delay_s is not None:
        options["delay_seconds"] = task.delay_s
    return options


def _history(prefix: str) -> dict[str, str]:
    """Status of every piece of work whose id begins so."""
    found = DBOS.list_workflows(workflow_id_prefix=prefix, load_input=False, load_output=False)
    return {status.workflow_id: status.status for status in found}


def _any_alive(history: Mapping[str, str]) -> bool:
    return any(status in ALIVE for status in history.values())


def _config(url: str) -> DBOSConfig:
    return {
        "name": APPLICATION_NAME,
        "system_database_url": url,
        "application_version": APPLICATION_VERSION,
        "executor_id": EXECUTOR_ID,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "ERROR",
        "enable_otlp": False,
    }


def _sqlite(state_dir: Path) -> str:
    """URL of ``jobs.sqlite``, set to WAL so that who reads never waits for who writes."""
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / "jobs.sqlite"
    with sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return sqlite_url(path)


def _take_lock(state_dir: Path) -> int:
    state_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state_dir / "engine.lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Failed(Code.STATE_IN_USE, f"another process already works in {state_dir}") from error
    return descriptor
