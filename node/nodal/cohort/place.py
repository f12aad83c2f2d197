"""Files are brought into a cohort folder, as links or as copies."""

from __future__ import annotations

import hashlib
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
    """An identifier as the name of a folder; two identifiers never share one.

    Letters, digits, dash, underscore and inner dots stay, others become a dash; a changed name ends in a short digest.
    """
    name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text).lstrip(".")
    return name if name and name == text else f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
