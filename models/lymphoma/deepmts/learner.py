"""DeepMTS as a system that learns from the images of a cohort (:mod:`lymphoma.evaluation.learner`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lymphoma.deepmts.config import SHIPPED, read_deepmts_config
from lymphoma.deepmts.export import export_deepmts
from lymphoma.deepmts.field import LONG, BodyField
from lymphoma.deepmts.fit import fit_deepmts
from lymphoma.deepmts.inputs import inputs_of
from lymphoma.deepmts.scoring import scores_of
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.learner import Asked, Learned
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.follow_up import Floats
from lymphoma.training.bundle import Bundle

__all__ = ["LEARNER", "DeepMtsLearner", "way_of"]


def way_of(field: BodyField) -> str:
    """Names how the inputs of a field are prepared; to be renewed with every change of what they hold."""
    size = "x".join(str(edge) for edge in field.size)
    return f"deepmts 1: {size} voxels of {field.edge_mm:g} mm, skull base to mid-thigh"


@dataclass(frozen=True)
class DeepMtsLearner:
    """A :class:`lymphoma.evaluation.learner.Learner`.

    Attributes:
        field: that inputs are prepared in; a configuration of another one cannot be trained on them.
    """

    name: str = "deepmts"
    field: BodyField = LONG

    @property
    def way(self) -> str:
        return way_of(self.field)

    def inputs(self, study: StudyArrays) -> Arrays:
        """See :func:`lymphoma.deepmts.inputs.inputs_of`."""
        return inputs_of(study, self.field)

    def learn(self, cohort: InputCohort, out: Path, asked: Asked, progress: Progress | None = None) -> Learned:
        """Five networks an endpoint, over the folds.

        Raises:
            CannotDo: as :func:`lymphoma.deepmts.fit.fit_deepmts`; ``CONFIG_INVALID``; ``BUNDLE_EXISTS``.
        """
        config = read_deepmts_config(asked.config or SHIPPED)
        config = replace(
            config,
            endpoints=tuple(asked.endpoints),
            rule=asked.rule,
            training=replace(config.training, seed=asked.seed or config.training.seed),
        )
        fit = fit_deepmts(cohort, config, folder=asked.kept, progress=progress)
        bundle = export_deepmts(
            out,
            fit,
            cohort,
            name=asked.name,
            generator=asked.generator,
            keep_out_of_fold=asked.keep_out_of_fold,
            limits=asked.limits,
        )
        return Learned(bundle, tuple(one.fit for one in fit.endpoints), fit.trained, fit.left_out)

    def scores(self, bundle: Bundle, cohort: InputCohort) -> Mapping[str, Floats]:
        """See :func:`lymphoma.deepmts.scoring.scores_of`."""
        return scores_of(bundle, cohort)


LEARNER = DeepMtsLearner()
