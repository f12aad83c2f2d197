"""A running command and everything that it started, as Linux's /proc shows them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Family"]

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

GRACE_S = 2.0
"""Between the request to end and the kill."""

LOOK_S = 0.05
"""How often it is asked whether all have gone."""


@dataclass(frozen=True)
class _Process:
    """``started``: clock ticks since the machine's start, which tells a number that was given again."""

    pid: int
    started: int


@dataclass(frozen=True)
class _Seen:
    process: _Process
    parent: int
    session: int
    resident_bytes: int
    over: bool


class Family:
    """The leader of a session, all processes of that session, and all their descendants, wherever they went.

    A descendant that left the session and lost its parent is told by the mark in its environment, and stays known once
    it was seen.

    Args:
        mark: a text that stands in the leader's environment and in no other's.
    """

    def __init__(self, leader: subprocess.Popen[bytes], mark: str) -> None:
        self._leader = leader
        self._mark = mark.encode()
        self._known: set[_Process] = set()
        self._strangers: set[_Process] = set()

    def resident_bytes(self) -> int:
        """Resident memory of all that run, pages that they share counted in each."""
        return sum(one.resident_bytes for one in self._look())

    def end(self) -> None:
        """Asks all that still run to end, kills them after a short grace, and waits until they are gone."""
        self._signal(signal.SIGTERM)
        if self._wait(GRACE_S):
            return
        self._signal(signal.SIGKILL)
        self._wait(GRACE_S)

    def _wait(self, limit_s: float) -> bool:
        until = time.monotonic() + limit_s
        while True:
            ended = self._leader.poll() is not None
            if ended and not self._look():
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK_S)

    def _signal(self, number: signal.Signals) -> None:
        for one in self._look():
            try:
                os.kill(one.process.pid, number)
            except (ProcessLookupError, PermissionError):
                continue  # it ended by itself, or became another user's

    def _look(self) -> list[_Seen]:
        """Those that run now; the known ones grow by what they started."""
        everyone = [_seen(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit()]
        running = [one for one in everyone if one is not None and not one.over]
        pids = {one.process.pid for one in running if one.process in self._known or self._is_marked(one.process)}
        if self._leader.returncode is None:  # else its number may be somebody else's by now
            pids.add(self._leader.pid)
        grown = True
        while grown:
            more = {
                one.process.pid
                for one in running
                if one.process.pid not in pids and (one.parent in pids or one.session == self._leader.pid)
            }
            pids |= more
            grown = bool(more)
        family = [one for one in running if one.process.pid in pids]
        self._known |= {one.process for one in family}
        return family

    def _is_marked(self, process: _Process) -> bool:
        if process in self._strangers:
            return False  # a child has its mark from its first moment
        try:
            marked = self._mark in (_PROC / str(process.pid) / "environ").read_bytes()
        except OSError:
            marked = False  # another user's
        if not marked:
            self._strangers.add(process)
        return marked


def _seen(pid: int) -> _Seen | None:
    """proc(5); None for a process that ended while it was looked at."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the command's name stands in brackets and may hold anything
    fields = text.rpartition(")")[2].split()
    state, parent, session = fields[0], int(fields[1]), int(fields[3])
    return _Seen(
        _Process(pid, int(fields[19])), parent, session, int(fields[21]) * _PAGE_BYTES, over=state in ("Z", "X")
    )
