"""Numbers of a whole cohort."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from lifelines import KaplanMeierFitter
from lymphoma.training.case import Outcome

from nodal.cohort.model import CohortSummary, EndpointSummary, PatientReport

__all__ = ["median_follow_up_months", "summarise"]


def summarise(patients: Sequence[PatientReport]) -> CohortSummary:
    """Counts of usable patients, events and centres, and the median follow-up."""
    usable = [patient for patient in patients if patient.uses]
    centres = Counter(patient.centre for patient in usable)
    agreed = [p.images.readers_dice for p in usable if p.images.readers_dice is not None]
    return CohortSummary(
        rows=len(patients),
        usable=len(usable),
        segmentation=sum("segmentation" in patient.uses for patient in usable),
        pfs=_endpoint([patient.pfs for patient in usable if "pfs" in patient.uses]),
        os=_endpoint([patient.os for patient in usable if "os" in patient.uses]),
        centres=tuple(sorted(centres.items(), key=lambda item: (-item[1], item[0]))),
        mean_readers_dice=round(float(np.mean(agreed)), 4) if agreed else None,
    )


def _endpoint(outcomes: Sequence[Outcome | None]) -> EndpointSummary:
    known = [outcome for outcome in outcomes if outcome is not None]
    return EndpointSummary(len(known), sum(outcome.event for outcome in known), median_follow_up_months(known))


def median_follow_up_months(outcomes: Sequence[Outcome]) -> float | None:
    """Median potential follow-up by the reverse Kaplan-Meier method (Schemper and Smith 1996): censoring is the event.

    Returns:
        Months; None without patients, or where fewer than half are estimated to have been censored.
    """
    if not outcomes:
        return None
    censored = [not outcome.event for outcome in outcomes]
    fitted = KaplanMeierFitter().fit([outcome.months for outcome in outcomes], censored)
    median = float(fitted.median_survival_time_)
    return median if math.isfinite(median) else None
