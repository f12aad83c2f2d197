"""Shapes, the body's frame and the patient's tissues."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.simulation import PatientPlan, draw_patient
from lymphoma.simulation.anatomy import Grid, organ_map, paint_tissues
from lymphoma.simulation.build import build_of
from lymphoma.simulation.frame import Canvas, Frame, stretch_of
from lymphoma.simulation.shapes import Capsule, Ellipsoid, Shape, rotation, tube
from lymphoma.simulation.tissues import (
    LABELS,
    LUNGS,
    MUSCLES,
    ORGAN_NAMES,
    TISSUES,
    VERTEBRAE,
    labels_of,
)
from scipy import ndimage

pytestmark = pytest.mark.unit

WHOLE = Grid((215, 128, 128), (4.0, 4.0, 5.0), (-254.0, -254.0, -190.0))
"""From mid-thigh to the vertex of people up to 1.85 m."""
MAN, WOMAN = 1, 4
ONLY_MEN = {"prostate", "testis_left", "testis_right"}
ONLY_WOMEN = {"uterus", "ovary_left", "ovary_right", "breast_left", "breast_right"}


def _volume_ml(shape: Shape, step: float = 1.0) -> float:
    low, high = shape.bounds
    axes = [np.arange(a - 2.37, b + 2, step, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    x, y, z = axes[0][None, None, :], axes[1][None, :, None], axes[2][:, None, None]
    return float((shape.distance(x, y, z) < 0).sum()) * step**3 / 1000


@pytest.mark.parametrize(
    ("shape", "volume_ml"),
    [
        (Ellipsoid((3, -2, 5), (30, 20, 10)), 4 / 3 * np.pi * 6.0),
        (Ellipsoid((3, -2, 5), (30, 20, 10), rotation("y", 30) @ rotation("x", 50)), 4 / 3 * np.pi * 6.0),
        (Capsule((0, 0, 0), (30, 0, 40), 10, 10), np.pi * 5 + 4 / 3 * np.pi),
    ],
)
def test_volume_of_a_shape(shape: Shape, volume_ml: float) -> None:
    # 1 mm voxels on a surface of about 40 cm2 scatter by some tenths of a percent; bounds that cut would lose more
    assert _volume_ml(shape) == pytest.approx(volume_ml, rel=0.01)


def test_distance_near_the_surface_is_in_mm() -> None:
    shape = Ellipsoid((0, 0, 0), (60, 40, 20))
    probe = np.array([62, 58], dtype=np.float32)
    assert shape.distance(probe, np.zeros(2, np.float32), np.zeros(2, np.float32)) == pytest.approx([2, -2], abs=0.1)


def test_rotation_is_right_handed() -> None:
    assert rotation("z", 90) @ [1, 0, 0] == pytest.approx([0, 1, 0])
    assert rotation("x", 90) @ [0, 1, 0] == pytest.approx([0, 0, 1])
    assert rotation("y", 90) @ [0, 0, 1] == pytest.approx([1, 0, 0])


def test_a_tube_tapers_evenly() -> None:
    pieces = tube(((0, 0, 0), (0, 0, 10), (0, 5, 20)), 6.0, 2.0)
    assert [(piece.radius, piece.end_radius) for piece in pieces] == [(6.0, 4.0), (4.0, 2.0)]
    assert pieces[0].end == pieces[1].start


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (60.0, -40.0, 270.0), (-30.0, 50.0, 700.0), (80.0, 0.0, -150.0)])
def test_frame_there_and_back(point: tuple[float, float, float]) -> None:
    stretch = stretch_of(draw_patient(11), breath_mm=4.0)
    x, y, z = stretch.patient_point(point)
    back = stretch.coordinates(np.array([x]), np.array([y]), np.array([z]))
    # z comes from a table with 1 mm steps, linear between
    assert [float(axis.item()) for axis in back] == pytest.approx(point, abs=0.05)


def test_z_never_folds() -> None:
    z = np.arange(-300.0, 1000.0)
    for seed in range(40):
        plan = draw_patient(seed, lesions=0)
        for breath in (-20.0, 20.0):
            assert (np.diff(stretch_of(plan, breath_mm=breath).reference_z(z)) > 0.5).all()


def test_backs_round_with_age() -> None:
    """The chest lies further back relative to the head in the old; other bends are drawn for each patient."""

    def round_mm(plan: PatientPlan, age: int) -> float:
        older = dataclasses.replace(plan, person=dataclasses.replace(plan.person, age_years=age))
        stretch = stretch_of(older, breath_mm=0.0)
        return float(stretch.patient_point((0, 0, 420))[1] - stretch.patient_point((0, 0, 720))[1])

    plans = [draw_patient(seed, lesions=0) for seed in range(40)]
    young, old = (np.array([round_mm(plan, age) for plan in plans]) for age in (30, 88))
    assert old.mean() - young.mean() > 5
    # patients of one age differ among themselves by several mm as well
    assert old.std() > 3


def test_paint_grows_and_keeps_to_what_it_may_cover() -> None:
    axis = np.arange(-20, 21, dtype=np.float32)
    frame = Frame(axis[None, None, :], axis[None, :, None], axis[:, None, None])
    frame = Frame(*(np.broadcast_to(a, s) for a, s in zip((frame.x, frame.y, frame.z), _SHAPES, strict=True)))
    canvas = Canvas.empty(frame)
    ball = Ellipsoid((0, 0, 0), (10, 10, 10))
    canvas.paint("fat", ball, grow_mm=2.0)
    canvas.paint("muscle", ball, only=("fat",))
    canvas.paint("liver", ball, only=("blood",))
    counts = np.bincount(canvas.labels.ravel(), minlength=256)
    # a ball of 10 and of 12 mm in voxels of 1 mm; counting voxels is right within 3 %
    assert counts[LABELS["muscle"]] == pytest.approx(4 / 3 * np.pi * 1000, rel=0.03)
    assert counts[LABELS["fat"]] == pytest.approx(4 / 3 * np.pi * (12**3 - 10**3), rel=0.03)
    assert counts[LABELS["liver"]] == 0
    assert frame.box(((30.0, -5.0, -5.0), (40.0, 5.0, 5.0))) is None
    assert frame.box(((-5.0, -4.0, -3.0), (5.0, 4.0, 3.0))) == (slice(17, 24), slice(16, 25), slice(15, 26))


_SHAPES = ((41, 1, 41), (41, 41, 1), (41, 1, 1))


@pytest.fixture(scope="module")
def painted() -> Mapping[int, npt.NDArray[np.uint8]]:
    """Tissues of a man and a woman from mid-thigh to the vertex."""
    return {seed: paint_tissues(draw_patient(seed), WHOLE) for seed in (MAN, WOMAN)}


def _volumes_ml(tissues: npt.NDArray[np.uint8], grid: Grid) -> dict[str, float]:
    counts = np.bincount(organ_map(tissues, grid).array.ravel(), minlength=256)
    return {name: counts[label] * float(np.prod(grid.spacing_mm)) / 1000 for label, name in ORGAN_NAMES.items()}


@pytest.mark.parametrize(("seed", "absent"), [(MAN, ONLY_WOMEN), (WOMAN, ONLY_MEN)])
def test_every_structure_is_there(painted: Mapping[int, npt.NDArray[np.uint8]], seed: int, absent: set[str]) -> None:
    build = build_of(draw_patient(seed))
    assert build.gallbladder
    assert build.uterus == (seed == WOMAN)
    volumes = _volumes_ml(painted[seed], WHOLE)
    assert len(volumes) > 90
    assert {name for name, volume in volumes.items() if volume == 0} == absent
    used = {TISSUES[label].name for label in np.unique(painted[seed])}
    missing = {tissue.name for tissue in TISSUES if tissue.organ not in absent} - used
    assert missing == set()


# volumes of adults by autopsy and CT, mL, with room for the small and the large [A]
@pytest.mark.parametrize(
    ("organs", "lowest", "highest"),
    [
        (("brain",), 1000, 1900),
        (("liver",), 1000, 2600),
        (("spleen",), 60, 350),
        (("kidney_left",), 80, 280),
        (("kidney_right",), 80, 280),
        (LUNGS, 2800, 7000),
        (("heart",), 250, 800),
        (("pancreas",), 25, 110),
        (("urinary_bladder",), 60, 450),
        (("thyroid_gland",), 4, 30),
        (VERTEBRAE, 350, 1000),
        (MUSCLES, 14_000, 40_000),
    ],
)
def test_volumes_of_organs(
    painted: Mapping[int, npt.NDArray[np.uint8]], organs: tuple[str, ...], lowest: float, highest: float
) -> None:
    for tissues in painted.values():
        assert lowest < np.isin(tissues, labels_of(*organs)).sum() * 0.08 < highest


@pytest.mark.parametrize("seed", [MAN, WOMAN])
def test_organs_lie_where_they_belong(painted: Mapping[int, npt.NDArray[np.uint8]], seed: int) -> None:
    organs = organ_map(painted[seed], WHOLE).array
    there = [label for label in np.unique(organs).tolist() if label]
    places = ndimage.center_of_mass(organs > 0, organs, there)
    centre = {
        ORGAN_NAMES[label]: (-254 + 4 * i, -254 + 4 * j, -190 + 5 * k)
        for label, (k, j, i) in zip(there, places, strict=True)
    }
    assert centre["liver"][0] < -30
    assert centre["spleen"][0] > 60
    assert centre["heart_ventricle_left"][0] > centre["heart_atrium_right"][0] + 30
    pairs = [organ for organ in centre if organ.endswith("_left") and organ.replace("_left", "_right") in centre]
    assert len(pairs) > 25
    for organ in pairs:
        assert centre[organ][0] > centre[organ.replace("_left", "_right")][0] + 4
    rising = (
        "urinary_bladder", "sacrum", "vertebrae_L", "liver", "heart_myocardium", "trachea", "thyroid_gland",
        "submandibular_gland_left", "tonsil_left", "brain",
    )  # fmt: skip
    heights = [centre[organ][2] for organ in rising]
    assert heights == sorted(heights)
    assert centre["vertebrae_L"][2] < centre["vertebrae_T"][2] < centre["vertebrae_C"][2]
    assert centre["lung_lower_lobe_right"][2] < centre["lung_upper_lobe_right"][2]
    assert centre["lung_middle_lobe_right"][1] < centre["lung_lower_lobe_right"][1] - 30
    assert (
        centre["sternum"][1] < centre["heart_myocardium"][1] < centre["vertebrae_T"][1] < centre["autochthon_left"][1]
    )


def test_tissues_know_the_whole_they_are_part_of() -> None:
    assert {TISSUES[label].organ for label in labels_of("lung_left")} == {
        "lung_upper_lobe_left",
        "lung_lower_lobe_left",
    }
    assert len(labels_of("vertebrae")) == 6
    assert labels_of("heart_myocardium") == [LABELS["myocardium"], LABELS["myocardium_focus"]]
    assert labels_of("nothing of that name") == []


def test_labels_fit_their_array() -> None:
    assert len(TISSUES) == len(LABELS) <= 256
    assert list(ORGAN_NAMES) == list(range(1, len(ORGAN_NAMES) + 1))


def test_a_part_looks_as_in_the_whole(painted: Mapping[int, npt.NDArray[np.uint8]]) -> None:
    x, y, z = WHOLE.first_mm
    part = Grid((20, *WHOLE.shape[1:]), WHOLE.spacing_mm, (x, y, z + 80 * 5.0))
    assert np.array_equal(paint_tissues(draw_patient(MAN), part), painted[MAN][80:100])


def test_weight_goes_into_fat(painted: Mapping[int, npt.NDArray[np.uint8]]) -> None:
    plan = draw_patient(WOMAN)
    heavy = dataclasses.replace(plan, person=dataclasses.replace(plan.person, weight_kg=36 * plan.person.height_m**2))
    thin = dataclasses.replace(plan, person=dataclasses.replace(plan.person, weight_kg=19 * plan.person.height_m**2))
    fat = [
        np.isin(paint_tissues(who, WHOLE), [LABELS["fat"], LABELS["visceral_fat"]]).sum() * 0.08e-3
        for who in (thin, heavy)
    ]
    # 45 kg lie between the two; most of it is fat of 0.92 kg/L, a part of it below the field of view
    assert 15 < fat[1] - fat[0] < 50


def test_arms_lie_as_planned() -> None:
    grid = Grid((100, 64, 64), (8.0, 8.0, 10.0), (-252.0, -252.0, -190.0))
    for raised in (True, False):
        plan = draw_patient(MAN)
        plan = dataclasses.replace(plan, scan=dataclasses.replace(plan.scan, arms_up=raised))
        k = np.nonzero(np.isin(paint_tissues(plan, grid), labels_of("forearm_left", "forearm_right")))[0]
        shoulder = stretch_of(plan, breath_mm=0.0).patient_z(510.0)
        assert (grid.axis_mm(2)[k].mean() > shoulder) == raised


def test_rare_builds() -> None:
    builds = [build_of(draw_patient(seed, lesions=0)) for seed in range(300)]
    # 12 % without a gallbladder: 36 of 300, four standard errors are 23
    assert 13 < sum(not build.gallbladder for build in builds) < 59
    assert 1 <= sum(build.kidneys == "ptotic" for build in builds) <= 14
    odd = sum(build.arms[0].raised != build.arms[1].raised for build in builds)
    assert 1 <= odd <= 16


def test_horseshoe_kidneys_are_one() -> None:
    grid = Grid((60, 80, 80), (4.0, 4.0, 5.0), (-158.0, -158.0, 20.0))
    for seed, kidneys, pieces in ((525, "horseshoe", 1), (MAN, "usual", 2)):
        plan = draw_patient(seed, lesions=0)
        assert build_of(plan).kidneys == kidneys
        labels, _ = ndimage.label(np.isin(paint_tissues(plan, grid), labels_of("kidney_left", "kidney_right")))
        # crumbs of a few voxels aside, of what fat at the hilum cuts off
        assert int((np.bincount(labels.ravel())[1:] > 200).sum()) == pieces


def test_coarser_grid_covers_the_same_field() -> None:
    grid = Grid((2, 8, 8), (1.0, 1.0, 3.0), (-3.5, -3.5, 0.0))
    coarse = grid.coarser(2)
    assert coarse.shape == (2, 4, 4)
    assert coarse.axis_mm(0) == pytest.approx(grid.axis_mm(0).reshape(4, 2).mean(axis=1))
    with pytest.raises(ValueError, match="divide"):
        grid.coarser(3)
