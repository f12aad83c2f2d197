"""What a study is to the node: series of files, and what was chosen of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom import Dataset

from nodal.errors import Code

__all__ = ["Baseline", "PassedFile", "Selection", "SeriesDecision", "SeriesFiles", "StudyFiles"]

Baseline = Literal["confirmed", "assumed"]


@dataclass(frozen=True, eq=False)
class SeriesFiles:
    """One series as files on disk.

    Attributes:
        paths: one file per instance.
        headers: the data sets without pixel data, in the order of ``paths``.
    """

    series_instance_uid: str
    modality: str
    paths: tuple[Path, ...]
    headers: tuple[Dataset, ...]


@dataclass(frozen=True)
class PassedFile:
    """A file that could not be read, and why; with its series, where the file still tells it."""

    path: Path
    code: Code
    reason: str
    series_instance_uid: str | None = None


@dataclass(frozen=True, eq=False)
class StudyFiles:
    """All series of one study found in a folder, and the files that could not be read."""

    study_instance_uid: str
    series: tuple[SeriesFiles, ...]
    unreadable: tuple[PassedFile, ...] = ()


@dataclass(frozen=True)
class SeriesDecision:
    """What became of one series in selection: used as PET or CT, or passed over, and the reason in a sentence."""

    series_instance_uid: str
    modality: str
    used_as: Literal["pet", "ct"] | None
    reason: str


@dataclass(frozen=True, eq=False)
class Selection:
    """The PET and CT chosen from a study.

    Attributes:
        series: a decision for every series of the study, in ascending order of series UID.
        baseline: confirmed by the record or the descriptions, else assumed.
        virtual: every selected instance says that it is a simulated patient (the private block and
            Quality Control Subject YES).
        warnings: what was accepted with a doubt, as (code or short name, sentence).
    """

    study_instance_uid: str
    pet: SeriesFiles
    ct: SeriesFiles
    series: tuple[SeriesDecision, ...]
    baseline: Baseline
    virtual: bool
    warnings: tuple[tuple[str, str], ...] = ()
