"""Features: what is measured of a small made-up case, and the table of many patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.lesions.totals import body_surface_m2
from lymphoma.simulation.feature_table import FeatureTable, stack_features
from lymphoma.simulation.features import BodySize, PatientFeatures, measure_features
from lymphoma.simulation.sites import GROUPS, ORGANS, group_of_place, group_of_station, organ_index
from lymphoma.simulation.stations import PLACES
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Case, Subject

pytestmark = pytest.mark.unit

SPACING_MM = 5.0
SHAPE = (200, 60, 80)
NAMES = {3: "liver", 7: "brain", 9: "urinary_bladder", 4: "heart"}
LIVER, BRAIN, BLADDER = (slice(80, 96), slice(20, 40), slice(15, 35)), slice(172, 190), slice(26, 34)
SIZE = BodySize(weight_kg=70.0, height_m=1.75)


def _case(lesions: bool = True, anatomy: bool = True) -> Case:
    """A box of a body with a liver, a brain and a bladder; one lesion inside the liver, one between the organs."""
    rng = np.random.default_rng(3)
    suv = rng.uniform(0.4, 0.6, SHAPE).astype(np.float32)
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    hu[:, 15:45, 10:70] = rng.normal(20.0, 5.0, (SHAPE[0], 30, 60))
    organs = np.zeros(SHAPE, dtype=np.uint8)
    organs[LIVER], organs[BRAIN, 26:34, 35:45], organs[BLADDER, 26:34, 35:45] = 3, 7, 9
    organs[105:112, 24:36, 30:50] = 4
    suv[organs == 3] += 1.6
    labels = np.zeros(SHAPE, dtype=np.uint16)
    if lesions:
        labels[84:88, 25:29, 20:24] = 1
        labels[140:142, 30:32, 60:62] = 2
        suv[labels == 1] = 8.0
        suv[84, 25, 20] = 12.0
        suv[labels == 2] = 5.0
        organs[labels > 0] = 0
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = (-200.0, -150.0, -500.0)
    subject = Subject("P1", "here", ClinicalFactors(age_years=50.0, extranodal_sites=("liver",)), None, None, "x")
    known = Anatomy("given", Volume(organs, affine), NAMES) if anatomy else Anatomy("none")
    return Case(subject, Volume(suv, affine), Volume(hu, affine), Volume(labels, affine), known)


@pytest.fixture(scope="module")
def features() -> PatientFeatures:
    return measure_features(_case(), size=SIZE)


def test_lesions_are_measured(features: PatientFeatures) -> None:
    case = _case()
    assert case.lesions is not None
    inside = case.lesions.array == 1
    values = case.suv.array[inside].astype(np.float64)
    assert features.lesions.volume_ml.tolist() == [64 * 0.125, 8 * 0.125]
    assert features.tmtv_ml == 9.0
    assert features.count == 2
    assert features.lesions.suv_max[0] == 12.0
    assert features.lesions.suv_mean[0] == pytest.approx(values.mean(), rel=1e-6)
    assert features.lesions.suv_cv[0] == pytest.approx(values.std() / values.mean(), rel=1e-5)
    assert features.lesions.hu_mean[0] == pytest.approx(case.ct_hu.array[inside].mean(), rel=1e-5)
    assert features.lesions.hu_sd[0] == pytest.approx(case.ct_hu.array[inside].std(), rel=1e-4)
    assert features.lesions.suv_cv[1] == 0.0


def test_distances_follow_from_the_centroids(features: PatientFeatures) -> None:
    apart_mm = np.linalg.norm(SPACING_MM * np.array([60.5 - 21.5, 30.5 - 26.5, 140.5 - 85.5]))
    assert features.dmax_mm == pytest.approx(apart_mm, rel=1e-6)
    assert features.sdmax_per_m == pytest.approx(apart_mm / 1000 / body_surface_m2(70.0, 1.75), rel=1e-6)
    assert np.isnan(measure_features(_case()).sdmax_per_m)


def test_organs_leave_lesions_out(features: PatientFeatures) -> None:
    case = _case()
    names = [organ.name for organ in ORGANS]
    liver = names.index("liver")
    assert case.anatomy.organs is not None
    there = case.anatomy.organs.array == 3
    assert features.organs.volume_ml[liver] == pytest.approx(there.sum() * 0.125)
    assert features.organs.suv_mean[liver] == pytest.approx(case.suv.array[there].mean(), rel=1e-5)
    assert features.organs.suv_sd[liver] == pytest.approx(case.suv.array[there].std(), rel=1e-4)
    assert features.organs.hu_sd[liver] == pytest.approx(case.ct_hu.array[there].std(), rel=1e-4)
    assert features.organs.present.sum() == 4
    assert np.isnan(features.organs.suv_mean[names.index("spleen")])


def test_places_are_relative_to_the_body(features: PatientFeatures) -> None:
    low, high = float(features.lesions.height[0]), float(features.lesions.height[1])
    length_mm = features.size_mm[2]
    assert (high - low) * length_mm == pytest.approx(55 * SPACING_MM, rel=1e-5)
    # the liver's lesion lies at the patient's right, 18 voxels from the midline of a body 60 voxels wide
    assert features.lesions.lateral[0] == pytest.approx(-18 / 30, abs=0.03)
    assert features.lesions.lateral[1] == pytest.approx(21 / 30, abs=0.03)
    names = [organ.name for organ in ORGANS]
    # the organs that tell height stand at their usual heights, within what one straight line leaves
    liver_height = ORGANS[names.index("liver")].height_mm
    assert liver_height is not None
    assert low == pytest.approx(liver_height / 970, abs=0.06)


def test_groups_come_from_stations_or_surroundings(features: PatientFeatures) -> None:
    assert [GROUPS[g] for g in features.lesions.group] == ["liver_pancreas", "thorax"]
    told = measure_features(_case(), stations={1: "paraaortic", 2: "cervical"})
    assert [GROUPS[g] for g in told.lesions.group] == ["abdomen", "head_neck"]


def test_every_station_has_a_group() -> None:
    for name, place in PLACES.items():
        group = GROUPS[group_of_station(name)]
        assert (group in ("head_neck", "thorax", "abdomen", "pelvis")) or place.organ or name == "spleen"
    assert GROUPS[group_of_station("marrow")] == "bone"
    assert [GROUPS[group_of_place(None, h)] for h in (0.9, 0.6, 0.4, 0.1)] == [
        "head_neck",
        "thorax",
        "abdomen",
        "pelvis",
    ]


def test_structures_are_parts_of_organs() -> None:
    names = {1: "lung_upper_lobe_left", 2: "lung_left", 3: "vertebrae_T", 4: "adrenal_gland_left", 5: "kidney_right"}
    found = {names[label]: ORGANS[index].name for label, index in organ_index(names).items()}
    assert found == {
        "lung_upper_lobe_left": "lung_left",
        "lung_left": "lung_left",
        "vertebrae_T": "vertebrae",
        "kidney_right": "kidney_right",
    }


def test_without_lesions_or_organs() -> None:
    nothing = measure_features(_case(lesions=False), size=SIZE)
    assert (nothing.count, nothing.tmtv_ml) == (0, 0.0)
    assert np.isnan(nothing.dmax_mm)
    blind = measure_features(_case(anatomy=False))
    assert not blind.organs.present.any()
    assert blind.count == 2
    assert np.isfinite(blind.lesions.height).all()


def test_table_of_patients(tmp_path: Path, features: PatientFeatures) -> None:
    nothing = measure_features(_case(lesions=False), size=SIZE)
    table = stack_features([features, nothing, features])
    table.save(tmp_path / "table.npz")
    for one in (table, FeatureTable.load(tmp_path / "table.npz")):
        assert one.counts.tolist() == [2, 0, 2]
        assert one.tmtv_ml.tolist() == [9.0, 0.0, 9.0]
        assert one.owner.tolist() == [0, 0, 2, 2]
        assert one.pooled(one.lesions.suv_max, np.maximum, -1.0).tolist() == [12.0, -1.0, 12.0]
        assert one.mean(one.lesions.volume_ml)[0] == 4.5
        assert np.isnan(one.mean(one.lesions.volume_ml)[1])
        assert one.clinical == (features.clinical,) * 3
        back = one.patient(2)
        assert back.lesions.suv_peak.tolist() == features.lesions.suv_peak.tolist()
        assert np.array_equal(back.organs.suv_mean, features.organs.suv_mean, equal_nan=True)
        assert back.dmax_mm == pytest.approx(features.dmax_mm, rel=1e-6)
