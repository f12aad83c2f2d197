"""What the node remembers beyond a job: clinical statements, studies it has seen, objects it made, cursors."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace

import sqlalchemy as sa

from nodal.clinical.record import Source, Statement, Unusable
from nodal.clinical.statements import PatientStatements
from nodal.clinical.stored import from_plain
from nodal.jobs import tables
from nodal.jobs.tables import insert_once, now

__all__ = ["Memory"]

_SALT = "patient_salt"


class Memory:
    """The lasting small facts of ``registry.sqlite``. A patient's key is ``issuer~id``."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # clinical statements: the hospital's own data, under the hospital's own key

    def clinical(self, patient_key: str) -> PatientStatements:
        """What every source has said of a patient, oldest first; nothing of one never heard of."""
        with self._engine.connect() as connection:
            return _statements(connection, patient_key)

    def put_clinical(self, patient: PatientStatements, replaced: Collection[Source] = ()) -> None:
        """Adds statements; what a source says again in the same words is not kept twice.

        Args:
            replaced: sources whose earlier statements go.
        """
        with self._engine.begin() as connection:
            _take_over_record(connection, patient.patient_key)
            rows = tables.clinical_statements
            if replaced:
                gone = (rows.c.patient_key == patient.patient_key, rows.c.source.in_(replaced))
                connection.execute(sa.delete(rows).where(*gone))
            _add(connection, _news(_statements(connection, patient.patient_key), patient))

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

    def study_date(self, patient_key: str, study_instance_uid: str) -> str | None:
        """Date (YYYYMMDD) of a PET/CT seen; None when it is not known."""
        seen = tables.seen_studies.c
        query = sa.select(seen.study_date).where(
            seen.patient_hash == self._hash(patient_key), seen.study_instance_uid == study_instance_uid
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def latest_study_date(self, patient_key: str) -> str | None:
        """Date (YYYYMMDD) of the patient's last PET/CT seen."""
        seen = tables.seen_studies.c
        query = sa.select(sa.func.max(seen.study_date)).where(seen.patient_hash == self._hash(patient_key))
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

    def own_of(self, job_ids: Collection[str]) -> frozenset[str]:
        """SOP Instance UIDs of all objects that these jobs made."""
        own = tables.own_objects.c
        with self._engine.connect() as connection:
            query = sa.select(own.sop_instance_uid).where(own.job_id.in_(job_ids))
            return frozenset(connection.execute(query).scalars())

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


def _statements(connection: sa.Connection, patient_key: str) -> PatientStatements:
    """What is stored, in the order in which it came; a whole record of earlier versions is the oldest."""
    rows, records = tables.clinical_statements, tables.clinical_records.c
    whole = connection.execute(sa.select(records.record).where(records.patient_key == patient_key)).scalar()
    earlier = from_plain(patient_key, whole)
    query = sa.select(rows.c.usable, rows.c.content).where(rows.c.patient_key == patient_key).order_by(rows.c.sequence)
    usable: list[object] = []
    unusable: list[object] = []
    for is_usable, content in connection.execute(query):
        (usable if is_usable else unusable).append(content)
    later = from_plain(patient_key, {"statements": usable, "unusable": unusable})
    return PatientStatements(
        patient_key, (*earlier.statements, *later.statements), (*earlier.unusable, *later.unusable)
    )


def _take_over_record(connection: sa.Connection, patient_key: str) -> None:
    """Turns a whole record of earlier versions into statements; of two that try, one does."""
    records = tables.clinical_records
    mine = records.c.patient_key == patient_key
    whole = connection.execute(sa.select(records.c.record).where(mine)).scalar()
    if whole is not None and connection.execute(sa.delete(records).where(mine)).rowcount:
        _add(connection, from_plain(patient_key, whole))


def _news(known: PatientStatements, told: PatientStatements) -> PatientStatements:
    """What is told and not merely repeated."""
    latest = {(one.source, one.field, one.effective): one for one in known.statements}
    statements = []
    for one in told.statements:
        last = latest.get((one.source, one.field, one.effective))
        if last is None or replace(last, entered_at=one.entered_at) != one:
            statements.append(one)
            latest[one.source, one.field, one.effective] = one
    noted = {replace(one, entered_at="") for one in known.unusable}
    unusable = tuple(one for one in told.unusable if replace(one, entered_at="") not in noted)
    return PatientStatements(told.patient_key, tuple(statements), unusable)


def _add(connection: sa.Connection, patient: PatientStatements) -> None:
    told: tuple[Statement | Unusable, ...] = (*patient.statements, *patient.unusable)
    for one in told:
        values = {
            "patient_key": patient.patient_key,
            "source": one.source,
            "usable": isinstance(one, Statement),
            "content": asdict(one),
            "updated": now(),
        }
        connection.execute(sa.insert(tables.clinical_statements).values(**values))
