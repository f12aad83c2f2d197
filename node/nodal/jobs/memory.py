"""What the node remembers beyond a job: clinical records, studies it has seen, objects it made, cursors."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict

import sqlalchemy as sa
from pydantic import TypeAdapter

from nodal.clinical.record import ClinicalRecord
from nodal.jobs import tables
from nodal.jobs.tables import insert_once, now

__all__ = ["Memory"]

_RECORD: TypeAdapter[ClinicalRecord] = TypeAdapter(ClinicalRecord)
_SALT = "patient_salt"


class Memory:
    """The lasting small facts of ``registry.sqlite``. A patient's key is ``issuer~id``."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # clinical records: the hospital's own data, under the hospital's own key

    def put_clinical(self, patient_key: str, record: ClinicalRecord) -> None:
        """Stores the record, in place of an earlier one."""
        values = {"record": asdict(record), "updated": now()}
        self._put(tables.clinical_records, "patient_key", patient_key, values)

    def clinical(self, patient_key: str) -> ClinicalRecord | None:
        """The record of a patient; None when there is none."""
        query = sa.select(tables.clinical_records.c.record).where(tables.clinical_records.c.patient_key == patient_key)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else _RECORD.validate_python(found)

    # studies seen: for "is there an earlier PET/CT of this patient?"; kept under a salted hash

    def note_study(self, patient_key: str, study_instance_uid: str, study_date: str) -> None:
        """Remembers a PET/CT study. A patient without an id cannot be told from another and is not remembered."""
        if not _has_id(patient_key) or not study_date:
            return
        with self._engine.begin() as connection:
            insert_once(
                connection,
                tables.seen_studies,
                patient_hash=self._hash(patient_key),
                study_instance_uid=study_instance_uid,
                study_date=study_date,
            )

    def earlier_study(self, patient_key: str, study_date: str, study_instance_uid: str) -> str | None:
        """Date (YYYYMMDD) of the latest other PET/CT of this patient before the given one; None when none is known."""
        if not _has_id(patient_key) or not study_date:
            return None
        seen = tables.seen_studies.c
        query = sa.select(sa.func.max(seen.study_date)).where(
            seen.patient_hash == self._hash(patient_key),
            seen.study_instance_uid != study_instance_uid,
            seen.study_date < study_date,
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    # objects the node made: they must never start a job

    def note_own(self, job_id: str, objects: Iterable[tuple[str, str]]) -> None:
        """Remembers result objects as (SOP Instance UID, hex SHA-256)."""
        with self._engine.begin() as connection:
            for uid, sha256 in objects:
                insert_once(connection, tables.own_objects, sop_instance_uid=uid, sha256=sha256, job_id=job_id)

    def is_own(self, sop_instance_uid: str) -> bool:
        """Whether this node made the object."""
        query = sa.select(tables.own_objects.c.job_id).where(tables.own_objects.c.sop_instance_uid == sop_instance_uid)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar() is not None

    # cursors: how far something was read

    def cursor(self, name: str) -> str | None:
        """The value last stored under the name."""
        query = sa.select(tables.cursors.c.value).where(tables.cursors.c.name == name)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def put_cursor(self, name: str, value: str) -> None:
        """Stores how far something was read."""
        self._put(tables.cursors, "name", name, {"value": value})

    def _put(self, table: sa.Table, key: str, name: str, values: Mapping[str, object]) -> None:
        with self._engine.begin() as connection:
            changed = connection.execute(sa.update(table).where(table.c[key] == name).values(**values))
            if changed.rowcount == 0 and not insert_once(connection, table, **{key: name}, **values):
                connection.execute(sa.update(table).where(table.c[key] == name).values(**values))

    def _hash(self, patient_key: str) -> str:
        salt = self.cursor(_SALT)
        if salt is None:
            with self._engine.begin() as connection:
                insert_once(connection, tables.cursors, name=_SALT, value=secrets.token_hex(16))
            salt = self.cursor(_SALT)
        return hashlib.sha256(f"{salt}:{patient_key}".encode()).hexdigest()


def _has_id(patient_key: str) -> bool:
    return bool(patient_key.partition("~")[2])
