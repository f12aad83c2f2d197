"""What is measured of a scan, and when it is out of range."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy, NoAnatomy
from lymphoma.errors import BundleRefused
from lymphoma.imaging.volume import Volume
from lymphoma.scan_range import fit
from lymphoma.scan_range.check import REGISTRATION, check, fit_range
from lymphoma.scan_range.features import NAMES, ScanFeatures, scan_features
from lymphoma.simulation.variety import HOSPITAL, TRAINING
from lymphoma.training.statistics import RangeStatistics, RangeVerdict

from tests.acceptance.scan_range import given_anatomy, summary, table
from tests.generator_b import PatientB, build, spoilt

pytestmark = pytest.mark.unit

SIDES = ("liver_to_left_mm", "spleen_to_left_mm", "heart_to_left_mm", "lung_left_to_left_mm", "solid_to_left_mm")
HEIGHTS = ("lungs_above_liver_mm", "liver_above_pelvis_mm", "brain_above_lungs_mm", "air_taper", "air_height")


@pytest.fixture(scope="module")
def patient() -> PatientB:
    return build(9001, 8.0, lesions=0)


def measured(patient: PatientB, minutes: float | None = 60.0) -> dict[str, float]:
    features = scan_features(patient.suv, patient.ct_hu, given_anatomy(patient), minutes)
    return dict(zip(NAMES, features.values, strict=True))


@pytest.fixture(scope="module")
def sound(patient: PatientB) -> dict[str, float]:
    return measured(patient)


@pytest.fixture(scope="module")
def statistics(sound: dict[str, float]) -> RangeStatistics:
    """Two hundred scans around a sound one: positions by 10 mm, shares and logarithms by a tenth, HU by 20."""
    spread = [10.0 if n.endswith("_mm") else 20.0 if n.endswith("_hu") else 0.1 for n in NAMES]
    draws = np.random.default_rng(1).standard_normal((200, len(NAMES)))
    return fit_range(np.array(list(sound.values())) + draws * spread)


def test_a_whole_body_shows_every_feature(sound: dict[str, float]) -> None:
    assert [name for name, value in sound.items() if not math.isfinite(value)] == []
    assert sound["liver_to_left_mm"] < -20 < 20 < sound["spleen_to_left_mm"]
    assert sound["brain_above_lungs_mm"] > 200
    assert sound["outline_dice"] > 0.85
    assert sound["lungs_hu"] < -600


def test_left_and_right_exchanged_turns_the_sides(patient: PatientB, sound: dict[str, float]) -> None:
    turned = measured(spoilt(patient, "left_right"))
    for name in SIDES:
        assert turned[name] == pytest.approx(-sound[name], abs=4.0), name  # half a voxel
    for name in HEIGHTS:
        assert turned[name] == pytest.approx(sound[name], abs=0.02 if "air" in name else 4.0), name


def test_head_and_feet_exchanged_turns_the_order(patient: PatientB, sound: dict[str, float]) -> None:
    turned = measured(spoilt(patient, "head_foot"))
    for name in HEIGHTS:
        assert turned[name] == pytest.approx(-sound[name], abs=0.03 if "air" in name else 4.0), name


def test_a_network_that_unflips_does_not_hide_a_flip(patient: PatientB, sound: dict[str, float]) -> None:
    """What needs no organ map turns all the same."""
    turned = spoilt(patient, "left_right")
    features = scan_features(turned.suv, turned.ct_hu, NoAnatomy().find(turned.suv, turned.ct_hu))
    assert features.values[NAMES.index("solid_to_left_mm")] == pytest.approx(-sound["solid_to_left_mm"], abs=4.0)


def test_the_arrays_order_does_not_matter(patient: PatientB, sound: dict[str, float]) -> None:
    """The same scan stored head first, under a header that says so."""

    def head_first(volume: Volume) -> Volume:
        affine = volume.affine.copy()
        affine[:3, 3] = volume.points_mm([volume.array.shape[0] - 1, 0, 0])
        affine[:3, 2] *= -1
        return Volume(np.ascontiguousarray(volume.array[::-1]), affine)

    anatomy = given_anatomy(patient)
    assert anatomy.organs is not None
    same = scan_features(
        head_first(patient.suv),
        head_first(patient.ct_hu),
        Anatomy("given", head_first(anatomy.organs), anatomy.names),
        60.0,
    )
    np.testing.assert_allclose(same.values, list(sound.values()), rtol=1e-4, atol=1e-4)


def test_ten_times_the_suv_moves_the_liver_alone(patient: PatientB, sound: dict[str, float]) -> None:
    tenfold = measured(spoilt(patient, "suv_times_ten"))
    assert tenfold["liver_suv_log"] - sound["liver_suv_log"] == pytest.approx(math.log(10), abs=1e-3)
    assert tenfold["brain_to_liver_log"] == pytest.approx(sound["brain_to_liver_log"], abs=1e-3)


def test_a_part_of_the_body_leaves_out_what_it_does_not_show(
    patient: PatientB, statistics: RangeStatistics, sound: dict[str, float]
) -> None:
    keep = slice(0, patient.suv.array.shape[0] * 2 // 3)  # no head

    def part(volume: Volume) -> Volume:
        return Volume(volume.array[keep], volume.affine)

    anatomy = given_anatomy(patient)
    assert anatomy.organs is not None
    cut = scan_features(
        part(patient.suv), part(patient.ct_hu), Anatomy("given", part(anatomy.organs), anatomy.names), 60.0
    )
    found = dict(zip(NAMES, cut.values, strict=True))
    assert math.isnan(found["brain_to_liver_log"])
    assert math.isnan(found["brain_above_lungs_mm"])
    assert found["liver_suv_log"] == pytest.approx(sound["liver_suv_log"], abs=0.02)
    without_head = [math.nan if name.startswith("brain") else value for name, value in sound.items()]
    assert check(ScanFeatures(tuple(without_head)), statistics).range == "in"


def test_in_range_and_outside(sound: dict[str, float], statistics: RangeStatistics) -> None:
    values = tuple(sound.values())
    assert check(ScanFeatures(values, "aligned"), statistics).range == "in"
    hot = tuple(v + math.log(10) * (n == "liver_suv_log") for n, v in sound.items())
    verdict = check(ScanFeatures(hot), statistics)
    assert (verdict.range, verdict.features[0]) == ("outside", "liver_suv_log")
    tenfold = dataclasses.replace(statistics, limit=1e9, low=(-1e9,) * len(NAMES), high=(1e9,) * len(NAMES))
    assert check(ScanFeatures(hot), tenfold).range == "outside"  # no statistics make such a liver possible
    foreign = check(ScanFeatures(values, "not_credible"), statistics)
    assert (foreign.range, foreign.features) == ("outside", (REGISTRATION,))
    with pytest.raises(BundleRefused, match="STATISTICS_UNFIT"):
        check(ScanFeatures(values), dataclasses.replace(statistics, names=(*NAMES[1:], NAMES[0])))


def test_a_mirrored_body_is_outside_however_the_organs_were_found(
    sound: dict[str, float], statistics: RangeStatistics
) -> None:
    mean = dict(zip(NAMES, statistics.mean, strict=True))

    def verdict(solid_to_left_mm: float, usual_mm: float) -> RangeVerdict:
        usual = dataclasses.replace(statistics, mean=tuple((mean | {"solid_to_left_mm": usual_mm}).values()))
        return check(ScanFeatures(tuple((sound | {"solid_to_left_mm": solid_to_left_mm}).values())), usual)

    turned = verdict(5.0, -40.0)  # alone within its range
    assert (turned.range, turned.features[0]) == ("outside", "solid_to_left_mm")
    assert verdict(-5.0, -40.0).range != "outside"
    assert verdict(math.nan, -40.0).range != "outside"
    assert verdict(5.0, -4.0).range != "outside"  # of patients who lie to no side nobody is turned over


def test_new_scans_of_the_same_kind_and_of_a_displaced_one_are_let_in() -> None:
    """One in a hundred of a population whose every feature is displaced by one deviation, as allowed for."""
    rng = np.random.default_rng(5)
    mix = np.eye(len(NAMES)) + 0.3 * rng.standard_normal((len(NAMES), len(NAMES)))
    mix[:, NAMES.index("liver_suv_log")] *= 0.1  # else beyond any FDG scan's liver
    statistics = fit_range(rng.standard_normal((300, len(NAMES))) @ mix)
    deviation = np.array(statistics.scale)
    new = rng.standard_normal((300, len(NAMES))) @ mix + deviation * rng.standard_normal((300, len(NAMES)))
    outside = [check(ScanFeatures(tuple(row)), statistics).range == "outside" for row in new]
    assert np.mean(outside) < 0.05
    far = [check(ScanFeatures(tuple(row + 4 * deviation)), statistics).range == "outside" for row in new]
    assert np.mean(far) > 0.95


def test_scans_that_lack_a_feature_take_part_in_the_fit() -> None:
    values = np.random.default_rng(2).standard_normal((60, len(NAMES)))
    values[:25, 3] = math.nan
    statistics = fit_range(values)
    assert statistics.mean[3] == pytest.approx(np.nanmean(values[:, 3]))
    values[:, 3] = math.nan
    with pytest.raises(BundleRefused, match=NAMES[3]):
        fit_range(values)


def test_rows_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def once(seed: int, *_: object) -> tuple[float, ...]:
        calls.append(seed)
        return (math.nan, *[float(seed)] * (len(NAMES) - 1))

    monkeypatch.setattr(fit, "measured_scan", once)
    file, engine = tmp_path / "rows.jsonl", NoAnatomy()
    first = list(fit.measured_rows(file, [(1, HOSPITAL), (2, HOSPITAL)], engine, "net"))
    with file.open("a") as stream:
        stream.write(json.dumps({"key": "net", "seed": 3})[:-4])  # killed while it wrote
    again = list(fit.measured_rows(file, [(1, HOSPITAL), (2, HOSPITAL), (3, TRAINING)], engine, "net"))
    assert calls == [1, 2, 3]
    np.testing.assert_array_equal(again[:2], first)
    list(fit.measured_rows(file, [(1, HOSPITAL), (3, TRAINING)], engine, "other net"))
    assert calls == [1, 2, 3, 1, 3]
    list(fit.measured_rows(file, [(3, TRAINING)], engine, "net"))
    assert calls == [1, 2, 3, 1, 3]


def test_the_ranges_patients_have_a_ct_that_can_be_believed(tmp_path: Path, statistics: RangeStatistics) -> None:
    variety = fit.in_range_variety(TRAINING)
    assert (variety.ct_dropped, variety.ct_displaced, variety.ct_random) == (0.0, 0.0, 0.0)
    assert variety.misregistration_mm.high == 5.0
    assert variety.liver_cov == TRAINING.liver_cov
    fit.write_statistics(statistics, tmp_path / "statistics.json")
    assert fit.read_statistics(tmp_path / "statistics.json") == statistics


def test_the_page_says_what_was_reached() -> None:
    outside, inside = (RangeVerdict(kind, 1.0, 2.0, (NAMES[0],)) for kind in ("outside", "in"))
    alarms = summary("none", [outside, *[inside] * 39])
    missed = summary("psma", [*[outside] * 9, inside])
    assert (alarms.passed, missed.passed) == (True, False)
    assert alarms.low < 1 / 40 < alarms.high
    page = table([alarms, missed], "said.")
    assert "| nothing wrong (false alarms) | 40 | 2 % |" in page
    assert "at least 95 %: missed" in page
