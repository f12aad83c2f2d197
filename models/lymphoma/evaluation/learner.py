"""A system that learns from the images of a cohort: what ``nodal train`` and ``nodal evaluate`` ask of its room."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.prognosis.cross_fit import CrossFit, Progress
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import SYSTEMS, StudyArrays
from lymphoma.survival.follow_up import Floats
from lymphoma.training.bundle import Bundle

__all__ = ["Asked", "Learned", "Learner", "installed_learners"]


@dataclass(frozen=True)
class Asked:
    """How a bundle is to be trained.

    Attributes:
        name: of the bundle. generator: of virtual patients, None for others. rule: of the risk groups' cut-offs.
        keep_out_of_fold: predictions of the training patients go into the bundle. limits: sentences for its card.
        config: a file in place of the shipped configuration. kept: folder where finished folds are kept, so that a run
            that was killed goes on; None keeps nothing.
    """

    name: str
    generator: str | None = None
    endpoints: Sequence[Endpoint] = ("pfs", "os")
    rule: CutOffRule = "youden_24m"
    seed: int = 0
    keep_out_of_fold: bool = True
    limits: Sequence[str] = ()
    config: Path | None = None
    kept: Path | None = None


@dataclass(frozen=True, eq=False)
class Learned:
    """A bundle that was made.

    Attributes:
        fits: one for each endpoint. trained: whether they may speak. left_out: endpoint -> why there is no model of it.
    """

    bundle: Bundle
    fits: tuple[CrossFit, ...]
    trained: bool
    left_out: Mapping[Endpoint, str]


class Learner(Protocol):
    """What a room's ``learner.py`` offers as ``LEARNER``."""

    @property
    def name(self) -> str:
        """One of :data:`lymphoma.prognosis.system.SYSTEMS`."""
        ...

    @property
    def way(self) -> str:
        """Names how :meth:`inputs` are prepared; another way gives other inputs."""
        ...

    def inputs(self, study: StudyArrays) -> Arrays:
        """What the system reads of a study.

        Raises:
            NotComputable: the study cannot be read by this system.
        """
        ...

    def learn(
        self,
        cohort: InputCohort,
        out: Path,
        asked: Asked,
        progress: Progress | None = None,
        *,
        others: InputCohort | None = None,
    ) -> Learned:
        """Trains over the folds of a cohort and writes a bundle at ``out``.

        Args:
            others: patients to train the networks on in place of the folds; the cohort then tells how they do and fits
                survival.

        Raises:
            CannotDo: with the code of the first endpoint, where none can be fitted.
        """
        ...

    def scores(self, bundle: Bundle, cohort: InputCohort) -> Mapping[str, Floats]:
        """Name of a score -> (n,), in the order of the cohort; NaN where it could not be computed."""
        ...


def installed_learners() -> dict[str, Learner]:
    """The learners whose room is there, by system, in the order of :data:`lymphoma.prognosis.system.SYSTEMS`."""
    rooms = (name for name in SYSTEMS if find_spec(f"lymphoma.{name}") and find_spec(f"lymphoma.{name}.learner"))
    return {name: importlib.import_module(f"lymphoma.{name}.learner").LEARNER for name in rooms}
