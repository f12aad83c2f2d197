"""The multi-task U-Net as a learner of a cohort (:mod:`lymphoma.evaluation.learner`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.learner import Asked, Learned
from lymphoma.multitask_unet.config import SHIPPED, MultitaskConfig, read_multitask_config
from lymphoma.multitask_unet.export import export_multitask_unet
from lymphoma.multitask_unet.fit import fit_disjoint, fit_multitask_unet
from lymphoma.multitask_unet.inputs import WAY, inputs_of
from lymphoma.multitask_unet.scoring import scores_of
from lymphoma.multitask_unet.shape import SMALL_SIZE, Size
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.follow_up import Floats
from lymphoma.training.bundle import Bundle

__all__ = ["LEARNER", "MultitaskUnetLearner"]


@dataclass(frozen=True)
class MultitaskUnetLearner:
    """A :class:`lymphoma.evaluation.learner.Learner`.

    Attributes:
        size: of the inputs, voxels (k, j, i); a configuration of another one cannot be trained on them.
    """

    name: str = "multitask_unet"
    size: Size = SMALL_SIZE

    @property
    def way(self) -> str:
        """The field, and the size that it is brought to."""
        return f"{WAY}; {'x'.join(map(str, self.size))}"

    def inputs(self, study: StudyArrays) -> Arrays:
        """See :func:`lymphoma.multitask_unet.inputs.inputs_of`."""
        return inputs_of(study, self.size)

    def learn(
        self,
        cohort: InputCohort,
        out: Path,
        asked: Asked,
        progress: Progress | None = None,
        *,
        others: InputCohort | None = None,
    ) -> Learned:
        """Trains over the folds of a cohort, or on ``others``, and writes a bundle at ``out``.

        Raises:
            CannotDo: as :func:`lymphoma.multitask_unet.fit.fit_multitask_unet`; ``CONFIG_INVALID``.
        """
        config = _config(asked)
        if others is None:
            fit = fit_multitask_unet(cohort, config, folder=asked.kept, progress=progress)
        else:
            fit = fit_disjoint(others, cohort, config, folder=asked.kept, progress=progress)
        bundle = export_multitask_unet(
            out,
            fit,
            cohort,
            name=asked.name,
            generator=asked.generator,
            keep_out_of_fold=asked.keep_out_of_fold,
            limits=asked.limits,
        )
        return Learned(bundle, tuple(one.survival for one in fit.endpoints), fit.trained, fit.left_out)

    def scores(self, bundle: Bundle, cohort: InputCohort) -> Mapping[str, Floats]:
        """See :func:`lymphoma.multitask_unet.scoring.scores_of`."""
        return scores_of(bundle, cohort)


def _config(asked: Asked) -> MultitaskConfig:
    read = read_multitask_config(asked.config or SHIPPED)
    return replace(read, endpoints=tuple(asked.endpoints), rule=asked.rule, seed=asked.seed)


LEARNER = MultitaskUnetLearner()
