"""The DFR signature as a system that learns from the images of a cohort (:mod:`lymphoma.evaluation.learner`)."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lymphoma.dfr_signature.backbones import Backbone
from lymphoma.dfr_signature.combined import CombinedConfig, OutOfFoldScore, fit_combined_model
from lymphoma.dfr_signature.config import SHIPPED, DfrConfig, read_dfr_config
from lymphoma.dfr_signature.export import export_dfr
from lymphoma.dfr_signature.features import DeepFeatures, kept_features
from lymphoma.dfr_signature.fit import DfrFit, fit_dfr, fit_disjoint, score_name
from lymphoma.dfr_signature.inputs import InputSettings, inputs_of, way_of
from lymphoma.dfr_signature.open_weights import backbone_of
from lymphoma.dfr_signature.range import RANGE_NAMES, range_features
from lymphoma.dfr_signature.scoring import scores_of
from lymphoma.dfr_signature.signature import autogluon
from lymphoma.errors import CannotDo, ConfigInvalid
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.learner import Asked, Learned
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.cross_fit import CrossFit, Progress
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.follow_up import Floats, Ints
from lymphoma.training.bundle import Bundle
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["LEARNER", "CombinedModels", "DfrLearner", "combined_of"]


@dataclass(frozen=True)
class DfrLearner:
    """A :class:`lymphoma.evaluation.learner.Learner`: the signature, and the combined model on its chances.

    Attributes:
        settings: that inputs are prepared by; a configuration of others cannot be trained on them.
    """

    name: str = "dfr_signature"
    settings: InputSettings = InputSettings()

    @property
    def way(self) -> str:
        """See :func:`lymphoma.dfr_signature.inputs.way_of`."""
        return way_of(self.settings)

    def inputs(self, study: StudyArrays) -> Arrays:
        """See :func:`lymphoma.dfr_signature.inputs.inputs_of`."""
        return inputs_of(study, self.settings)

    def learn(
        self,
        cohort: InputCohort,
        out: Path,
        asked: Asked,
        progress: Progress | None = None,
        *,
        others: InputCohort | None = None,
    ) -> Learned:
        """A signature an endpoint, over the folds, or one that learns on ``others``; the combined model in place of its
        own survival where one can be fitted.

        Args:
            progress: features are its first half, signatures the second.

        Raises:
            NotComputable: ``NOT_INSTALLED``: without ``nodal[dfr]``, before anything is read.
            CannotDo: as :func:`lymphoma.dfr_signature.fit.fit_dfr`; ``CONFIG_INVALID``; ``BUNDLE_EXISTS``.
        """
        config = self._config(asked)
        autogluon()
        backbone = backbone_of(config)
        with _kept(asked.kept) as kept:
            fit = _fit(cohort, others, backbone, config, kept, progress)
        combined = combined_of(fit, cohort.patients)
        bundle = export_dfr(
            out,
            fit,
            cohort.patients,
            backbone,
            _statistics(cohort, config),
            name=asked.name,
            generator=asked.generator,
            keep_out_of_fold=asked.keep_out_of_fold,
            limits=(*asked.limits, *combined.limits),
            models=combined.models,
        )
        own: dict[Endpoint, CrossFit] = {one.endpoint: one.fit for one in fit.endpoints}
        fits = {**own, **{endpoint: model for endpoint, (model, _) in combined.models.items()}}
        return Learned(bundle, tuple(fits.values()), fit.trained, fit.left_out)

    def scores(self, bundle: Bundle, cohort: InputCohort) -> Mapping[str, Floats]:
        """See :func:`lymphoma.dfr_signature.scoring.scores_of`."""
        return scores_of(bundle, cohort)

    def _config(self, asked: Asked) -> DfrConfig:
        read = read_dfr_config(asked.config or SHIPPED)
        if read.inputs != self.settings:
            raise ConfigInvalid("CONFIG_INVALID", "the configuration asks for crops that are made otherwise")
        return replace(read, endpoints=tuple(asked.endpoints), rule=asked.rule, seed=asked.seed or read.seed)


@dataclass(frozen=True, eq=False)
class CombinedModels:
    """The combined models of a fit, as :func:`lymphoma.dfr_signature.export.export_dfr` takes them; those that do
    better than chance.

    Attributes:
        limits: sentences for the card.
    """

    models: Mapping[Endpoint, tuple[CrossFit, Ints]]
    limits: tuple[str, ...]


def combined_of(fit: DfrFit, patients: Patients) -> CombinedModels:
    """The combined model of each endpoint's out-of-fold chances.

    Args:
        patients: whom survival was fitted on.
    """
    scores = {
        one.endpoint: OutOfFoldScore(one.index, one.parts, {score_name(one.endpoint): one.probability})
        for one in fit.endpoints
    }
    config = CombinedConfig(fit.config.rule, fit.config.resamples, fit.config.seed)
    try:
        each = fit_combined_model(patients, scores, config)
    except CannotDo as fault:
        return CombinedModels({}, (f"Without the combined model: {fault.reason}.",))
    if not each.trained:
        return CombinedModels({}, ("Without the combined model: it did not order new patients better than chance.",))
    models = {one.endpoint: (one.fit, one.index) for one in each.fits}
    said = tuple(f"Survival of {endpoint.upper()} is that of the combined model." for endpoint in models)
    without = tuple(f"No combined model of {one.upper()}: {reason}." for one, reason in each.left_out.items())
    return CombinedModels(models, (*said, *without))


def _fit(
    cohort: InputCohort,
    others: InputCohort | None,
    backbone: Backbone,
    config: DfrConfig,
    kept: Path,
    progress: Progress | None,
) -> DfrFit:
    count = len(cohort) + (0 if others is None else len(others))

    def features(of: InputCohort, before: int) -> DeepFeatures:
        def tell(done: int, _: int) -> None:
            if progress is not None:
                progress(before + done, 2 * count)

        return kept_features(of, backbone, config, kept / "features", tell)

    def fitted(done: int, of: int) -> None:
        if progress is not None:
            progress(of + done, 2 * of)

    judged = features(cohort, 0)
    # folds that are done serve one cohort and configuration
    named = json.dumps([asdict(config), backbone.digest, cohort.patients.contents], sort_keys=True, default=str)
    folder = kept / hashlib.sha256(named.encode()).hexdigest()[:16]
    if others is None:
        return fit_dfr(cohort.patients, judged, config, folder, progress=fitted)
    taught = features(others, len(cohort))
    return fit_disjoint(others.patients, taught, cohort.patients, judged, config, folder, progress=fitted)


def _statistics(cohort: InputCohort, config: DfrConfig) -> RangeStatistics:
    seen = np.array([range_features(cohort.read(at)) for at in range(len(cohort))])
    return fit_statistics(RANGE_NAMES, seen, config.seed)


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    """The folder, or one that is gone afterwards."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="dfr-") as place:
        yield Path(place)


LEARNER = DfrLearner()
