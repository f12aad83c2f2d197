"""Originals that came to the listener, on to the node's own Orthanc (``listener.forward_to_orthanc``)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from nodal.audit import Trail
from nodal.errors import NodalError
from nodal.intake.spool import Spool
from nodal.jobs.memory import Memory

__all__ = ["Forwarder"]

log = structlog.get_logger()

RETRY_S = 10.0


class Forwarder:
    """Stores every whole study of the spool, once for each content it had; a kill in between sends it again, which
    changes nothing in Orthanc.

    Args:
        store: takes one file; raises Unreachable when it shall be tried again.
    """

    def __init__(self, spool: Spool, store: Callable[[Path], object], memory: Memory, trail: Trail) -> None:
        self._spool = spool
        self._store = store
        self._memory = memory
        self._trail = trail
        self._due = {study.study_instance_uid for study in spool.studies() if self._is_due(study.study_instance_uid)}
        self._news = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)

    def start(self) -> None:
        """Begins with what an earlier process left."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the file in progress."""
        with self._news:
            self._ending = True
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def add(self, study_instance_uid: str) -> None:
        """A study is whole, or whole again."""
        with self._news:
            self._due.add(study_instance_uid)
            self._news.notify()

    def once(self) -> bool:
        """Forwards every study that is due; whether none is left."""
        with self._news:
            due, self._due = sorted(self._due), set()
        for uid in due:
            try:
                self._forward(uid)
            except (NodalError, OSError) as error:
                log.warning("study not forwarded", study_instance_uid=uid, fault=type(error).__name__)
                self._due.add(uid)
        return not self._due

    def _is_due(self, uid: str) -> bool:
        study = self._spool.study(uid)
        handed_on = study is not None and self._spool.announced(uid) == study.fingerprint
        return handed_on and study is not None and self._memory.cursor(_name(uid)) != study.fingerprint

    def _forward(self, uid: str) -> None:
        study = self._spool.study(uid)
        if study is None or self._memory.cursor(_name(uid)) == study.fingerprint:
            return
        for path in sorted(study.folder.glob("*/*.dcm")):
            if self._ending:
                return
            self._store(path)
        self._memory.put_cursor(_name(uid), study.fingerprint)
        self._trail.record("study_forwarded", study_instance_uid=uid, instances=study.instances)

    def _run(self) -> None:
        while not self._ending:
            done = self.once()
            with self._news:
                if not self._ending and not (done and self._due):
                    self._news.wait(None if done else RETRY_S)


def _name(uid: str) -> str:
    return f"forwarded:{uid}"
