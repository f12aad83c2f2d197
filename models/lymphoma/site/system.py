"""The site's clinical PET model as a system: it reads covariates only, so that there is nothing to compute."""

from __future__ import annotations

from dataclasses import dataclass

from lymphoma.prognosis.system import Scored, StudyArrays
from lymphoma.site.features import range_features
from lymphoma.training.bundle import Bundle

__all__ = ["SYSTEM", "SiteSystem"]


@dataclass(frozen=True)
class SiteSystem:
    """A :class:`lymphoma.prognosis.system.PrognosisSystem` without networks and without scores.

    A patient without an avid lesion has no SUVpeak and no distance; such patients are not among those it was fitted on,
    so that it does not judge them.
    """

    name: str = "site"
    needs_lesions: bool = True
    needs_whole_body: bool = True

    def score(self, bundle: Bundle, study: StudyArrays) -> Scored:
        """No score; the features of the range check."""
        return Scored({}, range_features(study.pet))


SYSTEM = SiteSystem()
