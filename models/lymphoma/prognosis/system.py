"""What a published system is to everybody else: a room with a ``system.py`` that offers ``SYSTEM``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.pooled import FeaturePooler
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.bundle import Bundle

__all__ = ["SYSTEMS", "PrognosisSystem", "Scored", "StudyArrays", "installed_systems"]

SYSTEMS = ("lamp", "multitask_unet", "deepmts", "dfr_signature", "site")
"""Names that a system may have; "site" is the site's own clinical PET model."""


@dataclass(frozen=True, eq=False)
class StudyArrays:
    """A study as a system may look at it.

    Attributes:
        suv, ct_hu, lesion_map: on the PET grid; SUV in g/mL, HU, labels 1..n.
        pooler: of the lesion network; None where no lesion network is installed.
        accepted: numbers of the lesions that count; None where all of ``lesion_map`` do. ``pet`` is of these alone.
    """

    suv: Volume
    ct_hu: Volume
    lesion_map: Volume
    anatomy: Anatomy
    clinical: ClinicalFactors
    pet: PetMeasures
    pooler: FeaturePooler | None = None
    accepted: tuple[int, ...] | None = None

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """Voxels of the lesions that count."""
        labels = self.lesion_map.array
        return np.asarray(labels > 0 if self.accepted is None else np.isin(labels, self.accepted))


@dataclass(frozen=True)
class Scored:
    """What a system computes itself, before any model of survival.

    Attributes:
        scores: by the names of the interface; empty for a system that reads covariates only.
        features: what the range check compares with the training patients, in the order of the bundle's statistics.
        attention: number of a lesion -> weight, adding up to 1.
        context: number of a lesion -> the organs that it was compared with most, each with its weight, the first most.
    """

    scores: Mapping[str, float]
    features: tuple[float, ...]
    attention: Mapping[int, float] = field(default_factory=dict)
    context: Mapping[int, tuple[tuple[str, float], ...]] = field(default_factory=dict)


class PrognosisSystem(Protocol):
    """A system as the node runs it. Its survival follows from the bundle's prognostic models and ``scores``."""

    @property
    def name(self) -> str:
        """One of :data:`SYSTEMS`."""
        ...

    @property
    def needs_lesions(self) -> bool:
        """Whether a study without an avid lesion cannot be judged."""
        ...

    @property
    def needs_whole_body(self) -> bool:
        """Whether a partial field of view cannot be judged."""
        ...

    def score(self, bundle: Bundle, study: StudyArrays) -> Scored:
        """Runs the networks of a bundle on a study.

        Raises:
            NotComputable: with the code of what is missing.
        """
        ...


def installed_systems() -> dict[str, PrognosisSystem]:
    """The systems whose room is there, in the order of :data:`SYSTEMS`."""
    rooms = (name for name in SYSTEMS if find_spec(f"lymphoma.{name}") and find_spec(f"lymphoma.{name}.system"))
    return {name: importlib.import_module(f"lymphoma.{name}.system").SYSTEM for name in rooms}
