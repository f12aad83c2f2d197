"""The tables of ``registry.sqlite``: what the node was asked, what it did, what it must remember."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

__all__ = [
    "clinical_records",
    "clinical_statements",
    "contours",
    "cursors",
    "deliveries",
    "insert_once",
    "intakes",
    "jobs",
    "now",
    "open_database",
    "own_objects",
    "seen_studies",
    "sqlite_url",
    "stages",
]

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another: longer than any write here takes on a slow disk."""

metadata = sa.MetaData()

intakes = sa.Table(
    "intakes",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("intake_id", sa.String(40), unique=True, nullable=False),
    sa.Column("source_kind", sa.String(16), nullable=False),
    sa.Column("source_path", sa.Text),
    sa.Column("orthanc_id", sa.String(64)),
    sa.Column("study_instance_uid", sa.String(64), index=True),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("begun", sa.Boolean, nullable=False, default=False),
    sa.Column("job_id", sa.String(64)),
    sa.Column("code", sa.String(48)),
    sa.Column("message", sa.Text),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(64), unique=True, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, index=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("cause", sa.String(16), nullable=False),
    sa.Column("study_instance_uid", sa.String(64), nullable=False, index=True),
    sa.Column("patient_key", sa.Text, index=True),
    sa.Column("orthanc_id", sa.String(64)),
    sa.Column("predecessor", sa.String(64)),
    sa.Column("state", sa.String(24), nullable=False, index=True),
    sa.Column("stage", sa.String(16)),
    # counts the attempts a person asked for; work of an earlier round stops where it finds a later one
    sa.Column("round", sa.Integer, nullable=False, default=0),
    sa.Column("code", sa.String(48)),
    sa.Column("message", sa.Text),
    sa.Column("summary", sa.JSON, nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.UniqueConstraint("digest", "revision"),
)

stages = sa.Table(
    "stages",
    metadata,
    sa.Column("job_id", sa.String(64), primary_key=True),
    sa.Column("stage", sa.String(16), primary_key=True),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("files", sa.JSON, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(64), nullable=False, index=True),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("sop_instance_uid", sa.String(64), nullable=False),
    sa.Column("sop_class_uid", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("state", sa.String(24), nullable=False),
    sa.Column("given_up", sa.Boolean, nullable=False, default=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("code", sa.String(48)),
    sa.Column("message", sa.Text),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.UniqueConstraint("job_id", "destination", "sop_instance_uid"),
)

own_objects = sa.Table(
    "own_objects",
    metadata,
    sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("job_id", sa.String(64), nullable=False),
)

contours = sa.Table(
    "contours",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.String(64), unique=True, nullable=False),
    sa.Column("sop_instance_uid", sa.String(64), nullable=False),
    sa.Column("study_instance_uid", sa.String(64), nullable=False, index=True),
    sa.Column("instant", sa.String(32)),
    sa.Column("caller", sa.Text),
    # waiting, taken, passed_over or refused
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("own", sa.Boolean, nullable=False, default=False),
    sa.Column("job_id", sa.String(64)),
    sa.Column("updated", sa.String(40), nullable=False),
)

seen_studies = sa.Table(
    "seen_studies",
    metadata,
    sa.Column("patient_hash", sa.String(64), primary_key=True),
    sa.Column("study_instance_uid", sa.String(64), primary_key=True),
    sa.Column("study_date", sa.String(8), nullable=False),
)

# whole records, as they were stored before there were statements; taken over when the patient's next one comes
clinical_records = sa.Table(
    "clinical_records",
    metadata,
    sa.Column("patient_key", sa.Text, primary_key=True),
    sa.Column("record", sa.JSON, nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
)

clinical_statements = sa.Table(
    "clinical_statements",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("patient_key", sa.Text, nullable=False, index=True),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("usable", sa.Boolean, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def now() -> str:
    """This instant, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def sqlite_url(path: Path) -> str:
    """SQLAlchemy's URL of an SQLite file."""
    return f"sqlite:///{path.resolve()}"


def open_database(url: str) -> sa.Engine:
    """The database with its tables; several threads and processes may hold it at once.

    SQLite runs in WAL mode, so that a page that reads never waits for a job that writes.
    """
    # an error shall not quote the values of a row: a patient's key may be among them
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"), hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    metadata.create_all(engine)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")


def insert_once(connection: sa.Connection, table: sa.Table, **values: Any) -> bool:
    """Inserts a row unless its key is taken; says whether it did."""
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(table).values(**values))
    except IntegrityError:
        return False
    return True
