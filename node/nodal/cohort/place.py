"""Files are brought into a cohort folder, as links or as copies."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["place", "safe_name"]


def place(source: Path, target: Path, *, copy: bool) -> None:
    """Brings one file into the cohort as a copy or as a link to where it lies; what was there is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if copy:
        shutil.copy2(source, target)
    else:
        target.symlink_to(source.resolve())


def safe_name(text: str) -> str:
    """An identifier as the name of a folder: letters, digits, dot, dash and underscore stay, others become a dash."""
    name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text)
    return name.lstrip(".") or "-"
