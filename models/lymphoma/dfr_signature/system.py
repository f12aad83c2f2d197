"""The DFR signature as a system: PET, CT and the lesions -> the chance of an event, of each endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from lymphoma.dfr_signature.ensemble import ensemble_of, setup_of
from lymphoma.dfr_signature.inputs import inputs_of, way_of
from lymphoma.dfr_signature.range import range_features
from lymphoma.errors import NotComputable
from lymphoma.prognosis.system import Scored, StudyArrays
from lymphoma.training.bundle import Bundle

__all__ = ["SYSTEM", "DfrSystem"]


@dataclass(frozen=True)
class DfrSystem:
    """A :class:`lymphoma.prognosis.system.PrognosisSystem`. It reads the section with the largest lesion area, and of a
    partial field of view that may be another one."""

    name: str = "dfr_signature"
    needs_lesions: bool = True
    needs_whole_body: bool = True

    def score(self, bundle: Bundle, study: StudyArrays) -> Scored:
        """Crops, features and the signatures.

        Raises:
            NotComputable: as :func:`lymphoma.dfr_signature.inputs.inputs_of`; ``NOT_INSTALLED`` without the extra
                ``nodal[dfr]``; ``BUNDLE_MISMATCH`` where crops were made otherwise when it learned.
            BundleRefused: a part of the bundle cannot be read.
        """
        setup = setup_of(bundle)
        if setup.way != way_of(setup.config.inputs):
            raise NotComputable("BUNDLE_MISMATCH", "the signature learned from crops that were made otherwise")
        opened = ensemble_of(bundle, setup)  # what is not installed is said before a second is spent on the images
        arrays = inputs_of(study, setup.config.inputs)
        return Scored(opened.scores(arrays), range_features(arrays))


SYSTEM = DfrSystem()
