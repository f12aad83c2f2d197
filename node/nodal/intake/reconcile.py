"""Nothing that Orthanc holds is lost: its change log is read from a cursor that survives every restart.

The plugin's announcement is only a hint. A study is announced to the jobs when

    - Orthanc called it stable (StableStudy), or
    - it has new instances, counts as stable, and did not change between two readings: this is a study whose
      StableStudy never came because Orthanc was killed; Orthanc does not repeat it after a start, or
    - the sweep at the start finds it, though the log says nothing of it (the log may be emptied by a person).

and only when it holds something that was not announced before: results of this node arriving in a study change
nothing. Studies older than the node's first start are left alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import structlog

from nodal.errors import NodalError, SourceGone, Unreachable
from nodal.intake.orthanc import ArchiveChange, ArchivedInstance, ArchivedStudy, OrthancSource, fingerprint

__all__ = ["Reconciler"]

log = structlog.get_logger()

View = TypeVar("View")

CURSOR = "orthanc:changes"
WAITING = "orthanc:waiting"
SINCE = "orthanc:since"
STABLE = "stable"
LOOK_BACK = timedelta(hours=1)


class Reconciler(Generic[View]):
    """Reads the change log every ``interval_s`` seconds in a thread of its own.

    Args:
        cursor, put_cursor: lasting memory of short texts by name.
        on_study: takes (Orthanc's id, Study Instance UID); must make the study durable before it returns.
        interval_s: ``orthanc.reconcile_s`` of the settings.
    """

    def __init__(
        self,
        source: OrthancSource,
        *,
        cursor: Callable[[str], str | None],
        put_cursor: Callable[[str, str], None],
        on_study: Callable[[str, str], View],
        interval_s: float,
    ) -> None:
        self._source = source
        self._cursor = cursor
        self._put_cursor = put_cursor
        self._on_study = on_study
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orthanc-reconciler", daemon=True)
        self._sweep_due = True
        self._reachable: bool | None = None

    def start(self) -> None:
        """Begins with a reading at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the reading in progress."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    @property
    def reachable(self) -> bool | None:
        """Whether Orthanc answered the latest reading; None before the first."""
        return self._reachable

    def announce(self, orthanc_id: str) -> View | None:
        """The plugin says that a study is stable.

        Returns:
            what ``on_study`` made of it; None when it holds nothing that was not announced before.

        Raises:
            SourceGone: Orthanc does not hold the study. Unreachable: Orthanc does not answer.
        """
        with self._lock:
            study = self._source.study(orthanc_id)
            return self._announce(study, self._source.instances(orthanc_id))

    def once(self) -> int:
        """One reading of the log; the number of studies announced.

        Raises:
            Unreachable: Orthanc does not answer; nothing is lost, the cursor stays.
        """
        with self._lock:
            if self._cursor(SINCE) is None:
                self._begin()
            waiting: dict[str, str | None] = json.loads(self._cursor(WAITING) or "{}")
            position = self._read_log(waiting)
            if self._sweep_due:
                self._sweep(waiting)
                self._sweep_due = False
            # first what waits, then how far the log was read: a crash in between reads a little twice
            self._put_cursor(WAITING, json.dumps(waiting))
            self._put_cursor(CURSOR, str(position))
            announced = sum(self._look_at(orthanc_id, waiting) for orthanc_id in list(waiting))
            self._put_cursor(WAITING, json.dumps(waiting))
            return announced

    def _begin(self) -> None:
        self._put_cursor(CURSOR, str(self._source.last_change()))
        self._put_cursor(SINCE, (datetime.now(UTC) - LOOK_BACK).strftime("%Y%m%dT%H%M%S"))

    def _read_log(self, waiting: dict[str, str | None]) -> int:
        position = int(self._cursor(CURSOR) or 0)
        if self._source.last_change() < position:  # another database, or an emptied log
            position, self._sweep_due = 0, True
        done = False
        while not done:
            page = self._source.changes(position)
            self._note(page.changes, waiting)
            position, done = max(position, page.last), page.done or not page.changes
        return position

    def _note(self, changes: tuple[ArchiveChange, ...], waiting: dict[str, str | None]) -> None:
        studies_of_instances: dict[str, str] = {}
        for change in changes:
            if change.kind == "StableStudy":
                waiting[change.orthanc_id] = STABLE
            elif change.kind == "NewStudy":
                waiting[change.orthanc_id] = None
            elif change.kind == "NewInstance":
                study = self._study_of_instance(change.orthanc_id, studies_of_instances)
                if study is not None:
                    waiting[study] = None

    def _study_of_instance(self, instance_id: str, known: dict[str, str]) -> str | None:
        if instance_id not in known:
            try:
                study = self._source.study_of("instances", instance_id).orthanc_id
                known |= dict.fromkeys((i.orthanc_id for i in self._source.instances(study)), study)
            except SourceGone:
                return None
        return known.get(instance_id)

    def _sweep(self, waiting: dict[str, str | None]) -> None:
        since = self._cursor(SINCE) or ""
        for study in self._source.studies():
            if study.last_update >= since and self._cursor(_mark(study.orthanc_id)) is None:
                waiting.setdefault(study.orthanc_id, None)

    def _look_at(self, orthanc_id: str, waiting: dict[str, str | None]) -> bool:
        """Announces a waiting study or leaves it waiting; whether it was announced."""
        try:
            study = self._source.study(orthanc_id)
            if not study.stable:
                return False
            instances = self._source.instances(orthanc_id)
            present = fingerprint(instances)
            if waiting[orthanc_id] not in (STABLE, present):
                waiting[orthanc_id] = present
                return False
            announced = self._announce(study, instances) is not None
        except SourceGone:
            del waiting[orthanc_id]
            return False
        except Unreachable:
            raise
        except NodalError as error:
            log.error("study not announced, kept for the next reading", orthanc_id=orthanc_id, code=error.code)
            return False
        del waiting[orthanc_id]
        return announced

    def _announce(self, study: ArchivedStudy, instances: tuple[ArchivedInstance, ...]) -> View | None:
        present, mark = fingerprint(instances), _mark(study.orthanc_id)
        if not instances or self._cursor(mark) == present:
            return None
        view = self._on_study(study.orthanc_id, study.study_instance_uid)
        self._put_cursor(mark, present)
        return view

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.once()
                self._reachable = True
            except Unreachable as error:
                if self._reachable is not False:
                    log.warning("Orthanc is not reached", reason=error.message)
                self._reachable, self._sweep_due = False, True
            except Exception:
                log.exception("reading Orthanc's change log failed; tried again")
            self._stopping.wait(self._interval_s)


def _mark(orthanc_id: str) -> str:
    return f"orthanc:study:{orthanc_id}"
