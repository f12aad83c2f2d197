"""Independent validators as functions: what dciodvfy and dsrdump say of an object."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

__all__ = ["dciodvfy_errors", "dsrdump", "new_errors"]

VR_CHECKER_HAS_NO_UTF8 = "W: The VR checker does not support this Specific Character Set: ISO_IR 192"


def dciodvfy_errors(path: Path) -> list[str]:
    """Lines of dciodvfy that begin with Error."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    assert "Error - can't" not in said or said.count("\n") > 1, said
    return [line for line in said.splitlines() if line.startswith("Error")]


def _subject(error: str) -> str:
    """What an error is about, without the value that it quotes."""
    return re.sub(r"=\s*<[^>]*>", "", error)


def new_errors(result: Path, source: Path) -> tuple[list[str], list[str]]:
    """(errors of the result's own, errors that dciodvfy reports of the source's same attribute too)."""
    inherited_subjects = {_subject(error) for error in dciodvfy_errors(source)}
    errors = dciodvfy_errors(result)
    inherited = [error for error in errors if _subject(error) in inherited_subjects]
    return [error for error in errors if error not in inherited], inherited


def dsrdump(path: Path) -> str:
    """The SR as DCMTK reads it; warnings and errors of its reader make it fail.

    One line is a false alarm: DCMTK's VR checker does not know UTF-8, which PS3.3 C.12.1.1.2 (table C.12-5) allows.
    """
    done = subprocess.run(["dsrdump", "-v", str(path)], capture_output=True, text=True, errors="replace", check=False)
    faults = [line for line in (done.stdout + done.stderr).splitlines() if re.match(r"^[EWF]: ", line)]
    faults = [line for line in faults if line != VR_CHECKER_HAS_NO_UTF8]
    assert done.returncode == 0, done.stderr
    assert not faults, faults
    return done.stdout
