"""Programs of somebody else's: their failures have codes, and nothing that they started stays."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from lymphoma.errors import NotComputable
from lymphoma.inference.external import run_external

pytestmark = pytest.mark.unit

LONG_S = 60.0
"""Longer than any of these programs may run."""

FORKS = """
import os, sys, time
from pathlib import Path
if os.fork() == 0:
    if {leaves_session}:
        os.setsid()
        if os.fork():
            os._exit(0)
    Path("child").write_text(str(os.getpid()))
    time.sleep(60)
time.sleep({parent_s})
"""


def script(folder: Path, text: str) -> list[str]:
    (folder / "script.py").write_text(text)
    return [sys.executable, "script.py"]


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_a_program_runs_in_its_folder(tmp_path: Path) -> None:
    command = script(tmp_path, "import os; open('made', 'w').write(os.environ['EXTRA'])")
    run_external(command, tmp_path, LONG_S, 1.0, environment={"EXTRA": "given"})
    assert (tmp_path / "made").read_text() == "given"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotComputable, match="no_such_program") as raised:
        run_external(["no_such_program"], tmp_path, LONG_S, 1.0)
    assert raised.value.code == "ENGINE_MISSING"


def test_a_program_that_fails_says_its_last_words(tmp_path: Path) -> None:
    command = script(tmp_path, "raise SystemExit('weights are missing in ' + __import__('os').getcwd())")
    with pytest.raises(NotComputable, match="status 1: weights are missing") as raised:
        run_external(command, tmp_path, LONG_S, 1.0)
    assert raised.value.code == "ENGINE_FAILED"
    assert str(tmp_path) not in raised.value.reason


def test_a_program_that_hangs_is_ended_though_it_ignores_the_request(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)",
    )
    began = time.monotonic()
    with pytest.raises(NotComputable) as raised:
        run_external(command, tmp_path, 1.0, 1.0)
    assert raised.value.code == "ENGINE_TIMEOUT"
    assert gone(int((tmp_path / "pid").read_text()))
    assert time.monotonic() - began < 20  # the limit, the grace, and a busy machine


@pytest.mark.parametrize("leaves_session", [False, True])
def test_no_child_outlives_a_program_that_hangs(tmp_path: Path, leaves_session: bool) -> None:
    command = script(tmp_path, FORKS.format(leaves_session=leaves_session, parent_s=60))
    with pytest.raises(NotComputable):
        run_external(command, tmp_path, 1.5, 1.0)
    assert gone(int((tmp_path / "child").read_text()))


def test_no_child_outlives_a_program_that_ends_well(tmp_path: Path) -> None:
    run_external(script(tmp_path, FORKS.format(leaves_session=False, parent_s=0.5)), tmp_path, LONG_S, 1.0)
    assert gone(int((tmp_path / "child").read_text()))


def test_memory_counts_over_all_processes(tmp_path: Path) -> None:
    hungry = "import os, time\nos.fork()\nheld = bytearray(os.urandom(1)) * 80_000_000\ntime.sleep(60)"
    with pytest.raises(NotComputable, match="memory") as raised:
        run_external(script(tmp_path, hungry), tmp_path, LONG_S, 0.15)  # one alone holds 0.09 GB
    assert raised.value.code == "ENGINE_FAILED"
    with pytest.raises(NotComputable) as raised:
        run_external(script(tmp_path, hungry.replace("os.fork()", "")), tmp_path, 2.0, 0.15)
    assert raised.value.code == "ENGINE_TIMEOUT"


def test_an_interrupt_ends_the_program(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "import os, signal, time\nopen('pid', 'w').write(str(os.getpid()))\n"
        f"os.kill({os.getpid()}, signal.SIGINT)\ntime.sleep(60)",
    )
    # a shell that starts a job in the background has it ignore SIGINT, which Python then leaves as it is
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_external(command, tmp_path, LONG_S, 1.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(int((tmp_path / "pid").read_text()))
