"""The field of the body and what is resampled into it, on virtual patients in coarse voxels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.deepmts.field import CUBE_64, CUBE_128, LONG, BodyField, place
from lymphoma.deepmts.inputs import inputs_of
from lymphoma.deepmts.judging import lesion_mask
from lymphoma.deepmts.learner import LEARNER
from lymphoma.deepmts.range import RANGE_NAMES, range_features
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.system import StudyArrays
from lymphoma.simulation.cohort import case_of, subject_of
from lymphoma.simulation.patient import build_patient
from lymphoma.simulation.plan import draw_patient
from lymphoma.simulation.protocol import training_grid

pytestmark = pytest.mark.unit

PET = PetMeasures(tmtv_ml=200.0, suv_max=15.0, lesion_count=4)


@cache
def study(seed: int = 11) -> StudyArrays:
    patient = build_patient(draw_patient(seed, lesions=4), training_grid(6.0))
    subject = subject_of(patient.plan)
    case = case_of(patient, subject)
    return StudyArrays(case.suv, case.ct_hu, patient.lesion_map, case.anatomy, subject.clinical, PET)


def shifted(volume: Volume, by_mm: tuple[float, float, float]) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] += by_mm
    return Volume(volume.array, affine)


def moved(given: StudyArrays, by_mm: tuple[float, float, float]) -> StudyArrays:
    organs = given.anatomy.organs
    assert organs is not None
    return replace(
        given,
        suv=shifted(given.suv, by_mm),
        ct_hu=shifted(given.ct_hu, by_mm),
        lesion_map=shifted(given.lesion_map, by_mm),
        anatomy=replace(given.anatomy, organs=shifted(organs, by_mm)),
    )


def turned(volume: Volume) -> Volume:
    """The same voxels in another order: slices from head to feet, columns from left to right."""
    affine = volume.affine.copy()
    affine[:3, 3] = volume.points_mm((volume.array.shape[0] - 1, 0, volume.array.shape[2] - 1))
    affine[:3, [0, 2]] *= -1
    return Volume(np.ascontiguousarray(volume.array[::-1, :, ::-1]), affine)


@pytest.mark.paper("deepmts-crop")
def test_fields_are_cubes_of_millimetres_from_skull_base_to_mid_thigh() -> None:
    given = study()
    for field, length in ((LONG, 960.0), (CUBE_64, 960.0), (CUBE_128, 960.0)):
        placed = place(given, field)
        assert placed.grid.spacing_mm.tolist() == [field.edge_mm] * 3
        assert placed.grid.extent_mm[2] == length
    placed = place(given, LONG)
    organs = given.anatomy.require("brain")
    brain_z = organs.points_mm(np.argwhere(given.anatomy.mask("brain")))[:, 2]
    top_edge = placed.grid.affine[2, 3] + 95.5 * 10.0
    # the lowest slice with 5 square centimetres of brain
    assert top_edge == pytest.approx(np.quantile(brain_z, 0.01) + 40.0, abs=8.0)
    hip_z = organs.points_mm(np.argwhere(given.anatomy.mask("hip_left", "hip_right")))[:, 2]
    assert placed.bottom_mm == pytest.approx(np.quantile(hip_z, 0.01) - 150.0, abs=0.01)
    with pytest.raises(ValueError, match="multiple"):
        BodyField((64, 64, 40), 10.0)


@pytest.mark.paper("deepmts-crop")
def test_lesion_volume_is_kept_in_shares_and_small_lesions_stay_at_a_fifth() -> None:
    given = study()
    arrays = inputs_of(given, LONG)
    assert [arrays[name].shape for name in ("pet", "ct", "mask")] == [LONG.size] * 3
    assert [arrays[name].dtype for name in ("pet", "ct", "mask")] == [np.float16, np.float16, np.uint8]
    truth_ml = float((given.lesion_map.array > 0).sum()) * given.lesion_map.voxel_volume_ml
    assert arrays["mask"].sum() / 255.0 == pytest.approx(truth_ml, rel=0.05), "a voxel of the field is 1 mL"
    # measured on 40 virtual patients at 4 mm: 1.4 times the volume over 50 mL, more below
    assert 1.0 < lesion_mask(arrays).sum() / truth_ml < 2.5
    for number in np.unique(given.lesion_map.array[given.lesion_map.array > 0]):
        one = inputs_of(replace(given, accepted=(int(number),)), LONG)
        assert lesion_mask(one).any(), "no lesion of this patient is too small to be seen"


def test_values_are_cut_and_scaled() -> None:
    given = study()
    arrays = inputs_of(given, LONG)
    assert arrays["pet"].min() >= 0.0
    assert arrays["pet"].max() <= 5.0
    assert arrays["ct"].min() == -1.0
    liver = given.anatomy.mask("liver")
    hot = given.suv.with_array(np.where(liver, np.float32(80.0), given.suv.array))
    assert inputs_of(replace(given, suv=hot), LONG)["pet"].max() == 5.0
    stage = given.clinical.stage
    assert stage is not None
    assert arrays["clinic"].tolist() == [float(stage >= 3)]
    assert np.isnan(inputs_of(replace(given, clinical=replace(given.clinical, stage=None)), LONG)["clinic"]).all()


def test_where_the_patient_lies_and_the_order_of_voxels_change_nothing() -> None:
    given = study()
    arrays = inputs_of(given, LONG)
    away = inputs_of(moved(given, (31.0, -17.0, 203.0)), LONG)
    organs = given.anatomy.organs
    assert organs is not None
    other = replace(
        given,
        suv=turned(given.suv),
        ct_hu=turned(given.ct_hu),
        lesion_map=turned(given.lesion_map),
        anatomy=replace(given.anatomy, organs=turned(organs)),
    )
    for found in (away, inputs_of(other, LONG)):
        for name in ("pet", "ct"):
            np.testing.assert_allclose(found[name].astype(float), arrays[name].astype(float), atol=4e-3)
        assert np.abs(found["mask"].astype(int) - arrays["mask"]).max() <= 1


def test_nothing_is_shown_below_the_middle_of_the_thighs() -> None:
    given = study()
    organs = given.anatomy.require("hip_left")
    hips = given.anatomy.mask("hip_left", "hip_right")
    lowest = int(np.median(np.argwhere(hips)[:, 0]))  # a patient whose hips end higher, so that the thighs are shown
    labels = organs.array.copy()
    labels[:lowest][hips[:lowest]] = 0
    long_legs = replace(given, anatomy=replace(given.anatomy, organs=organs.with_array(labels)))
    below = place(long_legs, LONG).below
    assert below.any()
    assert not below.all()
    arrays = inputs_of(long_legs, LONG)
    assert not arrays["pet"][below].any()
    assert (arrays["ct"][below] == -1.0).all()
    assert arrays["pet"][~below].any()


def test_what_cannot_be_computed_has_a_code() -> None:
    given = study()
    with pytest.raises(NotComputable, match="NO_ANATOMY"):
        inputs_of(replace(given, anatomy=Anatomy("none")), LONG)
    with pytest.raises(NotComputable, match="NO_AVID_LESION"):
        inputs_of(replace(given, accepted=()), LONG)
    empty = replace(
        given,
        suv=given.suv.with_array(np.zeros_like(given.suv.array)),
        ct_hu=given.ct_hu.with_array(np.full_like(given.ct_hu.array, -1000.0)),
    )
    with pytest.raises(NotComputable, match="FOV_PARTIAL"):
        inputs_of(empty, LONG)
    brain = given.anatomy.mask("brain")
    top = np.argwhere(brain)[:, 0].max()
    inside = np.zeros_like(given.lesion_map.array)
    inside[top - 3 : top][brain[top - 3 : top]] = 1
    with pytest.raises(NotComputable, match="OUTSIDE_FIELD"):
        inputs_of(replace(given, lesion_map=given.lesion_map.with_array(inside)), LONG)


def test_a_scan_without_the_head_hangs_from_its_upper_end() -> None:
    given = study()
    organs = given.anatomy.organs
    assert organs is not None
    first = int(np.argwhere(given.anatomy.mask("brain"))[:, 0].min()) - 5

    def cut(volume: Volume) -> Volume:
        return Volume(volume.array[:first], volume.affine)

    headless = replace(
        given,
        suv=cut(given.suv),
        ct_hu=cut(given.ct_hu),
        lesion_map=cut(given.lesion_map),
        anatomy=replace(given.anatomy, organs=cut(organs)),
    )
    top_edge = place(headless, LONG).grid.affine[2, 3] + 95.5 * 10.0
    last_slice = headless.suv.points_mm((first - 1, 0, 0))[2]
    assert top_edge == pytest.approx(last_slice, abs=10.0)


def test_range_features_are_finite_and_see_a_wrong_scale() -> None:
    given = study()
    values = range_features(inputs_of(given, LONG), given.pet)
    assert len(values) == len(RANGE_NAMES)
    assert np.isfinite(values).all()
    tenfold = replace(given, suv=given.suv.with_array(given.suv.array * 10))
    wrong = dict(zip(RANGE_NAMES, range_features(inputs_of(tenfold, LONG), given.pet), strict=True))
    right = dict(zip(RANGE_NAMES, values, strict=True))
    assert wrong["log_suv_median"] - right["log_suv_median"] > 2.0
    unknown = range_features(inputs_of(given, LONG), PetMeasures())
    assert np.isnan(unknown[-3:]).all()


def test_the_learner_prepares_the_shipped_field() -> None:
    assert "96x48x64" in LEARNER.way
    assert LEARNER.inputs(study())["pet"].shape == LONG.size
