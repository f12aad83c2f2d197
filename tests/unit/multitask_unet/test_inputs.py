"""Where the field lies, what is cut off, and what the range check reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.skull_base import ABOVE_MM
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.multitask_unet.field import FIELD_MM, FieldPlace, field_grid, outside_share, place_field
from lymphoma.multitask_unet.inputs import LESIONS, PET, SUV_MOST, image_of, inputs_of, inputs_of_case
from lymphoma.multitask_unet.range import NAMES, range_features
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Case, Subject

pytestmark = pytest.mark.unit

EDGE = 10.0
SHAPE = (110, 50, 60)  # 1100 x 500 x 600 mm
BODY = (slice(0, 106), slice(12, 38), slice(14, 46))  # its middle lies at x = 30, y = 25 voxel edges
BRAIN = (slice(92, 104), slice(18, 32), slice(23, 37))
SIZE = (112, 32, 32)


def grid(array: np.ndarray) -> Volume:
    affine = np.diag([EDGE, EDGE, EDGE, 1.0])
    affine[:3, 3] = (-295.0, -245.0, 5.0)  # the outer edge lies at x -300, y -250, z 0
    return Volume(array, affine)


def study(*lesions: tuple[slice, slice, slice], brain: bool = True, suv: np.ndarray | None = None) -> StudyArrays:
    uptake = np.zeros(SHAPE, dtype=np.float32)
    uptake[BODY] = 1.0
    ct = np.full(SHAPE, -1000.0, dtype=np.float32)
    ct[BODY] = 40.0
    labels = np.zeros(SHAPE, dtype=np.uint16)
    for number, lesion in enumerate(lesions, start=1):
        labels[lesion] = number
        uptake[lesion] = 9.0
    organs = np.zeros(SHAPE, dtype=np.uint8)
    organs[BRAIN] = 1
    anatomy = Anatomy("given", grid(organs), {1: "brain"}) if brain else Anatomy("none")
    given = uptake if suv is None else suv
    return StudyArrays(grid(given), grid(ct), grid(labels), anatomy, ClinicalFactors(), PetMeasures())


def box(k: int, j: int = 20, i: int = 25, edge: int = 6) -> tuple[slice, slice, slice]:
    return slice(k, k + edge), slice(j, j + edge), slice(i, i + edge)


@pytest.mark.paper("liu-crop")
def test_field_has_the_published_size_and_hangs_from_the_skull_base() -> None:
    assert tuple(FIELD_MM) == pytest.approx((815.1, 352.0, 440.0))
    one = study(box(40))
    place = place_field(one.suv, one.ct_hu, one.anatomy)
    assert place.found_by == "brain"
    assert place.top_mm == pytest.approx(920.0 + ABOVE_MM)
    # the body reaches from 140 to 460 mm and from 120 to 380 mm of a grid that begins at -300 and -250
    assert place.centre_mm == pytest.approx((0.0, 0.0), abs=EDGE)
    made = field_grid(place, SIZE)
    assert made.array.shape == SIZE
    assert made.spacing_mm == pytest.approx([440 / 32, 352 / 32, 815.1 / 112])
    top = made.points_mm([SIZE[0] - 0.5, 0, 0])[2]
    assert top == pytest.approx(place.top_mm)
    assert made.points_mm([(n - 1) / 2 for n in SIZE])[:2] == pytest.approx(place.centre_mm)


def test_without_a_brain_the_profile_or_the_skull_tells() -> None:
    one = study(box(40), brain=False)
    found = place_field(one.suv, one.ct_hu, one.anatomy)
    assert found.found_by == "profile"
    assert found.top_mm == pytest.approx(1060 - 5 + 15 - 110, abs=EDGE)  # below the highest section of a head
    skull = np.zeros(SHAPE, dtype=np.uint8)
    skull[90:105, 16:34, 20:40] = 1
    by_skull = place_field(one.suv, one.ct_hu, Anatomy("given", grid(skull), {1: "skull"}))
    assert (by_skull.found_by, by_skull.top_mm) == ("skull", pytest.approx(1050 - 110))
    empty = place_field(one.suv, one.ct_hu, Anatomy("given", grid(np.zeros_like(skull)), {1: "brain"}))
    assert empty.top_mm == pytest.approx(1060.0)  # a scan that begins below the brain begins where the body does


def test_the_order_of_the_array_does_not_matter() -> None:
    one = study(box(40, i=20))

    def turned(volume: Volume) -> Volume:
        affine = volume.affine.copy()
        affine[:, 2] *= -1
        affine[:3, 3] = volume.points_mm([volume.array.shape[0] - 1, 0, 0])
        return Volume(np.ascontiguousarray(volume.array[::-1]), affine)

    assert one.anatomy.organs is not None
    other = replace(
        one,
        suv=turned(one.suv),
        ct_hu=turned(one.ct_hu),
        lesion_map=turned(one.lesion_map),
        anatomy=Anatomy("given", turned(one.anatomy.organs), {1: "brain"}),
    )
    first, second = inputs_of(one, SIZE), inputs_of(other, SIZE)
    assert np.allclose(first[PET].astype(float), second[PET].astype(float), atol=2e-3)
    assert np.array_equal(first[LESIONS], second[LESIONS])


@pytest.mark.paper("liu-crop", "liu-input")
def test_inputs_are_cropped_and_never_squeezed() -> None:
    lesion = box(50, i=20)
    found = inputs_of(study(lesion), SIZE)
    assert (found[PET].dtype, found[LESIONS].dtype) == (np.float16, np.uint8)
    assert found[PET].shape == found[LESIONS].shape == SIZE
    voxel_ml = np.prod(FIELD_MM) / np.prod(SIZE) / 1000
    assert found[LESIONS].sum() * voxel_ml == pytest.approx(216.0, rel=0.2)  # 6 cm cubed, in whole voxels
    k, j, i = (np.argwhere(found[LESIONS]) + 0.5).mean(axis=0) * np.array(FIELD_MM) / SIZE
    # the lesion's middle is at z 530 of a field from 144.9 to 960, y 230 of one from 74, x 230 of one from 80
    assert (k, j, i) == pytest.approx((530 - 144.9, 230 - 74, 230 - 80), abs=12)
    # a body of 260 mm in a field of 352 mm keeps its size
    depth = (found[PET][30, :, 16] > 0.5).sum() * FIELD_MM[1] / SIZE[1]
    assert depth == pytest.approx(260, abs=12)


def test_lesions_outside_the_field() -> None:
    in_brain, below = box(97, 22, 27), box(2)
    with pytest.raises(NotComputable) as caught:
        inputs_of(study(box(50), in_brain), SIZE)
    assert caught.value.code == "OUTSIDE_FIELD"
    with pytest.raises(NotComputable) as caught:
        inputs_of(study(below), SIZE)
    assert caught.value.code == "OUTSIDE_FIELD"
    # a lesion that does not count is not lost
    kept = inputs_of(replace(study(box(50), in_brain), accepted=(1,)), SIZE)
    assert np.array_equal(kept[LESIONS], inputs_of(study(box(50)), SIZE)[LESIONS])
    with pytest.raises(NotComputable) as caught:
        inputs_of(replace(study(box(50)), accepted=()), SIZE)
    assert caught.value.code == "NO_AVID_LESION"


def test_share_outside_is_counted_in_voxels() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[90:100, 25, 30] = True  # centres from 905 to 995
    place = FieldPlace(950.0, (0.0, 0.0), "brain")
    assert outside_share(grid(mask), place) == pytest.approx(0.5)
    assert outside_share(grid(np.zeros(SHAPE, dtype=bool)), place) == 0.0


def test_a_case_gives_what_the_node_gives() -> None:
    one = study(box(50), box(60))
    case = Case(Subject("V", "", ClinicalFactors(), None, None, "c"), one.suv, one.ct_hu, one.lesion_map, one.anatomy)
    for name in (PET, LESIONS):
        assert np.array_equal(inputs_of(one, SIZE)[name], inputs_of_case(case, SIZE)[name])
    with pytest.raises(NotComputable) as caught:
        inputs_of_case(replace(case, lesions=None), SIZE)
    assert caught.value.code == "REFERENCE_MISSING"


@pytest.mark.paper("liu-intensity")
def test_the_network_sees_suv_up_to_25() -> None:
    seen = image_of(np.array([[[0.0, 5.0, SUV_MOST, 60.0]]], dtype=np.float16))
    assert seen.flatten().tolist() == pytest.approx([0.0, 0.2, 1.0, 1.0])


def test_range_numbers_show_what_is_turned_or_scaled() -> None:
    liver = (slice(50, 64), slice(16, 34), slice(15, 26))  # on the patient's right, where i is low
    bladder = (slice(22, 28), slice(20, 30), slice(26, 34))
    one = study(box(50, i=30))
    uptake = one.suv.array.copy()
    uptake[liver], uptake[bladder] = 3.0, 20.0
    plain = inputs_of(replace(one, suv=grid(uptake)), SIZE)
    values = dict(zip(NAMES, range_features(plain), strict=True))
    assert np.isfinite(list(values.values())).all()
    ten = dict(zip(NAMES, range_features({**plain, PET: plain[PET] * np.float16(10)}), strict=True))
    assert ten["log_suv_50"] - values["log_suv_50"] == pytest.approx(np.log(10), abs=0.01)
    mirrored = {name: one[:, :, ::-1] for name, one in plain.items()}
    other = dict(zip(NAMES, range_features(mirrored), strict=True))
    assert values["log_suv_left_over_right"] < -0.02 < 0.02 < other["log_suv_left_over_right"]
    turned = dict(zip(NAMES, range_features({name: one[::-1] for name, one in plain.items()}), strict=True))
    assert turned["log_suv_lower_third"] == values["log_suv_upper_third"]
    nothing = range_features({PET: np.zeros(SIZE, np.float16), LESIONS: np.zeros(SIZE, np.uint8)})
    assert np.isnan(nothing[0])
