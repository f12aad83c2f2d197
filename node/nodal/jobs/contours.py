"""Contours by other hands that came to the node: each is looked at once, and what became of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from nodal.jobs import tables
from nodal.jobs.tables import insert_once, now

__all__ = ["ContourBook", "ContourState", "ContourView"]

ContourState = Literal["waiting", "taken", "passed_over", "refused"]


@dataclass(frozen=True)
class ContourView:
    """A contour and what became of it.

    Attributes:
        digest: canonical digest of the object, by which it is known again.
        instant: DICOM DT of its content. caller: calling AE title; each None where not known.
        state: "waiting" for results to correct, "taken" by the job ``job_id``, "passed_over" or "refused".
        reason: why it counts as a correction, or was passed over or refused.
        own: it refers to this node's own results.
    """

    digest: str
    sop_instance_uid: str
    study_instance_uid: str
    instant: str | None
    caller: str | None
    state: ContourState
    reason: str | None
    own: bool
    job_id: str | None = None


class ContourBook:
    """All contours, by their digest."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find(self, digest: str) -> ContourView | None:
        """What became of a contour; None of one never seen."""
        with self._engine.connect() as connection:
            query = sa.select(tables.contours).where(tables.contours.c.digest == digest)
            row = connection.execute(query).mappings().first()
        return None if row is None else _view(row)

    def put(self, view: ContourView) -> bool:
        """Enters a contour, or one that was passed over anew; whether that changed anything."""
        rows = tables.contours
        values = {name: getattr(view, name) for name in view.__dataclass_fields__} | {"updated": now()}
        again = (rows.c.digest == view.digest, rows.c.state == "passed_over", rows.c.state != view.state)
        with self._engine.begin() as connection:
            if insert_once(connection, rows, **values):
                return True
            return bool(connection.execute(sa.update(rows).where(*again).values(**values)).rowcount)

    def waiting(self, study_instance_uid: str | None = None) -> list[ContourView]:
        """Those that wait, of one study or of all: the latest made last."""
        rows = tables.contours.c
        query = sa.select(tables.contours).where(rows.state == "waiting")
        if study_instance_uid is not None:
            query = query.where(rows.study_instance_uid == study_instance_uid)
        with self._engine.connect() as connection:
            found = [_view(row) for row in connection.execute(query.order_by(rows.sequence)).mappings()]
        return sorted(found, key=lambda one: one.instant or "")

    def settle(self, digest: str, state: ContourState, reason: str | None = None, job_id: str | None = None) -> bool:
        """Says what became of one that waits; whether it waited still."""
        rows = tables.contours
        values = {"state": state, "job_id": job_id, "updated": now()} | ({"reason": reason} if reason else {})
        with self._engine.begin() as connection:
            query = sa.update(rows).where(rows.c.digest == digest, rows.c.state == "waiting").values(**values)
            return bool(connection.execute(query).rowcount)

    def await_again(self, digest: str) -> bool:
        """Lets a contour that was taken wait for the results of a study that has changed; whether it did."""
        rows = tables.contours
        with self._engine.begin() as connection:
            query = sa.update(rows).where(rows.c.digest == digest, rows.c.state == "taken")
            return bool(connection.execute(query.values(state="waiting", job_id=None, updated=now())).rowcount)


def _view(row: sa.RowMapping) -> ContourView:
    return ContourView(
        row["digest"],
        row["sop_instance_uid"],
        row["study_instance_uid"],
        row["instant"],
        row["caller"],
        row["state"],
        row["reason"],
        row["own"],
        row["job_id"],
    )
