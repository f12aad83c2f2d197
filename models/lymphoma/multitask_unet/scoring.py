"""The scores of a cohort by a bundle of the multi-task U-Net, for an evaluation."""

from __future__ import annotations

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.multitask_unet.ensemble import ensemble_of, setup_of
from lymphoma.multitask_unet.inputs import PET, WAY
from lymphoma.multitask_unet.system import CHANCE_NAME, SCORE_NAME, scores_from
from lymphoma.survival.follow_up import Floats
from lymphoma.training.bundle import Bundle

__all__ = ["scores_of"]


def scores_of(bundle: Bundle, cohort: InputCohort) -> dict[str, Floats]:
    """Name of a score -> (n,), in the order of the cohort.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: the inputs have another size, or were prepared otherwise.
        BundleRefused: a part of the bundle cannot be read.
    """
    setup = setup_of(bundle)
    if setup.way != WAY:
        raise NotComputable("BUNDLE_MISMATCH", "the networks learned from inputs that were prepared otherwise")
    ensemble = ensemble_of(bundle, setup)
    found: dict[str, list[float]] = {CHANCE_NAME: [], SCORE_NAME: []}
    for at in range(len(cohort)):
        inputs = cohort.read(at)
        if inputs[PET].shape != setup.size:
            raise NotComputable("BUNDLE_MISMATCH", "the cohort's inputs have another size than the networks'")
        for name, value in scores_from(ensemble.log_odds(inputs)).items():
            found[name].append(value)
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}
