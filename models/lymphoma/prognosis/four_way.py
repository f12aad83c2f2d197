"""The four groups of a signature and the NCCN-IPI, fitted on a cohort: cut-off, and the curve of each group.

J Cancer Res Clin Oncol 2024;150:452, Fig. 4; generic in the signature, so that any score may be grouped so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.prognosis.fit import CUTOFF_MONTHS, group_curve
from lymphoma.prognosis.model import Endpoint, GroupCurve
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.curves import log_rank
from lymphoma.survival.cutoffs import fit_cutoff
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.groups import FourWay, four_way
from lymphoma.survival.indices import nccn_ipi

__all__ = ["FourWayGroups", "fit_four_way", "four_way_from_json", "four_way_to_json"]

LAYOUT = 1
KIND = "four_way"


@dataclass(frozen=True)
class FourWayGroups:
    """The groups of a training cohort.

    Attributes:
        score: name of the signature among a patient's scores. cutoff: HIGH from here on.
        cutoff_given: it was not fitted here but taken from elsewhere, such as a paper.
        groups: one curve for each :class:`lymphoma.survival.groups.FourWay`, in its order, named by its name in small
            letters; None where the cohort has nobody in the group.
        n, events: patients in a group. open_side: patients left out, as missing factors leave the NCCN-IPI open.
        log_rank_p: that all four curves are one; None under two groups, or without an event.
        out_of_fold: the signature of each patient was made by a model that never saw him or her.
    """

    endpoint: Endpoint
    score: str
    cutoff: float
    cutoff_given: bool
    groups: tuple[GroupCurve | None, ...]
    n: int
    events: int
    open_side: int
    log_rank_p: float | None
    out_of_fold: bool

    def group_of(self, signature: float, clinical: ClinicalFactors) -> FourWay | None:
        """The group of a patient; None where missing factors leave the side of the NCCN-IPI open."""
        points = nccn_ipi(clinical)
        return four_way(signature, self.cutoff, points.least, points.most)

    def curve_of(self, group: FourWay) -> GroupCurve | None:
        """The training cohort's curve of a group."""
        return self.groups[list(FourWay).index(group)]


def fit_four_way(
    endpoint: Endpoint,
    score: str,
    signature: npt.ArrayLike,
    clinical: Sequence[ClinicalFactors],
    follow_up: FollowUp,
    *,
    out_of_fold: bool,
    cutoff: float | None = None,
) -> FourWayGroups:
    """Groups the patients of a training cohort.

    Args:
        signature: (n,) higher is worse. clinical: of the n patients.
        cutoff: a given one; None fits Youden's index at 24 months, weighted for censoring, on all n.

    Raises:
        NotComputable: ``ONE_CLASS``, ``NO_SEPARATION``, ``HORIZON_BEYOND_FOLLOW_UP``; ``COVARIATE_INVALID`` for a
            signature that is not a number; ``TOO_FEW_PATIENTS`` where nobody's NCCN-IPI is known.
    """
    values = np.asarray(signature, dtype=np.float64)
    if values.shape != (follow_up.n,) or len(clinical) != follow_up.n:
        raise ValueError("one signature and one record for each patient")
    if not np.isfinite(values).all():
        raise NotComputable("COVARIATE_INVALID", f"{score} is not a number in every patient")
    cut = fit_cutoff(follow_up, values, CUTOFF_MONTHS, "ipcw").value if cutoff is None else cutoff
    points = [nccn_ipi(one) for one in clinical]
    found = [four_way(value, cut, one.least, one.most) for value, one in zip(values, points, strict=True)]
    index = {group: np.array([i for i, one in enumerate(found) if one is group], dtype=np.int64) for group in FourWay}
    followed = [follow_up.take(rows) for rows in index.values() if rows.size]
    if not followed:
        raise NotComputable("TOO_FEW_PATIENTS", "the NCCN-IPI of no patient is known well enough")
    events = sum(one.events for one in followed)
    return FourWayGroups(
        endpoint=endpoint,
        score=score,
        cutoff=float(cut),
        cutoff_given=cutoff is not None,
        groups=tuple(
            group_curve(group.name.lower(), follow_up.take(rows)) if rows.size else None
            for group, rows in index.items()
        ),
        n=sum(one.n for one in followed),
        events=events,
        open_side=found.count(None),
        log_rank_p=log_rank(followed).p if len(followed) > 1 and events else None,
        out_of_fold=out_of_fold,
    )


_GROUPS = TypeAdapter(FourWayGroups)


def four_way_to_json(groups: FourWayGroups) -> str:
    """The groups as JSON with ``layout`` 1 and ``kind`` "four_way"; floats come back bit for bit."""
    return json.dumps({"layout": LAYOUT, "kind": KIND, **asdict(groups)}, allow_nan=False) + "\n"


def four_way_from_json(text: str) -> FourWayGroups:
    """The groups again.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE`` where it is no such file or its parts do not fit each other,
            ``BUNDLE_NEWER_LAYOUT``.
    """
    try:
        content = json.loads(text)
        kind, layout = content.pop("kind", None), content.pop("layout", None)
        if kind != KIND or not isinstance(layout, int):
            raise ValueError("not such a file")
        if layout > LAYOUT:
            raise BundleRefused("BUNDLE_NEWER_LAYOUT", f"the groups have layout {layout}, this version reads {LAYOUT}")
        groups = _GROUPS.validate_python(content, extra="forbid")
        _check(groups)
    except (ValueError, AttributeError, TypeError, ValidationError) as error:
        if isinstance(error, BundleRefused):
            raise
        raise BundleRefused("BUNDLE_UNREADABLE", "the file does not hold the four groups") from error
    return groups


def _check(groups: FourWayGroups) -> None:
    kept = [(group, curve) for group, curve in zip(FourWay, groups.groups, strict=True) if curve is not None]
    lengths = [{len(row) for row in (c.survival, c.lower, c.upper, c.at_risk)} for _, c in kept]
    named = all(curve.name == group.name.lower() for group, curve in kept)
    counted = sum(c.n for _, c in kept) == groups.n and sum(c.events for _, c in kept) == groups.events
    if not (np.isfinite(groups.cutoff) and named and counted and all(len(one) == 1 for one in lengths)):
        raise ValueError("the parts do not fit each other")
