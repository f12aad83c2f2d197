"""DeepMTS as a system that learns from the images of a cohort (:mod:`lymphoma.evaluation.learner`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lymphoma.deepmts.auto_radio import ARRAY, features_of, radiomics_of
from lymphoma.deepmts.config import SHIPPED, read_deepmts_config
from lymphoma.deepmts.export import export_deepmts
from lymphoma.deepmts.field import LONG, BodyField
from lymphoma.deepmts.fit import DeepMtsFit, fit_deepmts, fit_disjoint
from lymphoma.deepmts.inputs import inputs_of
from lymphoma.deepmts.nomogram import MtdlrConfig, OutOfFoldRisk, fit_mtdlr, for_bundle
from lymphoma.deepmts.scoring import scores_of
from lymphoma.errors import CannotDo, NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.learner import Asked, Learned
from lymphoma.prognosis.cross_fit import CrossFit, Progress
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays
from lymphoma.radiomics import NAMES, TOO_SMALL, RadiomicsSettings
from lymphoma.survival.follow_up import Floats, Ints
from lymphoma.training.bundle import Bundle

__all__ = ["LEARNER", "DeepMtsLearner", "Drawn", "nomogram_of", "way_of"]


def way_of(field: BodyField) -> str:
    """Names how the inputs of a field are prepared; to be renewed with every change of what they hold."""
    size = "x".join(str(edge) for edge in field.size)
    return f"deepmts 1: {size} voxels of {field.edge_mm:g} mm, skull base to mid-thigh"


@dataclass(frozen=True)
class DeepMtsLearner:
    """A :class:`lymphoma.evaluation.learner.Learner`: the networks, and the MTDLR nomogram on their risk.

    Attributes:
        field: that inputs are prepared in; a configuration of another one cannot be trained on them.
        radiomics: how the features of AutoRadio are extracted; None leaves them out, for networks alone.
    """

    name: str = "deepmts"
    field: BodyField = LONG
    radiomics: RadiomicsSettings | None = RadiomicsSettings()

    @property
    def way(self) -> str:
        return way_of(self.field) if self.radiomics is None else f"{way_of(self.field)}; {self.radiomics.way}"

    def inputs(self, study: StudyArrays) -> Arrays:
        """What the networks read (:func:`lymphoma.deepmts.inputs.inputs_of`), and the radiomics of the lesions, NaN
        where they are too small to have any."""
        arrays = inputs_of(study, self.field)
        if self.radiomics is None:
            return arrays
        try:
            features = radiomics_of(study, settings=self.radiomics)
        except NotComputable as fault:
            if fault.code != TOO_SMALL:
                raise
            features = {ARRAY: np.full(len(NAMES), np.nan)}
        return {**arrays, **features}

    def learn(
        self,
        cohort: InputCohort,
        out: Path,
        asked: Asked,
        progress: Progress | None = None,
        *,
        others: InputCohort | None = None,
    ) -> Learned:
        """Five networks an endpoint, over the folds, or one that learns on ``others``; the nomogram in place of their
        own survival where one can be fitted.

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
        if others is None:
            fit = fit_deepmts(cohort, config, folder=asked.kept, progress=progress)
        else:
            fit = fit_disjoint(others, cohort, config, folder=asked.kept, progress=progress)
        drawn = nomogram_of(fit, cohort, self.radiomics) if self.radiomics else Drawn({}, {}, ())
        bundle = export_deepmts(
            out,
            fit,
            cohort,
            name=asked.name,
            generator=asked.generator,
            keep_out_of_fold=asked.keep_out_of_fold,
            limits=(*asked.limits, *drawn.limits),
            models=drawn.models,
            further=drawn.further,
        )
        own = {one.networks.endpoint: one.fit for one in fit.endpoints}
        fits = {**own, **{endpoint: model for endpoint, (model, _) in drawn.models.items()}}
        return Learned(bundle, tuple(fits.values()), fit.trained, fit.left_out)

    def scores(self, bundle: Bundle, cohort: InputCohort) -> Mapping[str, Floats]:
        """See :func:`lymphoma.deepmts.scoring.scores_of`."""
        return scores_of(bundle, cohort)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The nomogram of a fit, as :func:`lymphoma.deepmts.export.export_deepmts` takes it; empty where there is none.

    Attributes:
        limits: sentences for the card.
    """

    models: Mapping[Endpoint, tuple[CrossFit, Ints]]
    further: Mapping[str, str]
    limits: tuple[str, ...]


def nomogram_of(fit: DeepMtsFit, cohort: InputCohort, settings: RadiomicsSettings) -> Drawn:
    """The MTDLR nomogram of the networks' out-of-fold risk and the radiomics of the cohort's lesions.

    Args:
        cohort: whom survival was fitted on.
    """
    risks = {
        one.networks.endpoint: OutOfFoldRisk(one.networks.index, one.networks.parts, one.networks.risk)
        for one in fit.endpoints
    }
    config = MtdlrConfig(rule=fit.config.rule, resamples=fit.config.resamples, seed=fit.config.training.seed)
    try:
        each = fit_mtdlr(cohort.patients, features_of(cohort), risks, config)
    except CannotDo as fault:
        return Drawn({}, {}, (f"Without the MTDLR nomogram: {fault.reason}.",))
    if not each.trained:
        return Drawn({}, {}, ("Without the MTDLR nomogram: it did not order new patients better than chance.",))
    models, further = for_bundle(each.fits, "lesions", settings)
    without = tuple(f"No MTDLR nomogram of {one.upper()}: {reason}." for one, reason in each.left_out.items())
    return Drawn(models, further, ("Survival is that of the MTDLR nomogram.", *without))


LEARNER = DeepMtsLearner()
