"""The scores of a cohort by a bundle of LAMP, for an evaluation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.lamp.ensemble import bag_of_patient, ensemble_of, setup_of
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.system import score_name
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.training.bundle import Bundle

__all__ = ["scores_of"]

Floats = npt.NDArray[np.float64]


def scores_of(bundle: Bundle, cohort: LampCohort) -> dict[str, Floats]:
    """Name of a score -> (n,), in the order of the cohort; NaN for a patient whose measures the heads lack.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: the features are of another lesion network, or of other organs.
        BundleRefused: a part of the bundle cannot be read.
    """
    setup = setup_of(bundle)
    if (setup.network, setup.organ_names) != (cohort.source.network, cohort.source.organ_names):
        raise NotComputable("BUNDLE_MISMATCH", "the cohort's features are of another lesion network, or other organs")
    found: dict[str, Floats] = {}
    for endpoint in (one for one in ENDPOINTS if one in setup.heads):
        heads = ensemble_of(bundle, setup, endpoint)
        risks = np.full(len(cohort), np.nan)
        for at, (pooled, pet) in enumerate(zip(cohort.pooled, cohort.patients.pet, strict=True)):
            try:
                risks[at] = heads.judge(bag_of_patient(pooled, pet, setup.shape)).risk[0]
            except NotComputable:
                continue  # stays unknown, as in a node
        found[score_name(endpoint)] = risks
    return found
