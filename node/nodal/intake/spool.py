"""Where received instances lie until their study is done: written whole, on disk before the sender is answered.

    <folder>/<study uid>/<series uid>/<sop instance uid>.dcm
    <folder>/.incoming/        instances being written; swept when a spool is opened
    <folder>/.journal/<study uid>.jsonl   who sent what and when, and what was announced
    <quarantine>/              what cannot be placed, and what was replaced, each with its reason beside it

An instance that comes again with the same bytes is kept once. One that comes again with other bytes takes the place
of the first, as its sender now holds it so; the first goes to the quarantine, and nothing is lost. A mere
re-encoding changes nothing further on, since a study is known by its canonical digest (:mod:`nodal.dicom.digest`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import structlog
from pydicom.filereader import data_element_generator
from pydicom.uid import UID

from nodal.errors import Code, Failed, Refused

__all__ = ["Arrival", "Received", "Spool", "SpooledStudy", "Stored", "calling_ae"]

log = structlog.get_logger()

UID_PATTERN = re.compile(r"[0-9]+(\.[0-9]+)*")  # PS3.5 section 9; also what is safe as a name of a file
UID_LENGTH = 64
SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = (
    0x00080016,
    0x00080018,
    0x0020000D,
    0x0020000E,
)
HEAD_TAGS = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID})
HEAD_BYTES = 1 << 20  # in which the UIDs must stand, inflated; what a hostile data set can make the node read
FLOOR_BYTES = 2 << 30  # free space below which nothing more is taken in
ROOM_ASKED_EVERY_S = 1.0


@dataclass(frozen=True, eq=False)
class Received:
    """An instance as it came.

    Attributes:
        file_meta: preamble, prefix and file meta information, encoded.
        data: the data set, encoded in ``transfer_syntax``; never decoded here beyond its UIDs.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: UID
    calling_ae: str
    file_meta: bytes
    data: bytes


@dataclass(frozen=True)
class Stored:
    """Where an instance now lies. ``replaced`` names the quarantined file it took the place of."""

    study_instance_uid: str
    series_instance_uid: str
    path: Path
    duplicate: bool = False
    replaced: Path | None = None


@dataclass(frozen=True)
class Arrival:
    """A line of the journal. ``time`` is ISO 8601, UTC."""

    time: str
    calling_ae: str
    series_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class SpooledStudy:
    """A study in the spool. ``last_arrival`` is the time of its youngest file, in seconds since 1970."""

    study_instance_uid: str
    folder: Path
    instances: int
    last_arrival: float
    fingerprint: str


