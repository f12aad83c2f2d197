"""The scores of a cohort by a bundle of the signature, for an evaluation."""

from __future__ import annotations

import numpy as np

from lymphoma.dfr_signature.ensemble import ensemble_of, setup_of
from lymphoma.dfr_signature.fit import score_name
from lymphoma.dfr_signature.inputs import way_of
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.survival.follow_up import Floats
from lymphoma.training.bundle import Bundle

__all__ = ["scores_of"]


def scores_of(bundle: Bundle, cohort: InputCohort) -> dict[str, Floats]:
    """Name of a score -> (n,), in the order of the cohort.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``, ``NOT_INSTALLED``. BundleRefused: a part of the bundle cannot be read.
    """
    setup = setup_of(bundle)
    if setup.way != way_of(setup.config.inputs):
        raise NotComputable("BUNDLE_MISMATCH", "the signature learned from crops that were made otherwise")
    opened = ensemble_of(bundle, setup)
    each = [opened.scores(cohort.read(at)) for at in range(len(cohort))]
    names = [score_name(endpoint) for endpoint in opened.signatures]
    return {name: np.array([one[name] for one in each], dtype=np.float64) for name in names}
