"""The deliveries in ``registry.sqlite``: every result object at every destination, with what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from nodal.delivery.outcome import Outcome
from nodal.jobs import tables
from nodal.jobs.model import DeliveryView
from nodal.jobs.results import StoredObject
from nodal.jobs.tables import insert_once, now

__all__ = ["DeliveryBook", "Tally"]

OPEN = ("pending", "retry")


@dataclass(frozen=True)
class Tally:
    """How far a job's deliveries are: still tried, given up, and all."""

    open: int
    given_up: int
    total: int


class DeliveryBook:
    """All deliveries. A stored object's ``target`` is the name of its destination."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def plan(self, job_id: str, objects: Iterable[StoredObject]) -> None:
        """Enters objects as pending; those that are known stay as they are."""
        with self._engine.begin() as connection:
            for entry in objects:
                insert_once(
                    connection,
                    tables.deliveries,
                    job_id=job_id,
                    destination=entry.target,
                    sop_instance_uid=entry.sop_instance_uid,
                    sop_class_uid=entry.sop_class_uid,
                    kind=entry.kind,
                    sha256=entry.sha256,
                    state="pending",
                    updated=now(),
                )

    def undelivered(self, job_id: str, destination: str | None = None) -> list[StoredObject]:
        """What is still to be tried, in the order planned; of one destination or of all."""
        rows = tables.deliveries.c
        query = sa.select(tables.deliveries).where(rows.job_id == job_id, rows.state.in_(OPEN), ~rows.given_up)
        if destination is not None:
            query = query.where(rows.destination == destination)
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(rows.sequence)).mappings().all()
        return [
            StoredObject(row["destination"], row["kind"], row["sop_class_uid"], row["sop_instance_uid"], row["sha256"])
            for row in found
        ]

    def note(self, job_id: str, entry: StoredObject, outcome: Outcome) -> None:
        """Keeps the answer of a destination; an object sent in place of another is entered with it."""
        self.plan(job_id, [entry])
        rows = tables.deliveries
        query = (
            sa.update(rows)
            .where(rows.c.job_id == job_id, rows.c.destination == entry.target)
            .where(rows.c.sop_instance_uid == entry.sop_instance_uid)
            .values(
                state=outcome.state,
                attempts=rows.c.attempts + 1,
                code=outcome.code,
                message=outcome.message,
                updated=now(),
            )
        )
        with self._engine.begin() as connection:
            connection.execute(query)

    def give_up(self, job_id: str, destination: str) -> None:
        """Stops trying what has not arrived at a destination."""
        self._mark(job_id, True, tables.deliveries.c.destination == destination, tables.deliveries.c.state.in_(OPEN))

    def take_up(self, job_id: str) -> None:
        """Tries again what was given up or refused; what has arrived is left alone."""
        rows = tables.deliveries
        with self._engine.begin() as connection:
            refused = (rows.c.job_id == job_id, rows.c.state == "refused_permanent")
            connection.execute(sa.update(rows).where(*refused).values(state="retry", updated=now()))
        self._mark(job_id, False)

    def tally(self, job_id: str) -> Tally:
        """How far a job's deliveries are."""
        rows = tables.deliveries.c
        query = sa.select(rows.state, rows.given_up).where(rows.job_id == job_id)
        with self._engine.connect() as connection:
            found = connection.execute(query).all()
        unsent = [given_up for state, given_up in found if state in OPEN]
        return Tally(sum(not given_up for given_up in unsent), sum(unsent), len(found))

    def refused(self, job_id: str) -> bool:
        """Whether a destination has refused any object for good."""
        rows = tables.deliveries.c
        query = sa.select(rows.sequence).where(rows.job_id == job_id, rows.state == "refused_permanent")
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).scalar() is not None

    def views(self, job_ids: Sequence[str]) -> dict[str, tuple[DeliveryView, ...]]:
        """The deliveries of some jobs, in the order planned."""
        rows = tables.deliveries.c
        query = sa.select(tables.deliveries).where(rows.job_id.in_(job_ids)).order_by(rows.sequence)
        found: dict[str, tuple[DeliveryView, ...]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query).mappings():
                view = DeliveryView(
                    destination=row["destination"],
                    kind=row["kind"],
                    sop_instance_uid=row["sop_instance_uid"],
                    state=row["state"],
                    attempts=row["attempts"],
                    code=row["code"],
                    message=row["message"],
                    updated=row["updated"],
                )
                found[row["job_id"]] = (*found.get(row["job_id"], ()), view)
        return found

    def _mark(self, job_id: str, given_up: bool, *where: sa.ColumnElement[bool]) -> None:
        rows = tables.deliveries
        query = sa.update(rows).where(rows.c.job_id == job_id, *where).values(given_up=given_up)
        with self._engine.begin() as connection:
            connection.execute(query)