class Spool:
    """The spool in a folder; used by any number of threads of one process."""

    def __init__(
        self,
        folder: Path,
        quarantine: Path,
        *,
        floor_bytes: int = FLOOR_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.quarantine = quarantine
        self._floor_bytes = floor_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._known: set[Path] = set()
        self._touched: dict[str, float] = {}
        self._room, self._room_asked = 0, 0.0
        self._incoming = folder / ".incoming"
        self._journal = folder / ".journal"
        for needed in (folder, quarantine, self._incoming, self._journal):
            needed.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():  # never acknowledged
            left.unlink()

    def put(self, received: Received) -> Stored:
        """Takes an instance in; when this returns, it is on disk under its final name.

        Raises:
            Failed: DISK_FULL, before anything is written.
            Refused: NOT_DICOM, where the data set does not say where it belongs, or contradicts the request; it then
                lies in the quarantine.
            OSError: the disk failed; nothing was acknowledged, nothing is half-written.
        """
        self._leave_room(len(received.data))
        try:
            study, series = self._place(received)
        except Refused as refusal:
            self._set_aside(received, refusal)
            raise
        folder = self._series_folder(study, series)
        part = self._write(received)
        stored = self._move_in(part, folder / f"{received.sop_instance_uid}.dcm", study, series)
        _sync_folder(folder)
        now = self._clock()
        with self._lock:
            self._touched[study] = now
        arrival = Arrival(_iso(now), received.calling_ae, series, received.sop_instance_uid)
        self._note(study, {"arrival": asdict(arrival), "duplicate": stored.duplicate})
        return stored

    def studies(self) -> list[SpooledStudy]:
        """Every study that lies here, read from the disk."""
        found = (self.study(f.name) for f in sorted(self.folder.iterdir()) if UID_PATTERN.fullmatch(f.name))
        return [study for study in found if study is not None]

    def study(self, study_instance_uid: str) -> SpooledStudy | None:
        """One study as it lies here; None where there is nothing of it."""
        folder = self.folder / study_instance_uid
        files = sorted((str(p.relative_to(folder)), p.stat()) for p in folder.glob("*/*.dcm"))
        if not files:
            return None
        lines = "".join(f"{name} {stat.st_size} {stat.st_mtime_ns}\n" for name, stat in files)
        youngest = max(stat.st_mtime for _, stat in files)
        print_ = hashlib.sha256(lines.encode()).hexdigest()
        return SpooledStudy(study_instance_uid, folder, len(files), youngest, print_)

    def touched(self) -> dict[str, float]:
        """Studies that received something since this spool was opened, with the time of their last instance."""
        with self._lock:
            return dict(self._touched)

    def arrivals(self, study_instance_uid: str) -> list[Arrival]:
        """Who sent what of a study, in order."""
        return [Arrival(**line["arrival"]) for line in self._lines(study_instance_uid) if "arrival" in line]

    def announced(self, study_instance_uid: str) -> str | None:
        """The fingerprint under which a study was last handed on; None where it never was."""
        marks = [str(line["announced"]) for line in self._lines(study_instance_uid) if "announced" in line]
        return marks[-1] if marks else None

    def mark_announced(self, study: SpooledStudy) -> None:
        """Notes that a study, as it lay here, was handed on; on disk when this returns."""
        line = {"announced": study.fingerprint, "time": _iso(self._clock()), "instances": study.instances}
        self._note(study.study_instance_uid, line, durable=True)

    def forget(self, study_instance_uid: str) -> None:
        """Deletes a study and its journal."""
        if not _is_uid(study_instance_uid):
            raise Refused(Code.WRONG_USAGE, "a study is named by its UID")
        with self._lock:
            folder = self.folder / study_instance_uid
            shutil.rmtree(folder, ignore_errors=True)
            self._known = {known for known in self._known if folder not in known.parents}
            self._touched.pop(study_instance_uid, None)
            self._journal_of(study_instance_uid).unlink(missing_ok=True)

    def clear_quarantine(self, older_than_s: float) -> int:
        """Deletes what has lain in the quarantine longer than ``older_than_s``; returns how many files."""
        limit = self._clock() - older_than_s
        old = [path for path in self.quarantine.iterdir() if path.is_file() and path.stat().st_mtime < limit]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _leave_room(self, size: int) -> None:
        """The free space is asked for every second; in between, what is written is taken off."""
        now = time.monotonic()
        with self._lock:
            if now - self._room_asked >= ROOM_ASKED_EVERY_S or self._room < self._floor_bytes + size:
                self._room, self._room_asked = shutil.disk_usage(self.folder).free, now
            self._room -= size
            if self._room < self._floor_bytes:
                raise Failed(Code.DISK_FULL, "the disk is nearly full; nothing more is taken in")

    def _place(self, received: Received) -> tuple[str, str]:
        """Study and series UID of an instance, from the head of its data set."""
        head = _head(received)
        if head is None:
            raise Refused(Code.NOT_DICOM, "the data set cannot be read up to its series UID")
        study, series = head.get(STUDY_INSTANCE_UID, ""), head.get(SERIES_INSTANCE_UID, "")
        if not all(_is_uid(uid) for uid in (study, series, received.sop_instance_uid)):
            raise Refused(Code.NOT_DICOM, "the data set lacks a valid study, series or SOP Instance UID")
        asked = (received.sop_class_uid, received.sop_instance_uid)
        if (head.get(SOP_CLASS_UID, ""), head.get(SOP_INSTANCE_UID, "")) != asked:
            raise Refused(Code.NOT_DICOM, "the data set's SOP class or instance UID is not that of the request")
        return study, series

    def _series_folder(self, study: str, series: str) -> Path:
        folder = self.folder / study / series
        if folder not in self._known:
            folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(folder.parent)
            _sync_folder(self.folder)
            self._known.add(folder)
        return folder

    def _write(self, received: Received) -> Path:
        part = self._incoming / f"{uuid.uuid4().hex}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            _write_all(descriptor, received.file_meta, received.data)
            os.fsync(descriptor)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return part

    def _move_in(self, part: Path, final: Path, study: str, series: str) -> Stored:
        with self._lock:
            replaced = None
            if final.exists():
                if final.stat().st_size == part.stat().st_size and final.read_bytes() == part.read_bytes():
                    part.unlink()
                    return Stored(study, series, final, duplicate=True)
                replaced = self._quarantine_name(final.stem)
                shutil.copy2(final, replaced)
                self._explain(replaced, "replaced by a later instance with the same UID and other content")
            try:
                part.replace(final)
            except FileNotFoundError:  # the study was cleared away meanwhile
                final.parent.mkdir(parents=True)
                part.replace(final)
        if replaced is not None:
            log.warning("instance replaced", study_instance_uid=study, quarantined=replaced.name)
        return Stored(study, series, final, replaced=replaced)

    def _set_aside(self, received: Received, refusal: Refused) -> None:
        path = self._quarantine_name(hashlib.sha256(received.data).hexdigest()[:16])
        path.write_bytes(received.file_meta + received.data)
        self._explain(path, refusal.message, calling_ae=received.calling_ae)
        log.warning("instance quarantined", reason=refusal.message, quarantined=path.name)

    def _quarantine_name(self, stem: str) -> Path:
        return self.quarantine / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}-{stem}.dcm"

    def _explain(self, path: Path, reason: str, **more: str) -> None:
        text = json.dumps({"time": _iso(self._clock()), "reason": reason, **more})
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")

    def _journal_of(self, study: str) -> Path:
        return self._journal / f"{study}.jsonl"

    def _note(self, study: str, line: dict[str, object], *, durable: bool = False) -> None:
        """Appends to the journal in one write; on disk at once only where ``durable``."""
        descriptor = os.open(self._journal_of(study), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, (json.dumps(line) + "\n").encode())
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _lines(self, study: str) -> Iterator[dict[str, dict[str, str]]]:
        yield from _journal_lines(self._journal_of(study))


