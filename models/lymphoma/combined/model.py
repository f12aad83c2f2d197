"""A combination of systems as it is used: the sub-model for what a patient has, its score, its model of survival."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lymphoma.evaluation.combine import Blend, Passed
from lymphoma.prognosis.covariates import SCORE
from lymphoma.prognosis.model import Endpoint, PrognosticModel
from lymphoma.survival.bootstrap import Interval

__all__ = ["Combined", "CombinedScore", "Part", "SubModel", "score_name"]


def score_name(endpoint: Endpoint) -> str:
    """Name of the combined score among a patient's scores."""
    return f"combined_{endpoint}"


@dataclass(frozen=True)
class Part:
    """A bundle that the combination was fitted with; another bundle of the same system is not what it knows.

    Attributes:
        system: whose linear predictor is the input. digest: of the bundle.
    """

    system: str
    bundle: str
    version: str
    digest: str


@dataclass(frozen=True, eq=False)
class SubModel:
    """Weights and survival for one set of inputs.

    Attributes:
        model: of the single covariate ``score:combined_<endpoint>``, fitted on scores of patients who were left out of
            the fit of the weights. concordance: Harrell's C of these scores, within folds.
    """

    blend: Blend
    model: PrognosticModel
    concordance: Interval


@dataclass(frozen=True)
class CombinedScore:
    """A patient's score and whose it is.

    Attributes:
        unused: inputs that the patient has and the sub-model does not read.
    """

    sub_model: SubModel
    score: float
    unused: tuple[str, ...]

    @property
    def scores(self) -> dict[str, float]:
        """As :class:`lymphoma.prognosis.measures.Prospect` takes it."""
        return {self.sub_model.model.terms[0].name.removeprefix(SCORE): self.score}


@dataclass(frozen=True, eq=False)
class Combined:
    """All sub-models of an endpoint.

    Attributes:
        inputs: names of systems, and "impi". parts: the systems' bundles. sub_models: the fullest first.
        passed: sets of inputs without a sub-model, and why.
    """

    endpoint: Endpoint
    inputs: tuple[str, ...]
    parts: tuple[Part, ...]
    sub_models: tuple[SubModel, ...]
    passed: tuple[Passed, ...]

    @property
    def full(self) -> SubModel | None:
        """The sub-model of all inputs."""
        return next((one for one in self.sub_models if set(one.blend.inputs) == set(self.inputs)), None)

    def judge(self, linear_predictors: Mapping[str, float]) -> CombinedScore | None:
        """The score of a patient by the sub-model for exactly what is known; where it has none, by the fullest within.

        Args:
            linear_predictors: by input, of the systems before any recalibration; NaN or absent is not known.

        Returns:
            None where no sub-model can judge.
        """
        known = {name for name in self.inputs if math.isfinite(linear_predictors.get(name, math.nan))}
        able = [one for one in self.sub_models if set(one.blend.inputs) <= known]
        if not able:
            return None
        best = max(able, key=lambda one: (len(one.blend.inputs), one.blend.events))
        unused = tuple(name for name in self.inputs if name in known and name not in best.blend.used)
        return CombinedScore(best, best.blend.score(linear_predictors), unused)
