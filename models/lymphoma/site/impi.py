"""Where an IMPI lies among the patients of a cohort: all that can be said of it without its unpublished baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from lymphoma.errors import BundleRefused
from lymphoma.evaluation.patients import Patients
from lymphoma.survival.indices import impi_linear_predictor
from lymphoma.training.bundle import Bundle

__all__ = ["IMPI_WORD", "ImpiCohort", "impi_cohort", "impi_cohort_of"]

IMPI_WORD = "impi"
"""Names the file in a bundle: ``survival/impi.json``."""
LEAST_PATIENTS = 100
"""With fewer, a percentile would rest on single patients."""


@dataclass(frozen=True)
class ImpiCohort:
    """The linear predictors of a cohort.

    Attributes:
        n: patients with age, stage and TMTV. percentiles: at 0, 1, ... 100 %.
    """

    n: int
    percentiles: tuple[float, ...]

    def percentile(self, linear_predictor: float) -> float:
        """0..100: the share of the cohort at or below."""
        shares = np.arange(len(self.percentiles), dtype=np.float64)
        return float(np.interp(linear_predictor, self.percentiles, shares))

    def to_json(self) -> str:
        """As :func:`impi_cohort_of` reads it."""
        return json.dumps({"n": self.n, "percentiles": list(self.percentiles)})


def impi_cohort(patients: Patients) -> ImpiCohort | None:
    """The distribution of the IMPI among patients with an avid lesion; None with fewer than 100 of them."""
    values = [
        impi_linear_predictor(pet.tmtv_ml, clinical.age_years, clinical.stage)
        for clinical, pet in zip(patients.clinical, patients.pet, strict=True)
        if pet.tmtv_ml and clinical.age_years is not None and clinical.stage is not None
    ]
    if len(values) < LEAST_PATIENTS:
        return None
    return ImpiCohort(len(values), tuple(np.percentile(values, np.arange(101)).tolist()))


def impi_cohort_of(bundle: Bundle) -> ImpiCohort | None:
    """What a bundle keeps of its training cohort's IMPI; None where it keeps none.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``.
    """
    if (text := bundle.further(IMPI_WORD)) is None:
        return None
    try:
        data = json.loads(text)
        found = ImpiCohort(int(data["n"]), tuple(float(value) for value in data["percentiles"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the distribution of the IMPI cannot be read") from error
    if len(found.percentiles) != 101 or not np.isfinite(found.percentiles).all():
        raise BundleRefused("BUNDLE_UNREADABLE", "the distribution of the IMPI is not complete")
    return found
