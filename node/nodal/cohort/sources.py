"""Which files a patient's case is read from, and the digest of their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nodal.cohort.images import CT_NAME, PET_NAME, names_path
from nodal.cohort.index import Index
from nodal.cohort.table import Row
from nodal.settings import Settings

__all__ = ["Sources", "sources_of"]

ORGANS_NAME = "organs.nii.gz"
_RULES = "1"
"""Counts up whenever the way from files to arrays changes: every case is then another."""


@dataclass(frozen=True)
class Sources:
    """Where a patient's files lie.

    Attributes:
        references: one contour for each reader. organs: None where no organ map is there.
        no_lesion: as in :class:`nodal.cohort.table.Row`.
    """

    study: Path
    references: tuple[Path, ...]
    organs: Path | None
    no_lesion: bool

    def content(self, index: Index, settings: Settings) -> str:
        """Hex digest over the bytes of every file that is read and the rules they are read by; names do not matter.

        Raises:
            OSError: a file that cannot be read.
        """
        lines = [f"rules {_RULES} {settings.suv.assume_bw} {settings.baseline.allow_followup} {self.no_lesion}"]
        pair = [self.study / PET_NAME, self.study / CT_NAME]
        if any(path.exists() for path in pair):
            lines += [f"{path.name} {index.digest(path)}" for path in pair if path.exists()]
        else:
            lines.append(f"study {index.digest(*_files(self.study, self.organs))}")
        lines += [f"reference {index.digest(path)}" if path.is_file() else "absent" for path in self.references]
        organs = () if self.organs is None else (self.organs, names_path(self.organs))
        lines += [f"organs {index.digest(path)}" if path.is_file() else "absent" for path in organs]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def sources_of(row: Row, root: Path) -> Sources:
    """The files of a row; paths are relative to the cohort folder, or absolute.

    Organs are those the row names, else ``organs.nii.gz`` in the study's folder where it is there.
    """
    study = root / row.study
    beside = study / ORGANS_NAME
    organs = root / row.organs if row.organs else beside if beside.exists() else None
    return Sources(study, tuple(root / name for name in row.references), organs, row.no_lesion)


def _files(study: Path, organs: Path | None) -> list[Path]:
    left_out = () if organs is None else (organs, names_path(organs))
    return [path for path in study.rglob("*") if path.is_file() and path not in left_out]
