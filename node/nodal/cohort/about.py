"""``cohort.json``: what a cohort says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nodal.errors import Code, Refused

__all__ = ["ABOUT_NAME", "About"]

ABOUT_NAME = "cohort.json"


@dataclass(frozen=True)
class About:
    """``cohort.json``, which may stand beside the table.

    Attributes:
        name: in reports and cards. virtual: the patients are simulated. note: what a reader must know of the cohort.
    """

    name: str
    virtual: bool = False
    note: str = ""

    @classmethod
    def read(cls, folder: Path) -> About:
        """What the folder says of itself; its own name where it says nothing.

        Raises:
            Refused: COHORT_TABLE, a file that is there and cannot be read: it may say that patients are simulated.
        """
        path = folder / ABOUT_NAME
        if not path.exists():
            return cls(folder.resolve().name)
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            virtual = told.get("virtual", False)
            if not isinstance(virtual, bool):
                raise ValueError("virtual is true or false")
            return cls(str(told.get("name") or folder.resolve().name), virtual, str(told.get("note") or ""))
        except (OSError, ValueError, AttributeError) as fault:
            raise Refused(Code.COHORT_TABLE, f"{ABOUT_NAME} cannot be read") from fault

    def write(self, folder: Path) -> None:
        """Writes the file into a cohort folder."""
        (folder / ABOUT_NAME).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
