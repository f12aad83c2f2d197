"""A lesion map against the truth, by hand; figures of several patients and their intervals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from lymphoma.segmentation.agreement import LesionAgreement, agreement, gap, paired, summarise

pytestmark = pytest.mark.unit

ML = 0.5


def maps() -> tuple[np.ndarray, np.ndarray]:
    """Three true lesions (8, 8, 1 voxels), three drawn ones; drawn first, true second."""
    true, found = np.zeros((12, 12, 12), bool), np.zeros((12, 12, 12), bool)
    true[1:3, 1:3, 1:3] = True  # found in part
    true[8:10, 8:10, 8:10] = True  # missed
    true[11, 0, 0] = True  # found
    found[2:4, 1:3, 1:3] = True
    found[6, 0, 0] = found[7, 1, 1] = True  # touch by a corner: one that meets nothing, 2 voxels
    found[11, 0, 0] = True
    return found, true


def test_volumes_of_what_meets_nothing() -> None:
    judged = agreement(*maps(), voxel_volume_ml=ML)
    assert judged.dice == pytest.approx(2 * 5 / (11 + 17))
    assert (judged.found_ml, judged.true_ml, judged.both_ml) == (5.5, 8.5, 2.5)
    assert (judged.false_positive_ml, judged.false_negative_ml) == (1.0, 4.0)


def test_a_lesion_is_met_by_one_voxel() -> None:
    judged = agreement(*maps(), voxel_volume_ml=ML)
    assert (judged.found, judged.found_met) == (3, 2)
    assert (judged.true, judged.true_met) == (3, 2)
    assert (judged.large, judged.large_met) == (2, 1)  # those of 4 mL


def test_one_drawing_over_two_lesions_finds_both_and_is_one_finding() -> None:
    true = np.zeros((9, 9, 9), bool)
    true[1, 1, 1] = true[7, 7, 7] = True
    judged = agreement(np.ones_like(true), true, ML)
    assert (judged.found, judged.found_met, judged.true, judged.true_met) == (1, 1, 2, 2)
    assert judged.false_positive_ml == 0.0


def test_nothing_at_all() -> None:
    found, true = maps()
    nothing = np.zeros_like(true)
    assert agreement(nothing, nothing, ML).dice is None
    assert agreement(found, nothing, ML).dice == 0.0
    assert agreement(nothing, true, ML).false_negative_ml == pytest.approx(8.5)
    assert agreement(found, nothing, ML).false_positive_ml == pytest.approx(5.5)


PERFECT = LesionAgreement(10.0, 10.0, 10.0, 0.0, 0.0, found=1, found_met=1, true=1, true_met=1, large=1, large_met=1)
MISSED = LesionAgreement(0.0, 30.0, 0.0, 0.0, 30.0, found=0, found_met=0, true=9, true_met=0, large=2, large_met=0)
OVER = LesionAgreement(50.0, 10.0, 10.0, 20.0, 0.0, found=5, found_met=1, true=2, true_met=2, large=0, large_met=0)


def test_means_over_patients_and_pooled_figures() -> None:
    figures = summarise([PERFECT, MISSED, OVER], resamples=100)
    assert figures.dice.estimate == pytest.approx((1.0 + 0.0 + 20 / 60) / 3)
    assert figures.dice_pooled.estimate == pytest.approx(2 * 20 / (60 + 50))
    assert figures.false_positive_ml.estimate == pytest.approx(20 / 3)
    assert figures.false_negative_ml.estimate == pytest.approx(10.0)
    assert figures.precision.estimate == pytest.approx((1.0 + 0.2) / 2)  # who has no drawn lesion has no precision
    assert figures.precision_pooled.estimate == pytest.approx(2 / 6)
    assert figures.recall.estimate == pytest.approx((1.0 + 0.0 + 1.0) / 3)
    assert figures.recall_pooled.estimate == pytest.approx(3 / 12)
    assert figures.recall_large.estimate == pytest.approx(1 / 3)
    assert figures.volume_error_ml.estimate == pytest.approx((0 + 30 + 40) / 3)


def test_an_interval_holds_its_figure_and_narrows_with_patients() -> None:
    few = summarise([PERFECT, MISSED, OVER] * 3, resamples=500)
    many = summarise([PERFECT, MISSED, OVER] * 60, resamples=500)
    for name in ("dice", "precision_pooled", "false_negative_ml"):
        narrow, wide = getattr(many, name), getattr(few, name)
        assert narrow.lower < narrow.estimate < narrow.upper
        assert narrow.upper - narrow.lower < 0.5 * (wide.upper - wide.lower)


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    rng = np.random.default_rng(0)
    volumes = rng.exponential(10.0, size=400)
    patients = [replace(OVER, false_positive_ml=float(volume)) for volume in volumes]
    found = summarise(patients, resamples=2000).false_positive_ml
    half = 1.96 * volumes.std() / math.sqrt(400)
    assert found.lower == pytest.approx(volumes.mean() - half, abs=0.2 * half)
    assert found.upper == pytest.approx(volumes.mean() + half, abs=0.2 * half)


def test_the_gap_of_two_groups_of_patients() -> None:
    between = gap([PERFECT] * 20, [OVER] * 20, resamples=200)
    assert between.dice.estimate == pytest.approx(1.0 - 20 / 60)
    assert between.dice.p is not None
    assert between.dice.p < 0.02
    alike = gap([PERFECT, OVER, MISSED] * 10, [OVER, MISSED, PERFECT] * 10, resamples=200)
    assert alike.dice.estimate == pytest.approx(0.0, abs=1e-12)
    assert alike.dice.lower < 0 < alike.dice.upper
    assert alike.dice.p is not None
    assert alike.dice.p > 0.5


def test_a_paired_difference_knows_that_the_patients_are_the_same() -> None:
    rng = np.random.default_rng(2)
    first = [replace(OVER, false_positive_ml=float(v)) for v in rng.uniform(0, 100, size=40)]
    second = [replace(one, false_positive_ml=one.false_positive_ml + 3.0) for one in first]
    together, apart = paired(first, second).false_positive_ml, gap(first, second).false_positive_ml
    assert together.estimate == apart.estimate == pytest.approx(-3.0)
    assert together.upper == pytest.approx(-3.0)
    assert apart.lower < -5.0 < 0.0 < apart.upper
    with pytest.raises(ValueError, match="same patients"):
        paired(first, second[1:])


def test_a_figure_that_no_patient_has_is_not_a_number() -> None:
    assert math.isnan(summarise([OVER, OVER], resamples=50).recall_large.estimate)
    assert math.isnan(gap([OVER], [PERFECT], resamples=50).recall_large.lower)


def test_no_patient_has_no_figures() -> None:
    with pytest.raises(ValueError, match="patient"):
        summarise([])
