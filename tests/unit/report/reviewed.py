"""Findings of a judged contour for the tests of result objects: statuses, rejected candidates, attention and organs."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from nodal.findings import Lesion, RejectedCandidate, Totals, WordsUsed
from nodal.report.inputs import ReportInputs

from tests.unit.report.sample import sample_totals, with_findings

ORGANS = ("spleen", "liver", "small_bowel", "left_kidney", "vertebrae_lumbar", "urinary_bladder", "colon")
RULE = "SUV >= 4.0, components of at least 3 mL, each judged by a network; accepted from 0.7, to be confirmed from 0.3"


def rejected_candidates(inputs: ReportInputs, count: int) -> tuple[RejectedCandidate, ...]:
    """So many, by descending volume; the last was left out by a person."""
    slices = np.linspace(5, inputs.suv.array.shape[0] - 5, count).astype(int)
    places = inputs.suv.points_mm(np.array([[k, 20, 20] for k in slices]))
    return tuple(
        RejectedCandidate(
            volume_ml=400.0 / (n + 1),
            suv_max=18.0 - 0.4 * n,
            organ=ORGANS[n % len(ORGANS)] if n % 5 else None,
            p_lesion=0.002 + 0.29 * n / count,
            number=n + 1,
            hottest_mm=tuple(place.tolist()),
            decided_by="person" if n + 1 == count else None,
        )
        for n, place in enumerate(places)
    )


def totals_of(lesions: tuple[Lesion, ...]) -> Totals:
    """Of the accepted lesions, with the range that the others leave."""
    accepted = sample_totals(tuple(one for one in lesions if one.status == "accepted"))
    return replace(accepted, tmtv_range_ml=(accepted.tmtv_ml, sum(one.volume_ml for one in lesions)))


def reviewed(
    inputs: ReportInputs,
    *,
    unconfirmed: int = 2,
    rejected: int = 5,
    evidence: Literal["E0", "E1", "E2"] = "E0",
    attending: bool = True,
) -> ReportInputs:
    """The same study with judged lesions: the last ``unconfirmed`` wait for a reader, the first is a person's word.

    Args:
        rejected: so many candidates. evidence: of the network that judged. attending: LAMP weighed the accepted lesions
            and names three organs for each.
    """
    found = inputs.findings.lesions
    kept = len(found) - unconfirmed
    weights = np.geomspace(1, 0.02, max(kept, 1))
    weights = weights / weights.sum()
    lesions = []
    for n, lesion in enumerate(found):
        waits = n >= kept
        judged = replace(
            lesion,
            status="to_confirm" if waits else "accepted",
            p_lesion=0.31 + 0.38 * (n - kept) / max(unconfirmed, 1) if waits else 0.999 - 0.29 * n / max(kept, 1),
            decided_by="person" if n == 0 and kept else None,
            attention={} if waits or not attending else {"lamp": float(weights[n])},
            context={} if waits or not attending else {"lamp": organs(n)},
        )
        lesions.append(judged)
    segmentation = replace(
        inputs.findings.segmentation,
        method="suv4_reviewed",
        description=RULE,
        anatomy_engine="network",
        evidence=evidence,
        in_range="in",
        words=WordsUsed(2, "ef" * 32, "20240612081500"),
    )
    return with_findings(
        inputs,
        lesions=tuple(lesions),
        totals=totals_of(tuple(lesions)),
        rejected_candidates=rejected_candidates(inputs, rejected),
        segmentation=segmentation,
    )


def organs(number: int) -> tuple[tuple[str, float], ...]:
    """Three organs, the highest weight first."""
    names = [ORGANS[(number + step) % len(ORGANS)] for step in range(3)]
    return tuple(zip(names, (0.412, 0.207, 0.0961), strict=True))


def out_of_range(inputs: ReportInputs) -> ReportInputs:
    """The same study where the networks may not judge: a threshold alone."""
    segmentation = replace(
        inputs.findings.segmentation,
        in_range="outside",
        in_range_features=("liver_suv_mean", "voxel_volume_ml", "body_volume_l"),
    )
    return with_findings(inputs, segmentation=segmentation)
