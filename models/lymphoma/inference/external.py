"""Runs a program of somebody else's on the files of one study, and ends it when it takes too long or too much."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from lymphoma.errors import NotComputable
from lymphoma.inference.processes import Family

__all__ = ["LOG_NAME", "run_external"]

LOG_NAME = "engine.log"
"""What the program said, in its folder."""

POLL_S = 0.1
"""How often time and memory are looked at; a gigabyte is not filled much faster."""

MARK = "NODAL_ENGINE_RUN"
"""Variable that every descendant inherits, by which one that left its parents is found."""

BYTES_PER_GB = 10**9
SAID_BYTES = 400
"""Of the log's end that goes into the reason."""


def run_external(
    command: Sequence[str],
    folder: Path,
    time_limit_s: float,
    memory_gb: float,
    *,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs a command in a folder until it ends, in a session of its own; nothing that it started outlives the call.

    Memory is the sum of the resident memory of the command and all its descendants, pages they share counted in each:
    a limit on address space would forbid what CUDA reserves and never touches. It is looked at ten times a second, so
    the machine must have a little more to spare.

    Args:
        command: program and arguments; the program is looked for in PATH. No shell takes part.
        folder: an existing folder, where it runs and where its output goes to ``engine.log``.
        memory_gb: in 10^9 bytes. environment: variables on top of this process's own.

    Raises:
        NotComputable: ENGINE_MISSING, the program is not there or may not be run; ENGINE_TIMEOUT; ENGINE_FAILED, it
            took more memory than it may, or ended with another status than 0.
    """
    name, mark = Path(command[0]).name, uuid4().hex
    with (folder / LOG_NAME).open("wb") as said:
        try:
            running = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **(environment or {}), MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise NotComputable("ENGINE_MISSING", f"{name} cannot be started: {error.strerror}") from error
    family = Family(running, mark)
    try:
        _watch(running, family, name, time_limit_s, memory_gb)
    finally:
        family.end()
    if running.returncode != 0:
        raise NotComputable("ENGINE_FAILED", f"{name} ended with status {running.returncode}{_last_words(folder)}")


def _watch(running: subprocess.Popen[bytes], family: Family, name: str, time_limit_s: float, memory_gb: float) -> None:
    until = time.monotonic() + time_limit_s
    while running.poll() is None:
        if family.resident_bytes() > memory_gb * BYTES_PER_GB:
            raise NotComputable("ENGINE_FAILED", f"{name} took more than {memory_gb:g} GB of memory and was ended")
        if time.monotonic() >= until:
            raise NotComputable("ENGINE_TIMEOUT", f"{name} took longer than {time_limit_s:g} s and was ended")
        try:
            running.wait(timeout=POLL_S)
        except subprocess.TimeoutExpired:
            continue


def _last_words(folder: Path) -> str:
    """The last line of the log; nothing of the patient is in it, for the program was given none."""
    with (folder / LOG_NAME).open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - SAID_BYTES))
        lines = file.read().decode("utf-8", errors="replace").replace(str(folder), "").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1]}" if said else ""
