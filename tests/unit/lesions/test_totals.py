"""Measures of the whole patient, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.lesions import LesionMeasures, measure_totals
from lymphoma.lesions.totals import body_surface_m2

pytestmark = pytest.mark.unit

NOBODY = {"weight_kg": None, "height_m": None}


def lesion(number, volume_ml, centroid_mm, *, suv_mean=5.0, suv_max=8.0, suv_peak=7.0, diameter_mm=20.0):
    centroid = tuple(float(c) for c in centroid_mm)
    return LesionMeasures(
        number=number,
        voxels=1,
        volume_ml=volume_ml,
        suv_max=suv_max,
        suv_peak=suv_peak,
        suv_peak_at_max=suv_peak,
        suv_mean=suv_mean,
        tlg_g=suv_mean * volume_ml,
        longest_diameter_mm=diameter_mm,
        centroid_mm=centroid,
        hottest_mm=centroid,
        hottest_kji=(0, 0, 0),
    )


def test_three_lesions():
    lesions = [
        lesion(1, 100.0, (0, 0, 0), suv_mean=4.0, suv_max=9.0, suv_peak=8.5),
        lesion(2, 50.0, (300, 400, 0), suv_mean=10.0, suv_max=21.0, suv_peak=15.0),
        lesion(3, 10.0, (0, -100, 0), suv_mean=6.0, suv_max=22.0, suv_peak=12.0),
    ]
    totals = measure_totals(lesions, weight_kg=80, height_m=1.75)
    assert totals.tmtv_ml == pytest.approx(160)
    assert totals.tlg_g == pytest.approx(400 + 500 + 60)
    assert totals.suv_mean == pytest.approx(960 / 160)
    assert (totals.suv_max, totals.suv_peak, totals.lesion_count) == (22.0, 15.0, 3)
    assert totals.dmax_mm == pytest.approx(np.hypot(300, 500))
    assert totals.dmax_bulk_mm == pytest.approx(500)
    # body surface 1.9561 m2 for 80 kg and 175 cm
    assert totals.sdmax_per_m == pytest.approx(np.hypot(0.3, 0.5) / 1.9561, rel=1e-4)
    assert totals.bulky is False


@pytest.mark.parametrize(("kg", "m", "m2"), [(80, 1.75, 1.9561), (65, 1.62, 1.6934)])
def test_du_bois(kg, m, m2):
    assert body_surface_m2(kg, m) == pytest.approx(m2, abs=5e-5)


def test_no_lesion():
    totals = measure_totals([], weight_kg=80, height_m=1.75)
    assert (totals.tmtv_ml, totals.tlg_g, totals.lesion_count, totals.bulky) == (0, 0, 0, False)
    assert totals.suv_max is totals.suv_peak is totals.suv_mean is None
    assert totals.dmax_mm is totals.dmax_bulk_mm is totals.sdmax_per_m is None


def test_one_lesion_has_no_distance():
    totals = measure_totals([lesion(1, 5, (1, 2, 3))], weight_kg=80, height_m=1.75)
    assert (totals.dmax_mm, totals.dmax_bulk_mm, totals.sdmax_per_m) == (0, 0, 0)


def test_of_two_equal_volumes_the_lower_number_is_the_bulk():
    lesions = [lesion(2, 50, (0, 0, 0)), lesion(1, 50, (0, 0, 100)), lesion(3, 1, (0, 0, -200))]
    assert measure_totals(lesions, **NOBODY).dmax_bulk_mm == pytest.approx(300)


@pytest.mark.parametrize(("diameter", "threshold", "bulky"), [(100, 100, True), (99.9, 100, False), (80, 75, True)])
def test_bulk_counts_from_its_threshold_on(diameter, threshold, bulky):
    totals = measure_totals([lesion(1, 5, (0, 0, 0), diameter_mm=diameter)], **NOBODY, bulky_threshold_mm=threshold)
    assert totals.bulky is bulky
    assert totals.bulky_threshold_mm == threshold


@pytest.mark.parametrize(("kg", "m"), [(None, 1.75), (80, None), (80, 175), (80, 0), (0, 1.75), (800, 1.75)])
def test_no_sdmax_without_a_plausible_body(kg, m):
    lesions = [lesion(1, 5, (0, 0, 0)), lesion(2, 4, (0, 0, 100))]
    totals = measure_totals(lesions, weight_kg=kg, height_m=m)
    assert totals.sdmax_per_m is None
    assert totals.dmax_mm == pytest.approx(100)
