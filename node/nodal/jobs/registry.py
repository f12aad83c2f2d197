"""``registry.sqlite``: what the node was asked, how every job stands, what went where. The durable engine keeps its
own database of steps; this one is what people, pages and the command line read, and what decides.

    Registry
    ├── intakes      studies announced or received        here
    ├── jobs         JobBook                              book.py
    ├── deliveries   DeliveryBook                         parcels.py
    ├── contours     ContourBook                          contours.py
    └── memory       Memory                               memory.py
"""

from __future__ import annotations

import uuid
from pathlib import Path

import sqlalchemy as sa

from nodal.errors import Code, Failed
from nodal.jobs import tables
from nodal.jobs.book import JobBook
from nodal.jobs.contours import ContourBook
from nodal.jobs.memory import Memory
from nodal.jobs.model import IntakeView, StudySource
from nodal.jobs.parcels import DeliveryBook
from nodal.jobs.tables import now

__all__ = ["IntakeBook", "Registry"]


class IntakeBook:
    """All intakes. Unknown ids raise ``Failed(JOB_UNKNOWN)``."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, source: StudySource, reason: str, study_instance_uid: str | None = None) -> tuple[IntakeView, bool]:
        """Enters an announcement, and whether it is new.

        An announcement of a source that already waits, not yet looked at, says nothing new: that one is returned. One
        that has been looked at may have missed a late instance: a new one is made.
        """
        rows, instant = tables.intakes.c, now()
        path = None if source.path is None else str(source.path)
        same = sa.select(tables.intakes).where(
            rows.source_kind == source.kind,
            rows.source_path.is_(path) if path is None else rows.source_path == path,
            rows.orthanc_id.is_(None) if source.orthanc_id is None else rows.orthanc_id == source.orthanc_id,
            rows.state == "waiting",
            ~rows.begun,
        )
        values = {
            "intake_id": uuid.uuid4().hex,
            "source_kind": source.kind,
            "source_path": path,
            "orthanc_id": source.orthanc_id,
            "study_instance_uid": study_instance_uid,
            "reason": reason,
            "state": "waiting",
            "begun": False,
            "created": instant,
            "updated": instant,
        }
        with self._engine.begin() as connection:
            waiting = connection.execute(same.limit(1)).mappings().first()
            if waiting is not None:
                return _view(waiting), False
            connection.execute(sa.insert(tables.intakes).values(**values))
        return self.view(str(values["intake_id"])), True

    def view(self, intake_id: str) -> IntakeView:
        """How one intake stands."""
        with self._engine.connect() as connection:
            query = sa.select(tables.intakes).where(tables.intakes.c.intake_id == intake_id)
            row = connection.execute(query).mappings().first()
        if row is None:
            raise Failed(Code.JOB_UNKNOWN, f"there is no intake {intake_id[:80]}")
        return _view(row)

    def views(self, study_instance_uid: str | None = None, limit: int = 1000) -> list[IntakeView]:
        """All intakes, or those of one study; newest first."""
        query = sa.select(tables.intakes).order_by(tables.intakes.c.sequence.desc()).limit(limit)
        if study_instance_uid is not None:
            query = query.where(tables.intakes.c.study_instance_uid == study_instance_uid)
        with self._engine.connect() as connection:
            return [_view(row) for row in connection.execute(query).mappings()]

    def waiting(self) -> list[str]:
        """intake_ids that have no outcome yet, oldest first."""
        rows = tables.intakes.c
        with self._engine.connect() as connection:
            query = sa.select(rows.intake_id).where(rows.state == "waiting").order_by(rows.sequence)
            return list(connection.execute(query).scalars())

    def begin(self, intake_id: str) -> None:
        """Notes that the source is being looked at: what is announced from now on is news."""
        self._change(intake_id, begun=True)

    def intend(self, intake_id: str, job_id: str) -> None:
        """Notes the job that is about to be entered; nobody is told before it is."""
        self._change(intake_id, tables.intakes.c.state == "waiting", job_id=job_id)

    def intended(self, intake_id: str) -> str | None:
        """The job noted by :meth:`intend`."""
        with self._engine.connect() as connection:
            query = sa.select(tables.intakes.c.job_id).where(tables.intakes.c.intake_id == intake_id)
            return connection.execute(query).scalar()

    def select(self, intake_id: str, job_id: str, study_instance_uid: str) -> None:
        """Notes the job that the study belongs to."""
        self._change(
            intake_id, state="selected", job_id=job_id, study_instance_uid=study_instance_uid, code=None, message=None
        )

    def refuse(self, intake_id: str, code: Code, message: str, study_instance_uid: str | None = None) -> None:
        """Notes why the study makes no job."""
        known = {} if study_instance_uid is None else {"study_instance_uid": study_instance_uid}
        waiting = tables.intakes.c.state == "waiting"
        self._change(intake_id, waiting, state="refused", code=code, message=message, **known)

    def delay(self, intake_id: str, code: Code, message: str) -> None:
        """Notes why the study could not be looked at yet."""
        self._change(intake_id, tables.intakes.c.state == "waiting", code=code, message=message)

    def _change(self, intake_id: str, *where: sa.ColumnElement[bool], **values: object) -> None:
        rows = tables.intakes
        with self._engine.begin() as connection:
            query = sa.update(rows).where(rows.c.intake_id == intake_id, *where).values(updated=now(), **values)
            connection.execute(query)


class Registry:
    """The node's own database."""

    def __init__(self, url: str) -> None:
        self._engine = tables.open_database(url)
        self.intakes = IntakeBook(self._engine)
        self.deliveries = DeliveryBook(self._engine)
        self.jobs = JobBook(self._engine, self.deliveries)
        self.contours = ContourBook(self._engine)
        self.memory = Memory(self._engine)

    @classmethod
    def in_folder(cls, state_dir: Path, database_url: str | None = None) -> Registry:
        """``registry.sqlite`` of a state folder, or the database shared by several machines."""
        state_dir.mkdir(parents=True, exist_ok=True)
        return cls(database_url or tables.sqlite_url(state_dir / "registry.sqlite"))

    def close(self) -> None:
        """Gives the connections back."""
        self._engine.dispose()


def _view(row: sa.RowMapping) -> IntakeView:
    return IntakeView(
        intake_id=row["intake_id"],
        study_instance_uid=row["study_instance_uid"],
        source=StudySource(
            row["source_kind"], None if row["source_path"] is None else Path(row["source_path"]), row["orthanc_id"]
        ),
        state=row["state"],
        created=row["created"],
        updated=row["updated"],
        job_id=row["job_id"] if row["state"] == "selected" else None,
        code=row["code"],
        message=row["message"],
    )
