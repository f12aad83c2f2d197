"""What is looked at of a candidate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation.candidates import find_candidates
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES, Description, describe

pytestmark = pytest.mark.unit

SHAPE = (40, 36, 50)
EDGE_MM = 4.0
NAMES = {1: "liver", 2: "urinary_bladder", 3: "vertebrae_L", 4: "kidney_left", 5: "unheard_of"}


def ball(centre: tuple[int, int, int], radius_mm: float) -> npt.NDArray[np.bool_]:
    squared = sum((axis - at) ** 2 for axis, at in zip(np.indices(SHAPE), centre, strict=True)) * EDGE_MM**2
    return np.asarray(squared <= radius_mm**2)


def volume(array: npt.NDArray[np.generic]) -> Volume:
    return Volume(array, np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0]))


BLADDER = ball((8, 18, 25), 16.0)
NODE = ball((20, 18, 12), 14.0)
ODD = ball((34, 18, 38), 10.0)


@pytest.fixture(scope="module")
def scene() -> tuple[Volume, Volume, Anatomy]:
    suv = np.ones(SHAPE, dtype=np.float32)
    suv[BLADDER], suv[NODE], suv[ODD] = 20.0, 8.0, 5.0
    suv[20, 18, 12], suv[8, 18, 25] = 9.0, 21.0
    suv[ball((20, 18, 38), 8.0)] = 3.9  # opposite the node, under the threshold
    organs = np.zeros(SHAPE, dtype=np.uint8)
    organs[ball((26, 18, 14), 22.0) & ~NODE] = 1
    organs[:, 20:23, 24:27] = 3
    organs[BLADDER] = 2
    organs[ODD] = 5
    suv[organs == 1] = 2.0
    hu = np.full(SHAPE, 40.0, dtype=np.float32)
    hu[ODD] = 600.0
    return volume(suv), volume(hu), Anatomy("given", volume(organs), NAMES)


def told(
    scene: tuple[Volume, Volume, Anatomy], probability: npt.NDArray[np.float32] | None = None
) -> tuple[Description, dict[str, dict[str, float]]]:
    suv, hu, anatomy = scene
    candidates = find_candidates(suv, anatomy)
    found = describe(suv, hu, anatomy, candidates, probability)
    names = [
        next(name for name, mask in (("bladder", BLADDER), ("node", NODE), ("odd", ODD)) if mask[at].all())
        for at in (candidates.labels.array == one.part.label for one in found.parts)
    ]
    rows = [dict(zip(PLAIN_FEATURES, row.tolist(), strict=True)) for row in found.plain]
    return found, dict(zip(names, rows, strict=True))


def test_organs_within_and_around(scene: tuple[Volume, Volume, Anatomy]) -> None:
    found, rows = told(scene)
    assert rows["bladder"]["in_urine"] == rows["bladder"]["around_urine"] == rows["bladder"]["peak_urine"] == 1.0
    assert rows["bladder"]["shell_urine"] == 0.0
    assert rows["node"]["in_liver"] == 0.0
    assert 0.2 < rows["node"]["shell_liver"] < 0.8
    assert all(row[name] == 0.0 for row in rows.values() for name in row if name.endswith("_kidney"))
    assert [one.organ for one in found.parts] == ["urinary_bladder", "liver", "unheard_of"]


def test_uptake_shape_and_place(scene: tuple[Volume, Volume, Anatomy]) -> None:
    found, rows = told(scene)
    node = rows["node"]
    assert node["log_suv_max"] == pytest.approx(np.log(9.0))
    assert node["log_volume"] == pytest.approx(np.log(NODE.sum() * EDGE_MM**3 / 1000))
    assert node["log_max_to_liver"] == pytest.approx(np.log(9.0 / 2.0))
    assert found.parts[1].hottest_mm == (48.0, 72.0, 80.0)
    # the spine's middle is column 25: the mirrored place is column 38
    assert node["lateral"] == pytest.approx(13 * EDGE_MM / 100, abs=0.01)  # the spine is thinned
    assert node["mirror"] == pytest.approx(np.log(3.9 / 9.0), abs=1e-6)
    assert rows["bladder"]["mirror"] == pytest.approx(0.0)
    assert node["depth"] == pytest.approx((21 - 18) * EDGE_MM / 100, abs=0.01)
    assert node["above_liver"] < 0 < rows["odd"]["above_liver"]
    assert rows["odd"]["dense_share"] == 1.0
    assert node["dense_share"] == 0.0
    assert 0.55 < node["sphericity"] < 0.75
    assert node["elongation"] == pytest.approx(0.0, abs=1e-9)
    assert node["split"] == 0.0


def test_a_rod_is_long_and_a_plate_is_flat() -> None:
    index = np.indices(SHAPE)
    rod = (abs(index[0] - 20) <= 12) & (abs(index[1] - 18) <= 1) & (abs(index[2] - 12) <= 1)
    plate = (abs(index[0] - 20) <= 5) & (abs(index[1] - 18) <= 5) & (abs(index[2] - 38) <= 0)
    suv = np.where(rod, 7.0, np.where(plate, 6.0, 1.0)).astype(np.float32)
    grid = volume(suv)
    found = describe(grid, grid, Anatomy("none"), find_candidates(grid, Anatomy("none")), None)
    rows = [dict(zip(PLAIN_FEATURES, row.tolist(), strict=True)) for row in found.plain]
    assert rows[0]["elongation"] > 1.5 > 0.1 > rows[0]["flatness"]
    assert rows[1]["flatness"] > 1.0 > 0.1 > rows[1]["elongation"]
    assert rows[0]["log_height"] > rows[1]["log_height"]


def test_what_the_network_says_is_taken_within_the_part_alone(scene: tuple[Volume, Volume, Anatomy]) -> None:
    probability = np.full(SHAPE, 0.9, dtype=np.float32)
    probability[NODE] = 0.2
    probability[20, 18, 12] = 0.6
    found, _ = told(scene, probability)
    assert found.network is not None
    node = dict(zip(NETWORK_FEATURES, found.network[1].tolist(), strict=True))
    mean = 0.2 + 0.4 / NODE.sum()
    assert node["p_mean"] == pytest.approx(mean, abs=1e-6)
    assert node["p_max"] == pytest.approx(0.6)
    assert node["p_share"] == pytest.approx(1 / NODE.sum())
    assert node["p_logit"] == pytest.approx(np.log(mean / (1 - mean)), abs=1e-5)


def test_without_organs_at_the_rim_and_of_nothing_all_numbers_are_finite() -> None:
    suv = np.ones(SHAPE, dtype=np.float32)
    suv[:4, :4, :4] = 1e4
    grid = volume(suv)
    air = volume(np.full(SHAPE, -1024.0, dtype=np.float32))
    found = describe(grid, air, Anatomy("none"), find_candidates(grid, Anatomy("none")), np.zeros(SHAPE, np.float32))
    assert found.plain.shape == (1, len(PLAIN_FEATURES))
    assert found.network is not None
    assert np.isfinite(found.plain).all()
    assert np.isfinite(found.network).all()
    assert np.abs(found.plain).max() < 15
    assert found.parts[0].organ is None
    nothing = volume(np.ones(SHAPE, dtype=np.float32))
    empty = describe(nothing, air, Anatomy("none"), find_candidates(nothing, Anatomy("none")), None)
    assert empty.plain.shape == (0, len(PLAIN_FEATURES))
