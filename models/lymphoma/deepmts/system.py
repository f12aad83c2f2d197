"""DeepMTS as a system: PET and CT of the body -> risk of each endpoint; beside it what else its bundle scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

from lymphoma.deepmts.auto_radio import further_scores
from lymphoma.deepmts.ensemble import ensemble_of, score_name, setup_of
from lymphoma.deepmts.inputs import inputs_of
from lymphoma.deepmts.mask import predicted_mask
from lymphoma.deepmts.range import range_features
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.prognosis.system import Scored, StudyArrays
from lymphoma.training.bundle import Bundle

__all__ = ["SYSTEM", "DeepMtsSystem", "FurtherScores", "no_further_scores"]

FurtherScores = Callable[[Bundle, StudyArrays, Callable[[], Volume]], Mapping[str, float]]
"""Scores that a bundle holds beside the networks' (``survival/auto_radio.json``), by name. Given the bundle, the study,
and a function that gives the mask that the networks predict on the PET's grid, for a region as published; it runs the
networks when it is first called."""


def no_further_scores(bundle: Bundle, study: StudyArrays, mask: Callable[[], Volume]) -> Mapping[str, float]:
    """A bundle with the networks alone."""
    return {}


@dataclass(frozen=True)
class DeepMtsSystem:
    """A :class:`lymphoma.prognosis.system.PrognosisSystem`.

    Attributes:
        further: scores beside the networks'.
    """

    name: str = "deepmts"
    needs_lesions: bool = True
    needs_whole_body: bool = True
    further: FurtherScores = no_further_scores

    def score(self, bundle: Bundle, study: StudyArrays) -> Scored:
        """Runs the networks on the body from skull base to mid-thigh.

        Raises:
            NotComputable: as :func:`lymphoma.deepmts.inputs.inputs_of`; ``NO_CLINICAL_RECORD`` where the networks read
                a stage that is not known.
            BundleRefused: a part of the bundle cannot be read.
        """
        setup = setup_of(bundle)
        arrays = inputs_of(study, setup.field)
        known = (endpoint for endpoint in ENDPOINTS if endpoint in setup.networks)
        scores = {score_name(one): ensemble_of(bundle, setup, one).risk(arrays) for one in known}
        mask = cache(partial(predicted_mask, bundle, setup, study))
        further = self.further(bundle, study, mask)
        return Scored({**scores, **further}, range_features(arrays, study.pet))


SYSTEM = DeepMtsSystem(further=further_scores)
