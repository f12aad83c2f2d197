"""The jobs in ``registry.sqlite``: how each stands, and the only ways in which that may change.

Every change of state is one conditional UPDATE: whoever comes second (a person who cancels, a late slice, a process
that was thought dead) finds the condition untrue and changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nodal.errors import Code, Failed
from nodal.jobs import tables
from nodal.jobs.model import JobRequest, JobState, JobView, Stage
from nodal.jobs.parcels import DeliveryBook
from nodal.jobs.tables import insert_once, now

__all__ = ["ENDED", "UNFINISHED", "JobBook", "Standing"]

UNFINISHED: tuple[JobState, ...] = ("queued", "running")
"""States in which stages run."""

ENDED: tuple[JobState, ...] = ("done", "refused", "cancelled", "superseded")
"""States that need neither the images nor the loaded volumes any more."""


@dataclass(frozen=True)
class Standing:
    """What the durable work must know of a job before it takes its next step.

    Attributes:
        round: attempt asked for by a person, from 0. finished: stages that need not run again.
    """

    state: JobState
    round: int
    stage: Stage | None
    finished: frozenset[Stage]


class JobBook:
    """All jobs. Unknown ids raise ``Failed(JOB_UNKNOWN)``."""

    def __init__(self, engine: sa.Engine, deliveries: DeliveryBook) -> None:
        self._engine = engine
        self._deliveries = deliveries
        # two who revise one job at the same moment would write into one folder
        self.revising = threading.RLock()

    def add(self, request: JobRequest, patient_key: str | None, orthanc_id: str | None) -> bool:
        """Enters a new job as queued, and what it replaces as superseded; False when the job is known already."""
        instant = now()
        with self._engine.begin() as connection:
            added = insert_once(
                connection,
                tables.jobs,
                job_id=request.job_id,
                digest=request.digest,
                revision=request.revision,
                cause=request.cause,
                study_instance_uid=request.study_instance_uid,
                patient_key=patient_key,
                orthanc_id=orthanc_id,
                predecessor=request.predecessor,
                state="queued",
                summary={},
                created=instant,
                updated=instant,
            )
            if added and request.predecessor is not None:
                jobs = tables.jobs
                older = jobs.c.job_id == request.predecessor
                connection.execute(sa.update(jobs).where(older).values(state="superseded", updated=instant))
        return added

    def view(self, job_id: str) -> JobView:
        """How one job stands."""
        return self._views([self._row(job_id)])[0]

    def views(self, study_instance_uid: str | None = None, limit: int = 1000) -> list[JobView]:
        """All jobs, or those of one study; newest first."""
        query = sa.select(tables.jobs).order_by(tables.jobs.c.sequence.desc()).limit(limit)
        if study_instance_uid is not None:
            query = query.where(tables.jobs.c.study_instance_uid == study_instance_uid)
        with self._engine.connect() as connection:
            return self._views(connection.execute(query).mappings().all())

    def standing(self, job_id: str) -> Standing:
        """What the next step must know."""
        row = self._row(job_id)
        stage = Stage(row["stage"]) if row["stage"] else None
        return Standing(row["state"], row["round"], stage, frozenset(self._stages([job_id]).get(job_id, {})))

    def known(self, job_id: str) -> bool:
        """Whether there is such a job."""
        return self._first(sa.select(tables.jobs.c.job_id).where(tables.jobs.c.job_id == job_id)) is not None

    def latest_of_study(self, study_instance_uid: str) -> str | None:
        """job_id of the study's newest job that nothing has superseded."""
        jobs = tables.jobs.c
        query = sa.select(jobs.job_id).where(jobs.study_instance_uid == study_instance_uid, jobs.state != "superseded")
        return self._first(query.order_by(jobs.sequence.desc()))

    def of_orthanc(self, orthanc_id: str) -> str | None:
        """job_id of the newest job made from this study of the node's Orthanc."""
        query = sa.select(tables.jobs.c.job_id).where(tables.jobs.c.orthanc_id == orthanc_id)
        return self._first(query.order_by(tables.jobs.c.sequence.desc()))

    def orthanc_id(self, job_id: str) -> str | None:
        """The study in the node's own Orthanc, where known."""
        found: str | None = self._row(job_id)["orthanc_id"]
        return found

    def note_orthanc(self, job_id: str, orthanc_id: str) -> None:
        """Notes that the node's own Orthanc holds the study too."""
        jobs = tables.jobs
        query = sa.update(jobs).where(jobs.c.job_id == job_id, jobs.c.orthanc_id.is_(None))
        self._execute(query.values(orthanc_id=orthanc_id))

    def of_patient(self, patient_key: str) -> list[str]:
        """job_ids of a patient's jobs that nothing has superseded."""
        jobs = tables.jobs.c
        query = sa.select(jobs.job_id).where(jobs.patient_key == patient_key, jobs.state != "superseded")
        with self._engine.connect() as connection:
            return list(connection.execute(query.order_by(jobs.sequence)).scalars())

    def patient_key(self, job_id: str) -> str | None:
        """``issuer~id`` of the job's patient, where known."""
        key: str | None = self._row(job_id)["patient_key"]
        return key

    def next_revision(self, digest: str) -> int:
        """The revision number after the highest one taken."""
        query = sa.select(sa.func.max(tables.jobs.c.revision)).where(tables.jobs.c.digest == digest)
        with self._engine.connect() as connection:
            highest: int | None = connection.execute(query).scalar()
        return 0 if highest is None else highest + 1

    def in_states(self, states: Collection[JobState], updated_before: str | None = None) -> list[tuple[str, int]]:
        """(job_id, round) of the jobs in any of the states, oldest first."""
        query = sa.select(tables.jobs.c.job_id, tables.jobs.c.round).where(tables.jobs.c.state.in_(states))
        if updated_before is not None:
            query = query.where(tables.jobs.c.updated < updated_before)
        with self._engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(query.order_by(tables.jobs.c.sequence))]

    def counts(self) -> dict[str, int]:
        """Number of jobs by state."""
        query = sa.select(tables.jobs.c.state, sa.func.count()).group_by(tables.jobs.c.state)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def move(
        self,
        job_id: str,
        to: JobState,
        *,
        out_of: Collection[JobState],
        round_: int | None = None,
        code: Code | None = None,
        message: str | None = None,
        stage: Stage | None = None,
        next_round: bool = False,
    ) -> bool:
        """Changes the state if the job is in one of ``out_of`` (and in this round); says whether it did.

        ``code`` and ``message`` are written as given: a state without a fault clears them.
        """
        jobs = tables.jobs
        query = sa.update(jobs).where(jobs.c.job_id == job_id, jobs.c.state.in_(out_of))
        if round_ is not None:
            query = query.where(jobs.c.round == round_)
        values: dict[str, Any] = {"state": to, "code": code, "message": message, "updated": now()}
        if stage is not None:
            values["stage"] = stage
        if next_round:
            values["round"] = jobs.c.round + 1
        return self._execute(query.values(**values))

    def begin_stage(self, job_id: str, round_: int, stage: Stage) -> bool:
        """Notes that a stage runs; False when the job was stopped or a later round has begun."""
        jobs = tables.jobs
        due = (jobs.c.job_id == job_id, jobs.c.round == round_, jobs.c.state.in_(UNFINISHED))
        return self._execute(sa.update(jobs).where(*due).values(state="running", stage=stage, updated=now()))

    def end_stage(self, job_id: str, stage: Stage, seconds: float, files: Sequence[str]) -> None:
        """Notes a finished stage and the files it left; it is not run again."""
        with self._engine.begin() as connection:
            insert_once(connection, tables.stages, job_id=job_id, stage=stage, seconds=seconds, files=list(files))
            connection.execute(sa.update(tables.jobs).where(tables.jobs.c.job_id == job_id).values(updated=now()))

    def forget_stages(self, job_id: str, of: Collection[Stage] = tuple(Stage)) -> None:
        """Lets stages run again."""
        stages = tables.stages
        with self._engine.begin() as connection:
            connection.execute(sa.delete(stages).where(stages.c.job_id == job_id, stages.c.stage.in_(of)))

    def stage_files(self, job_id: str) -> dict[Stage, tuple[str, ...]]:
        """The files each finished stage left, by names relative to the job's folder."""
        return {stage: tuple(files) for stage, (_, files) in self._stages([job_id]).get(job_id, {}).items()}

    def summarise(self, job_id: str, summary: Mapping[str, float | int | str | None]) -> None:
        """Keeps a few numbers for tables and pages."""
        query = sa.update(tables.jobs).where(tables.jobs.c.job_id == job_id)
        self._execute(query.values(summary=dict(summary), updated=now()))

    def _execute(self, query: sa.Update) -> bool:
        with self._engine.begin() as connection:
            return bool(connection.execute(query).rowcount)

    def _first(self, query: sa.Select[str]) -> str | None:
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).scalar()

    def _row(self, job_id: str) -> sa.RowMapping:
        with self._engine.connect() as connection:
            query = sa.select(tables.jobs).where(tables.jobs.c.job_id == job_id)
            row = connection.execute(query).mappings().first()
        if row is None:
            raise Failed(Code.JOB_UNKNOWN, f"there is no job {job_id[:80]}")
        return row

    def _stages(self, job_ids: Sequence[str]) -> dict[str, dict[Stage, tuple[float, list[str]]]]:
        found: dict[str, dict[Stage, tuple[float, list[str]]]] = {}
        query = sa.select(tables.stages).where(tables.stages.c.job_id.in_(job_ids))
        with self._engine.connect() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["job_id"], {})[Stage(row["stage"])] = (row["seconds"], row["files"])
        return found

    def _views(self, rows: Sequence[sa.RowMapping]) -> list[JobView]:
        job_ids = [row["job_id"] for row in rows]
        seconds, deliveries = self._stages(job_ids), self._deliveries.views(job_ids)
        return [
            JobView(
                job_id=row["job_id"],
                study_instance_uid=row["study_instance_uid"],
                state=row["state"],
                revision=row["revision"],
                cause=row["cause"],
                stage=Stage(row["stage"]) if row["stage"] else None,
                stage_seconds={
                    str(s): seconds.get(row["job_id"], {})[s][0] for s in Stage if s in seconds.get(row["job_id"], {})
                },
                created=row["created"],
                updated=row["updated"],
                predecessor=row["predecessor"],
                code=row["code"],
                message=row["message"],
                orthanc_id=row["orthanc_id"],
                deliveries=deliveries.get(row["job_id"], ()),
                summary=row["summary"],
            )
            for row in rows
        ]
