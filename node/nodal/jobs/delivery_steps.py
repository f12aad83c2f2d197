"""The steps of delivery: one short attempt each, the next one hours later if need be."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from nodal.delivery.outcome import Outcome
from nodal.errors import Code, NodalError
from nodal.jobs.context import JobContext, log_fault, next_delay_s
from nodal.jobs.model import JobState
from nodal.jobs.results import OWN_ORTHANC, StoredObject

__all__ = ["DELIVERING", "DeliverySteps"]

log = structlog.get_logger()

DELIVERING: tuple[JobState, ...] = ("delivering",)


class DeliverySteps:
    """Each method is one durable step. What a destination has taken is noted object by object, never sent again."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._jobs = context.registry.jobs
        self._deliveries = context.registry.deliveries

    def attempt(self, job_id: str, round_: int, destination: str, attempt: int) -> float | None:
        """Tries once to deliver what is left.

        Returns:
            Seconds until the next attempt; None when there shall be none.
        """
        standing = self._jobs.standing(job_id)
        if standing.round != round_ or not _may_send(standing.state, destination):
            return None
        objects = self._deliveries.undelivered(job_id, destination)
        if objects:
            self._send(job_id, destination, objects)
        delay = None
        if left := self._deliveries.undelivered(job_id, destination):
            delay = next_delay_s(attempt, self._context.delivery)
            if delay is None:
                self.give_up(job_id, destination)
        self._context.trail.record(
            "delivery_attempted",
            outcome="failed" if left else "ok",
            job_id=job_id,
            destination=destination,
            attempt=attempt + 1,
            tried=len(objects),
            left=len(left),
        )
        self.settle(job_id)
        return delay

    def give_up(self, job_id: str, destination: str) -> None:
        """Stops trying a destination; the job is parked when nothing else is under way."""
        self._deliveries.give_up(job_id, destination)
        log.warning("delivery given up", job_id=job_id, destination=destination)

    def settle(self, job_id: str) -> None:
        """Ends a delivering job when nothing is left to try: done, or parked if something never arrived."""
        tally = self._deliveries.tally(job_id)
        if tally.open:
            return
        if tally.given_up:
            sentence = f"{tally.given_up} of {tally.total} deliveries never arrived; retry sends them again"
            if self._jobs.move(job_id, "parked", out_of=DELIVERING, code=Code.UNREACHABLE, message=sentence):
                self._context.trail.record("job_parked", outcome="failed", job_id=job_id, sentence=sentence)
        elif self._jobs.move(job_id, "done", out_of=DELIVERING):
            self._context.pipeline.tidy(self._context.workspace(job_id))
            self._context.trail.record("job_done", job_id=job_id, deliveries=tally.total)
            log.info("job done", job_id=job_id)

    def _send(self, job_id: str, destination: str, objects: Sequence[StoredObject]) -> None:
        workspace, waiting = self._context.workspace(job_id), {entry.sop_instance_uid: entry for entry in objects}
        fault: tuple[Code, str] | None = None
        try:
            for entry, outcome in self._context.pipeline.deliver(workspace, destination, objects):
                waiting.pop(entry.sop_instance_uid, None)
                self._deliveries.note(job_id, entry, outcome)
                self._context.registry.memory.note_own(job_id, [(entry.sop_instance_uid, entry.sha256)])
        except NodalError as error:
            fault = error.code, error.message
        except Exception as error:  # noqa: BLE001 - the attempt is failed and recorded
            fault = Code.INTERNAL, log_fault("delivery", error, job_id=job_id, destination=destination)
        for entry in waiting.values():
            code, message = fault or (Code.INTERNAL, "the destination was given it and no answer came back")
            self._deliveries.note(job_id, entry, Outcome(entry.sop_instance_uid, "retry", code, message))


def _may_send(state: JobState, destination: str) -> bool:
    return state == "delivering" or (state == "awaiting_review" and destination == OWN_ORTHANC)
