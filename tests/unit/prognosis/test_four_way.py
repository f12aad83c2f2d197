"""The four groups of a signature and the NCCN-IPI: the paper's rule, the cohort's curves, the file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.prognosis.four_way import fit_four_way, four_way_from_json, four_way_to_json
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.curves import kaplan_meier, log_rank
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.groups import FourWay

pytestmark = pytest.mark.unit

LOW = ClinicalFactors(age_years=50, ldh_ratio=0.8, stage=1, ecog=0, extranodal_sites=())
HIGH = ClinicalFactors(age_years=70, ldh_ratio=2.0, stage=4, ecog=1, extranodal_sites=("liver",))
OPEN = ClinicalFactors(age_years=70, ldh_ratio=None, stage=4, ecog=0, extranodal_sites=())
"""2 points of age, 1 of stage, and 0 to 2 of the LDH: on either side of 4."""


def cohort(n: int = 400, seed: int = 3) -> tuple[Floats, list[ClinicalFactors], FollowUp]:
    """A signature and the NCCN-IPI that each double the hazard, and a few patients of open side."""
    rng = np.random.default_rng(seed)
    signature, high = rng.standard_normal(n), rng.random(n) < 0.5
    clinical = [HIGH if one else LOW for one in high]
    clinical[:10] = [OPEN] * 10
    months = rng.exponential(60 / np.exp(0.7 * (signature > 0) + 0.7 * high))
    censoring = rng.uniform(30, 96, n)
    return signature, clinical, FollowUp(np.minimum(months, censoring), months <= censoring)


def test_the_groups_are_those_of_the_rule_and_their_curves_those_of_kaplan_and_meier() -> None:
    signature, clinical, seen = cohort()
    groups = fit_four_way("pfs", "dfr", signature, clinical, seen, out_of_fold=True, cutoff=0.0)
    high = np.array([one is HIGH for one in clinical])
    known = np.array([one is not OPEN for one in clinical])
    rows = {
        FourWay.LOW_SIGNATURE_LOW_NCCN: known & (signature < 0) & ~high,
        FourWay.LOW_SIGNATURE_HIGH_NCCN: known & (signature < 0) & high,
        FourWay.HIGH_SIGNATURE_LOW_NCCN: known & (signature >= 0) & ~high,
        FourWay.HIGH_SIGNATURE_HIGH_NCCN: known & (signature >= 0) & high,
    }
    for group, mask in rows.items():
        curve, followed = groups.curve_of(group), seen.take(mask)
        assert curve is not None
        assert (curve.name, curve.n, curve.events) == (group.name.lower(), followed.n, followed.events)
        assert curve.survival[24] == kaplan_meier(followed).at([24.0])[0]
    assert (groups.n, groups.open_side) == (390, 10)
    assert groups.log_rank_p == log_rank([seen.take(mask) for mask in rows.values()]).p
    best, worst = groups.curve_of(FourWay.LOW_SIGNATURE_LOW_NCCN), groups.curve_of(FourWay.HIGH_SIGNATURE_HIGH_NCCN)
    assert best is not None
    assert worst is not None
    assert best.survival[24] > worst.survival[24]


def test_a_patient_is_put_into_a_group_or_left_open() -> None:
    signature, clinical, seen = cohort()
    groups = fit_four_way("pfs", "dfr", signature, clinical, seen, out_of_fold=True, cutoff=0.3)
    assert groups.cutoff_given
    assert groups.group_of(0.3, LOW) is FourWay.HIGH_SIGNATURE_LOW_NCCN
    assert groups.group_of(0.29, HIGH) is FourWay.LOW_SIGNATURE_HIGH_NCCN
    assert groups.group_of(2.0, OPEN) is None
    # An unknown LDH leaves nothing open where the other factors make 4 points already.
    assert groups.group_of(2.0, replace(HIGH, ldh_ratio=None)) is FourWay.HIGH_SIGNATURE_HIGH_NCCN


def test_the_fitted_cut_off_is_youdens_and_divides_the_training_patients() -> None:
    signature, clinical, seen = cohort(1500)
    groups = fit_four_way("pfs", "dfr", signature, clinical, seen, out_of_fold=False)
    assert not groups.cutoff_given
    # The hazard doubles at 0; with 900 events Youden's index finds the step to a few tenths.
    assert groups.cutoff == pytest.approx(0.0, abs=0.3)
    assert groups.cutoff in signature


def test_a_group_without_patients_has_no_curve() -> None:
    signature, _, seen = cohort(60)
    groups = fit_four_way("pfs", "dfr", signature, [LOW] * 60, seen, out_of_fold=True, cutoff=0.0)
    assert groups.curve_of(FourWay.HIGH_SIGNATURE_HIGH_NCCN) is None
    assert groups.curve_of(FourWay.HIGH_SIGNATURE_LOW_NCCN) is not None
    assert four_way_from_json(four_way_to_json(groups)) == groups


def test_what_cannot_be_grouped_is_refused() -> None:
    signature, clinical, seen = cohort(60)
    with pytest.raises(NotComputable) as refused:
        fit_four_way("pfs", "dfr", signature, [OPEN] * 60, seen, out_of_fold=True, cutoff=0.0)
    assert refused.value.code == "TOO_FEW_PATIENTS"
    signature[3] = np.nan
    with pytest.raises(NotComputable) as refused:
        fit_four_way("pfs", "dfr", signature, clinical, seen, out_of_fold=True, cutoff=0.0)
    assert refused.value.code == "COVARIATE_INVALID"


def test_the_file_gives_the_same_bits_and_refuses_what_does_not_fit() -> None:
    groups = fit_four_way("os", "dfr", *cohort(), out_of_fold=True)
    text = four_way_to_json(groups)
    assert four_way_from_json(text) == groups
    content = json.loads(text)
    for change in (
        {"kind": "prognostic"},
        {"n": content["n"] + 1},
        {"groups": content["groups"][:3]},
        {"groups": [*content["groups"][:3], content["groups"][0]]},
        {"cutoff": "high"},
        {"more": 1},
    ):
        with pytest.raises(BundleRefused) as refused:
            four_way_from_json(json.dumps({**content, **change}))
        assert refused.value.code == "BUNDLE_UNREADABLE"
    with pytest.raises(BundleRefused) as refused:
        four_way_from_json(json.dumps({**content, "layout": 2}))
    assert refused.value.code == "BUNDLE_NEWER_LAYOUT"
    for nonsense in ("", "[]", "3", "{"):
        with pytest.raises(BundleRefused):
            four_way_from_json(nonsense)