def calling_ae(study_folder: Path, sop_instance_uid: str) -> str | None:
    """The AE title that last sent an instance of a study in a spool; None where its journal does not tell.

    Args:
        study_folder: ``<spool>/<study uid>``.
    """
    journal = study_folder.parent / ".journal" / f"{study_folder.name}.jsonl"
    found = [
        Arrival(**line["arrival"]).calling_ae
        for line in _journal_lines(journal)
        if "arrival" in line and line["arrival"].get("sop_instance_uid") == sop_instance_uid
    ]
    return found[-1] if found else None


def _journal_lines(journal: Path) -> Iterator[dict[str, dict[str, str]]]:
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:  # torn by a kill
            continue


def _is_uid(text: str) -> bool:
    return len(text) <= UID_LENGTH and UID_PATTERN.fullmatch(text) is not None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _head(received: Received) -> dict[int, str] | None:
    """The UIDs of a data set by tag, read no further than the Series Instance UID; None where that cannot be."""
    syntax, data = received.transfer_syntax, received.data
    try:
        if syntax.is_deflated:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, HEAD_BYTES)
        elements = data_element_generator(
            BytesIO(data if len(data) <= HEAD_BYTES else data[:HEAD_BYTES]),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: int.__gt__(tag, SERIES_INSTANCE_UID),
            specific_tags=list(HEAD_TAGS),
        )
        values = {int(element.tag): element.value for element in elements if element.tag in HEAD_TAGS}
        return {tag: value.decode("ascii").rstrip("\0 ") for tag, value in values.items() if isinstance(value, bytes)}
    except (ValueError, EOFError, OSError, KeyError, AttributeError, NotImplementedError, struct.error, zlib.error):
        return None


def _write_all(descriptor: int, *parts: bytes) -> None:
    views = [memoryview(part) for part in parts]
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
