"""The pieces of durable work and their names. An id says all: asking twice for the same piece starts it once.

    intake    <intake_id>                                fetch, select, digest
    prepare   <job_id>                                   select, load
    compute   <job_id>.<round>.compute.<attempt>         segment, anatomy, prognosis: alone on the GPU
    finish    <job_id>.<round>.finish.<attempt>          encode, and what goes where
    deliver   <job_id>.<round>.deliver.<destination>.<attempt>

Each piece starts the next and ends: none waits for another, so none holds a place through the hours of a delivery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from nodal.jobs.model import Stage

__all__ = [
    "CONCURRENCY",
    "LINKS",
    "Dispatcher",
    "Link",
    "Queue",
    "Task",
    "delivery_prefix",
    "delivery_task",
    "intake_task",
    "round_prefix",
    "stage_task",
]

Queue = Literal["nodal-intake", "nodal-jobs", "nodal-gpu", "nodal-delivery"]
Link = Literal["prepare", "compute", "finish"]

CONCURRENCY: dict[Queue, int] = {"nodal-intake": 1, "nodal-jobs": 2, "nodal-gpu": 1, "nodal-delivery": 4}
"""Pieces at a time in one process. Intakes run one by one, so that of two snapshots of a study the later one wins."""

LINKS: dict[Link, tuple[Queue, int, tuple[Stage, ...]]] = {
    "prepare": ("nodal-jobs", 2, (Stage.SELECT, Stage.LOAD)),
    "compute": ("nodal-gpu", 1, (Stage.SEGMENT, Stage.ANATOMY, Stage.PROGNOSIS)),
    "finish": ("nodal-jobs", 1, (Stage.ENCODE,)),
}
"""Queue, priority (1 goes first: a job nearly done before one to begin) and stages of each link."""


@dataclass(frozen=True)
class Task:
    """A piece of durable work. ``arguments`` are ids and numbers, never data."""

    workflow: str
    workflow_id: str
    queue: Queue
    arguments: tuple[str | int, ...]
    delay_s: float | None = None
    priority: int = 1


class Dispatcher(Protocol):
    """Whoever can start pieces of durable work: the engine, or a client beside it."""

    def start_task(self, task: Task) -> None:
        """Starts the piece unless one with its id was started before."""


def intake_task(intake_id: str, attempt: int = 0, delay_s: float | None = None) -> Task:
    """To look at an announced study."""
    name = intake_id if attempt == 0 else f"{intake_id}.{attempt}"
    return Task("nodal.intake", name, "nodal-intake", (intake_id, attempt), delay_s)


def round_prefix(job_id: str, round_: int) -> str:
    """What the ids of a job's pieces of one round begin with, but for the very first piece."""
    return f"{job_id}.{round_}."


def stage_task(link: Link, job_id: str, round_: int, attempt: int = 0, delay_s: float | None = None) -> Task:
    """To run the stages of a link."""
    queue, priority, _ = LINKS[link]
    first = link == "prepare" and round_ == 0 and attempt == 0
    name = job_id if first else f"{round_prefix(job_id, round_)}{link}.{attempt}"
    return Task(f"nodal.{link}", name, queue, (job_id, round_, attempt), delay_s, priority)


def delivery_prefix(job_id: str, round_: int, destination: str) -> str:
    """What the ids of a job's deliveries to one destination begin with."""
    return f"{round_prefix(job_id, round_)}deliver.{destination}."


def delivery_task(job_id: str, round_: int, destination: str, attempt: int = 0, delay_s: float | None = None) -> Task:
    """To try a destination once."""
    name = f"{delivery_prefix(job_id, round_, destination)}{attempt}"
    return Task("nodal.deliver", name, "nodal-delivery", (job_id, round_, destination, attempt), delay_s)
