"""Says when a study in the spool is whole, and hands it on."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from nodal.intake.completeness import completeness
from nodal.intake.spool import Spool, SpooledStudy

__all__ = ["OnStudy", "StudyWatch"]

log = structlog.get_logger()

OnStudy = Callable[[str, Path], None]

GRACE_S = 2.0  # after the last declared slice; a sender may still be sending a report or a further series
RETRY_S = 10.0  # after a study could not be handed on
_NEEDED = [
    "SOPClassUID", "Modality", "SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness",
    "NumberOfSlices", "ImagesInAcquisition", "AcquisitionNumber", "InConcatenationTotalNumber",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip


@dataclass
class _Waiting:
    """A study that is not handed on yet; one more instance makes it a new one.

    Attributes:
        whole: whether its headers declare that all is there; None before they were looked at.
        not_before: after a failure, when to try again.
    """

    last_arrival: float
    whole: bool | None = None
    not_before: float = 0.0


class StudyWatch:
    """Hands a study on when it is whole: every PT and CT series has its declared slices and nothing came for a short
    grace, or nothing came for the quiet period.

    An instance that comes later makes the study wait and be handed on again: whether it is then another study is for
    its digest to say. What was handed on is noted in the spool, so that a restart repeats only what changed since. A
    study is handed on at least once; ``on_study`` must bear a repetition.
    """

    def __init__(
        self,
        spool: Spool,
        quiet_period_s: float,
        on_study: OnStudy,
        *,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool = spool
        self._quiet_period_s = quiet_period_s
        self._grace_s = min(grace_s, quiet_period_s)
        self._on_study = on_study
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._seen: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        for study in spool.studies():
            if spool.announced(study.study_instance_uid) != study.fingerprint:
                self._waiting[study.study_instance_uid] = _Waiting(min(study.last_arrival, clock()))

    @property
    def waiting(self) -> tuple[str, ...]:
        """Studies that are not handed on yet."""
        return tuple(self._waiting)

    def poll(self, now: float) -> list[str]:
        """Looks once at every waiting study; returns the UIDs of those handed on.

        Args:
            now: seconds since 1970, of the same clock as the spool's.
        """
        for uid, arrived in self._spool.touched().items():
            if self._seen.get(uid) != arrived:
                self._seen[uid] = arrived
                self._waiting[uid] = _Waiting(arrived)
        handed_on = []
        for uid, waiting in list(self._waiting.items()):
            if now >= waiting.not_before and self._is_due(uid, waiting, now) and self._hand_on(uid, waiting, now):
                handed_on.append(uid)
        return handed_on

    def start(self, every_s: float = 0.5) -> None:
        """Polls in a thread of its own."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(every_s,), name="study-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread; waiting studies wait on in the spool."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            try:
                self.poll(self._clock())
            except OSError as error:  # the spool could not be read; it is looked at again
                log.error("spool not readable", error=error.strerror)

    def _is_due(self, uid: str, waiting: _Waiting, now: float) -> bool:
        idle_s = now - waiting.last_arrival
        if idle_s < 0:  # the clock was set back
            waiting.last_arrival = now
            return False
        if idle_s >= self._quiet_period_s:
            return True
        if idle_s < self._grace_s:
            return False
        if waiting.whole is None:
            waiting.whole = has_all_declared(self._spool.folder / uid)
        return waiting.whole

    def _hand_on(self, uid: str, waiting: _Waiting, now: float) -> bool:
        study = self._spool.study(uid)
        if study is None:
            self._waiting.pop(uid, None)
            return False
        try:
            self._announce(study)
        except Exception as error:  # noqa: BLE001 - whatever it was, the study waits and is handed on later
            waiting.not_before = now + RETRY_S
            log.error("study not handed on", study_instance_uid=uid, error=type(error).__name__)
            return False
        self._waiting.pop(uid, None)
        return True

    def _announce(self, study: SpooledStudy) -> None:
        """The note follows the call: a kill in between repeats the call, never loses it."""
        if self._spool.announced(study.study_instance_uid) != study.fingerprint:
            self._on_study(study.study_instance_uid, study.folder)
            self._spool.mark_announced(study)
            log.info("study handed on", study_instance_uid=study.study_instance_uid, instances=study.instances)


def has_all_declared(folder: Path) -> bool:
    """Whether a study has a PT and a CT series, and each of them all the slices that it declares."""
    series: dict[tuple[str, str], list[Dataset]] = defaultdict(list)
    for path in sorted(folder.glob("*/*.dcm")):
        try:
            header = dcmread(path, stop_before_pixels=True, specific_tags=_NEEDED)
        except (InvalidDicomError, ValueError, EOFError, OSError):
            return False
        series[str(header.get("Modality")), str(header.get("SeriesInstanceUID"))].append(header)
    images = {key: headers for key, headers in series.items() if key[0] in ("PT", "CT")}
    if {modality for modality, _ in images} != {"PT", "CT"}:
        return False
    return all(completeness(headers).state == "complete" for headers in images.values())
