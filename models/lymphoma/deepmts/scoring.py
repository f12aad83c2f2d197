"""The scores of a cohort by a bundle of DeepMTS, for an evaluation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lymphoma.deepmts.auto_radio import WORDS, AutoRadio, features_of
from lymphoma.deepmts.ensemble import ensemble_of, score_name, setup_of
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.training.bundle import Bundle

__all__ = ["scores_of"]

Floats = npt.NDArray[np.float64]


def scores_of(bundle: Bundle, cohort: InputCohort) -> dict[str, Floats]:
    """Name of a score -> (n,), in the order of the cohort; NaN for a patient whose stage the networks lack.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: the inputs are of another field; ``FEATURES_UNREADABLE``.
        BundleRefused: a part of the bundle cannot be read.
    """
    setup = setup_of(bundle)
    found: dict[str, Floats] = {}
    for endpoint in (one for one in ENDPOINTS if one in setup.networks):
        networks = ensemble_of(bundle, setup, endpoint)
        risks = np.full(len(cohort), np.nan)
        for at in range(len(cohort)):
            try:
                risks[at] = networks.risk(cohort.read(at))
            except NotComputable as fault:
                if fault.code != "NO_CLINICAL_RECORD":
                    raise
        found[score_name(endpoint)] = risks
    for word in WORDS:
        if (text := bundle.further(word)) is not None:
            found |= AutoRadio.from_json(text).scores(features_of(cohort))
    return found
