"""Studies as NIfTI with an organ map beside: what an anatomy network can be judged on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lymphoma.anatomy.organs import GivenAnatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Case, Subject
from lymphoma.training.files import file_sha256

__all__ = ["MappedFolder"]

PET, CT, ORGANS, NAMES, LESIONS = "pet_suv.nii.gz", "ct_hu.nii.gz", "organs.nii.gz", "organs.json", "lesions.nii.gz"
OUTSIDE_HU = -1024.0


@dataclass(frozen=True)
class MappedFolder:
    """All studies below a folder that have PET, CT and an organ map; a :class:`lymphoma.training.case.Cohort`.

    ``organs.json`` (label -> name) stands beside each map, or once at the top for all. Lesions are read where
    ``lesions.nii.gz`` is there.

    Attributes:
        most: so many are taken, in the order of their paths.
    """

    folder: Path
    most: int

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def virtual(self) -> bool:
        return False

    @cached_property
    def subjects(self) -> Sequence[Subject]:
        """A patient each, by the path below the folder.

        Raises:
            NotComputable: NO_ANATOMY, there is no such study.
        """
        found = sorted(path.parent for path in self.folder.rglob(PET) if (path.parent / ORGANS).is_file())
        if not found:
            raise NotComputable("NO_ANATOMY", f"{self.name} holds no study with {PET} and {ORGANS}")
        return tuple(
            Subject(one.relative_to(self.folder).as_posix(), self.name, ClinicalFactors(), None, None, _content(one))
            for one in found[: self.most]
        )

    def load(self, subject: Subject) -> Case:
        """One study on the PET grid.

        Raises:
            NotComputable: NO_ANATOMY, the organ map has no names.
        """
        study = self.folder / subject.patient_id
        suv = _values(study / PET)
        ct = resample_like(_values(study / CT), suv, fill=OUTSIDE_HU, interpolation="linear")
        anatomy = GivenAnatomy(Volume.load(study / ORGANS), self._names(study)).find(suv, ct)
        lesions = Volume.load(study / LESIONS) if (study / LESIONS).is_file() else None
        if lesions is not None and not lesions.same_grid(suv):
            lesions = resample_like(lesions, suv, fill=0, interpolation="nearest")
        return Case(subject, suv, ct, lesions, anatomy)

    def _names(self, study: Path) -> dict[int, str]:
        file = next((one for one in (study / NAMES, self.folder / NAMES) if one.is_file()), None)
        if file is None:
            raise NotComputable("NO_ANATOMY", f"there is no {NAMES} beside the organ map of {study.name}")
        return {int(label): name for label, name in json.loads(file.read_text(encoding="utf-8")).items()}


def _values(path: Path) -> Volume:
    volume = Volume.load(path)
    return volume.with_array(volume.array.astype(np.float32))


def _content(study: Path) -> str:
    files = [study / name for name in (PET, CT, ORGANS, LESIONS) if (study / name).is_file()]
    return hashlib.sha256("".join(file_sha256(file) for file in files).encode()).hexdigest()
