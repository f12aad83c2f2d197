"""What draws the pages: other fonts or another library draw other bytes, and other bytes are another UID."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from nodal.report.fonts import SYSTEM_FOLDERS

__all__ = ["drawn_with"]

LIBRARIES = ("reportlab", "rl_accel", "uharfbuzz", "python-bidi", "fonttools", "pypdfium2", "pillow")


@cache
def drawn_with() -> tuple[str, ...]:
    """Versions of the drawing libraries, and name and size in bytes of every Noto font file that they may use."""
    fonts = sorted(
        f"{path.name} {path.stat().st_size}" for folder in SYSTEM_FOLDERS for path in folder.glob("NotoSans*.tt[fc]")
    )
    return (*(f"{name} {version(name)}" for name in LIBRARIES), *fonts)
