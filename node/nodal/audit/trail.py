"""The append-only trail: one JSON line per event, one file per day (UTC), fsynced before the caller goes on."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

__all__ = ["Event", "Trail"]


@dataclass(frozen=True)
class Event:
    """Something the node did.

    Attributes:
        time: ISO 8601, UTC. action: a verb phrase in snake case, such as "study_selected", "object_sent".
        outcome: "ok", "refused" or "failed". details: numbers, UIDs and sentences; never a patient's name or id.
    """

    time: str
    action: str
    outcome: Literal["ok", "refused", "failed"]
    job_id: str | None = None
    intake_id: str | None = None
    study_instance_uid: str | None = None
    code: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Trail:
    """The trail in a folder. Several threads and processes may record at once: a line is one O_APPEND write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def record(
        self,
        action: str,
        *,
        outcome: Literal["ok", "refused", "failed"] = "ok",
        job_id: str | None = None,
        intake_id: str | None = None,
        study_instance_uid: str | None = None,
        code: str | None = None,
        **details: Any,
    ) -> Event:
        """Writes one event; it is on disk when this returns."""
        now = datetime.now(UTC)
        event = Event(
            now.isoformat(timespec="milliseconds"),
            action,
            outcome,
            job_id,
            intake_id,
            study_instance_uid,
            code,
            details,
        )
        line = json.dumps(vars(event), ensure_ascii=False, default=str) + "\n"
        path = self._folder / f"{now:%Y-%m-%d}.jsonl"
        with self._lock:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return event

    def events(self, *, job_id: str | None = None, study_instance_uid: str | None = None) -> Iterator[Event]:
        """The events in order of time, of one job or study where named; a torn last line is passed over."""
        for path in sorted(self._folder.glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    event = Event(**json.loads(line))
                except (json.JSONDecodeError, TypeError):
                    continue
                if job_id not in (None, event.job_id) or study_instance_uid not in (None, event.study_instance_uid):
                    continue
                yield event
