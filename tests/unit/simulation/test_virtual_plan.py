"""The plan: the same seed gives the same patient, and patients are plausible."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.simulation import draw_patient
from lymphoma.simulation.staging import stage_of

pytestmark = pytest.mark.unit


def test_same_seed_same_plan() -> None:
    assert draw_patient(7) == draw_patient(7)
    assert draw_patient(7) != draw_patient(8)


def test_many_patients_are_plausible() -> None:
    plans = [draw_patient(seed) for seed in range(300)]
    assert {plan.person.sex for plan in plans} == {"M", "F"}
    assert {plan.scan.arms_up for plan in plans} == {True, False}
    for plan in plans:
        assert 18 <= plan.person.age_years <= 90
        assert 17 < plan.person.bmi < 39
        assert 3.4 < plan.scan.injected_mbq / plan.person.weight_kg < 4.6
        assert 45 <= plan.scan.uptake_minutes <= 90
        assert plan.disease.lesions
    # the published median is 63 years; 300 draws of SD 13 leave a standard error of 0.9 on the median
    assert np.median([plan.person.age_years for plan in plans]) == pytest.approx(63, abs=3)


@pytest.mark.parametrize("count", [0, 1, 4, 60])
def test_number_of_lesions_can_be_given(count: int) -> None:
    plan = draw_patient(3, lesions=count)
    assert len(plan.disease.lesions) == count
    assert plan.clinical.stage == stage_of(plan.disease)


def test_parts_are_drawn_apart() -> None:
    one, other = draw_patient(3, lesions=4), draw_patient(3, lesions=40)
    assert (one.person, one.scan) == (other.person, other.scan)
    assert one.disease != other.disease
