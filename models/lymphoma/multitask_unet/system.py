"""The multi-task U-Net as a system: one PET -> the chance of an event within 24 months."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.multitask_unet.ensemble import ensemble_of, setup_of
from lymphoma.multitask_unet.inputs import WAY, inputs_of
from lymphoma.multitask_unet.range import range_features
from lymphoma.prognosis.system import Scored, StudyArrays
from lymphoma.training.bundle import Bundle

__all__ = ["CHANCE_NAME", "SCORE_NAME", "SYSTEM", "MultitaskUnetSystem", "scores_from"]

CHANCE_NAME = "p_event_24m"
"""Chance of progression or death within 24 months, 0 to 1."""
SCORE_NAME = "multitask_unet"
"""Its log odds, which the survival models of both endpoints read."""


@dataclass(frozen=True)
class MultitaskUnetSystem:
    """A :class:`lymphoma.prognosis.system.PrognosisSystem`. It reads the PET; the lesions only tell what is cut off."""

    name: str = "multitask_unet"
    needs_lesions: bool = True
    needs_whole_body: bool = True

    def score(self, bundle: Bundle, study: StudyArrays) -> Scored:
        """Judges the field below the skull base.

        Raises:
            NotComputable: ``NO_AVID_LESION``, ``OUTSIDE_FIELD``; ``BUNDLE_MISMATCH`` where the networks learned from
                inputs that were prepared otherwise.
            BundleRefused: a part of the bundle cannot be read.
        """
        setup = setup_of(bundle)
        if setup.way != WAY:
            raise NotComputable("BUNDLE_MISMATCH", "the networks learned from inputs that were prepared otherwise")
        inputs = inputs_of(study, setup.size)
        return Scored(scores_from(ensemble_of(bundle, setup).log_odds(inputs)), range_features(inputs))


def scores_from(log_odds: float) -> dict[str, float]:
    """Both scores of a patient."""
    return {CHANCE_NAME: float(1 / (1 + np.exp(-log_odds))), SCORE_NAME: log_odds}


SYSTEM = MultitaskUnetSystem()
