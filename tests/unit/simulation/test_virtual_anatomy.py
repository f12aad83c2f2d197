"""Shapes, the body's frame and the patient's tissues."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.simulation import draw_patient
from lymphoma.simulation.anatomy import Grid, paint_tissues
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.shapes import Capsule, Ellipsoid, Shape, rotation
from lymphoma.simulation.tissues import LABELS, ORGAN_NAMES, TISSUES

pytestmark = pytest.mark.unit


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


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (60.0, -40.0, 270.0), (-30.0, 50.0, 700.0), (80.0, 0.0, -150.0)])
def test_frame_there_and_back(point: tuple[float, float, float]) -> None:
    stretch = stretch_of(draw_patient(11), breath_mm=4.0)
    x, y, z = stretch.patient_point(point)
    back = stretch.coordinates(np.array([x]), np.array([y]), np.array([z]))
    # z comes from a table with 1 mm steps, linear between
    assert [float(axis.item()) for axis in back] == pytest.approx(point, abs=0.05)


def test_z_never_folds() -> None:
    z = np.arange(-300.0, 1000.0)
    for seed in range(30):
        plan = draw_patient(seed)
        for breath in (-8.0, 8.0):
            assert (np.diff(stretch_of(plan, breath_mm=breath).reference_z(z)) > 0.5).all()


@pytest.mark.parametrize("seed", [1, 4])
def test_organs_lie_where_they_belong(seed: int) -> None:
    grid = Grid((120, 84, 84), (8.0, 8.0, 10.0), (-332.0, -332.0, -230.0))
    tissues = paint_tissues(draw_patient(seed), grid)
    centre = {}
    for number, organ in ORGAN_NAMES.items():
        labels = [LABELS[tissue.name] for tissue in TISSUES if tissue.organ == ORGAN_NAMES[number]]
        k, j, i = np.nonzero(np.isin(tissues, labels))
        if len(k):
            centre[organ] = (grid.axis_mm(0)[i].mean(), grid.axis_mm(1)[j].mean(), grid.axis_mm(2)[k].mean(), len(k))
    missing = set(ORGAN_NAMES.values()) - set(centre)
    assert missing in ({"prostate"}, {"uterus"})
    assert centre["liver"][0] < -30
    assert centre["spleen"][0] > 60
    assert centre["heart"][0] > 0
    for organ in centre:
        if organ.endswith("_left"):
            twin = organ.replace("_left", "_right")
            assert centre[organ][0] > 0 > centre[twin][0]
    heights = [centre[organ][2] for organ in ("urinary_bladder", "kidney_left", "liver", "heart", "brain")]
    assert heights == sorted(heights)
    assert centre["sternum"][1] < centre["heart"][1] < centre["vertebrae"][1]
    litres = 8 * 8 * 10 / 1e6
    assert 0.9 < centre["brain"][3] * litres < 1.9
    assert 1.0 < centre["liver"][3] * litres < 2.6
    assert 2.0 < (centre["lung_left"][3] + centre["lung_right"][3]) * litres < 7.0


def test_coarser_grid_covers_the_same_field() -> None:
    grid = Grid((2, 8, 8), (1.0, 1.0, 3.0), (-3.5, -3.5, 0.0))
    coarse = grid.coarser(2)
    assert coarse.shape == (2, 4, 4)
    assert coarse.axis_mm(0) == pytest.approx(grid.axis_mm(0).reshape(4, 2).mean(axis=1))
    with pytest.raises(ValueError, match="divide"):
        grid.coarser(3)
