"""Candidates: the volume rule, and how uptake that runs into organs is divided."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation.candidates import Candidates, find_candidates, splitting_organs
from scipy import ndimage

pytestmark = pytest.mark.unit

SHAPE = (40, 40, 40)
EDGE_MM = 4.0
NAMES = {1: "urinary_bladder", 2: "brain", 3: "skeletal_muscle", 4: "liver", 5: "lung_left"}
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


def ball(centre: tuple[float, float, float], radius_mm: float) -> Bools:
    index = np.indices(SHAPE)
    squared = sum((axis - at) ** 2 for axis, at in zip(index, centre, strict=True)) * EDGE_MM**2
    return np.asarray(squared <= radius_mm**2)


def blurred(*hot: tuple[Bools, float]) -> Floats:
    """SUV 1 with uptake, after a scanner of 7 mm resolution."""
    suv = np.ones(SHAPE)
    for mask, value in hot:
        suv[mask] = value
    return ndimage.gaussian_filter(suv, 7.0 / 2.355 / EDGE_MM).astype(np.float32)


def volume(array: npt.NDArray[np.generic]) -> Volume:
    return Volume(array, np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0]))


def found(suv: Floats, organs: npt.NDArray[np.integer] | None = None, least_ml: float = 3.0) -> Candidates:  # type: ignore[type-arg]
    anatomy = Anatomy("none") if organs is None else Anatomy("given", volume(organs.astype(np.uint8)), NAMES)
    return find_candidates(volume(suv), anatomy, least_ml)


def label_at(candidates: Candidates, place: tuple[int, int, int]) -> int:
    return int(candidates.labels.array[place])


BLADDER = ball((20, 20, 14), 24.0)
NODE = ball((20, 20, 24), 12.0)
WITH_NODE = blurred((BLADDER, 30.0), (NODE, 14.0))


def shifted(mask: Bools, voxels: int) -> Bools:
    return np.asarray(ndimage.shift(mask.astype(np.uint8), (0, 0, voxels), order=0).astype(bool))


@pytest.mark.parametrize(
    "organ",
    [BLADDER, ndimage.binary_erosion(BLADDER, iterations=2), ndimage.binary_dilation(BLADDER), shifted(BLADDER, 2)],
    ids=["exact", "two voxels small", "one voxel large", "two voxels aside"],
)
def test_node_beside_the_bladder_is_a_part_of_its_own(organ: Bools) -> None:
    candidates = found(WITH_NODE, np.where(organ, 1, 0))
    bladder, node = label_at(candidates, (20, 20, 12)), label_at(candidates, (20, 20, 24))
    assert 0 not in (bladder, node)
    assert bladder != node
    about = candidates.parts[bladder - 1]
    assert (about.organ, about.split) == ("urinary_bladder", True)
    # the bladder's spill-out away from the node stays with the bladder, whatever the map's border says
    rim = (WITH_NODE >= 4.0) & ~BLADDER & (np.indices(SHAPE)[2] < 14)
    assert np.all(candidates.labels.array[rim] == bladder)


def test_without_organs_nothing_is_split() -> None:
    candidates = found(WITH_NODE)
    assert len(candidates.parts) == 1
    assert not candidates.parts[0].split
    assert candidates.parts[0].organ is None


def test_every_voxel_of_a_component_belongs_to_one_part_and_none_under_4() -> None:
    rng = np.random.default_rng(3)
    noisy = (WITH_NODE * rng.normal(1.0, 0.15, SHAPE)).astype(np.float32)
    candidates = found(noisy, np.where(BLADDER, 1, 0))
    taken = candidates.labels.array > 0
    components, count = ndimage.label(noisy >= 4.0, np.ones((3, 3, 3)))
    sizes = np.bincount(components.ravel()) * EDGE_MM**3 / 1000
    large = [one for one in range(1, count + 1) if sizes[one] >= 3.0]
    assert np.array_equal(taken, np.isin(components, large))
    voxels = np.bincount(candidates.labels.array.ravel())[1:]
    assert [part.label for part in candidates.parts] == list(range(1, len(voxels) + 1))
    assert np.all(np.diff(voxels) <= 0)
    np.testing.assert_allclose([part.volume_ml for part in candidates.parts], voxels * EDGE_MM**3 / 1000)


def test_part_under_half_the_volume_rule_goes_back_to_its_neighbour() -> None:
    small = ball((20, 20, 22), 5.0)
    suv = blurred((BLADDER, 9.0))
    suv[small] = 40.0
    assert len(found(suv, np.where(BLADDER, 1, 0), 3.0).parts) == 1
    assert len(found(suv, np.where(BLADDER, 1, 0), 0.5).parts) == 2


def test_far_shoulder_of_an_organ_is_cut_off_without_a_peak() -> None:
    """Uptake that falls evenly from the bladder to 40 mm beyond it is no spill-out."""
    index = np.indices(SHAPE)
    tongue = (abs(index[0] - 20) <= 2) & (abs(index[1] - 20) <= 2) & (index[2] >= 14) & (index[2] <= 32)
    suv = blurred((BLADDER, 30.0))
    suv[tongue] = np.maximum(suv, 12.0 - 0.2 * index[2])[tongue]
    candidates = found(suv.astype(np.float32), np.where(BLADDER, 1, 0))
    end, middle = label_at(candidates, (20, 20, 31)), label_at(candidates, (20, 20, 12))
    assert end != middle
    assert candidates.parts[end - 1].organ is None
    assert candidates.parts[middle - 1].organ == "urinary_bladder"


def test_core_of_an_organ_within_hotter_uptake_is_told() -> None:
    liver = ball((20, 20, 12), 32.0)
    suv = blurred((liver, 4.6), (ball((20, 20, 26), 24.0), 20.0))
    candidates = found(suv, np.where(liver, 4, 0))
    assert candidates.parts[label_at(candidates, (20, 20, 8)) - 1].organ == "liver"
    assert candidates.parts[label_at(candidates, (20, 20, 27)) - 1].organ is None


def test_brain_of_many_peaks_is_one_part_and_other_peaks_are_their_own() -> None:
    organ = ball((20, 20, 20), 40.0)
    peaks = [(12, 20, 20), (28, 20, 20), (20, 12, 20), (20, 28, 20)]
    suv = blurred((organ, 5.0), *((ball(peak, 9.0), 14.0) for peak in peaks))
    assert len(found(suv, np.where(organ, 2, 0)).parts) == 1
    assert len(found(suv, np.where(organ, 1, 0)).parts) >= len(peaks)


def test_muscle_divides_nothing_and_organs_far_away_neither() -> None:
    suv = blurred((ball((20, 20, 15), 16.0), 10.0), (ball((20, 20, 23), 16.0), 9.0))
    muscle = np.where(np.indices(SHAPE)[2] < 20, 3, 0)
    assert len(found(suv, muscle).parts) == 1
    far = np.where(ball((4, 4, 4), 8.0), 1, 0)
    assert len(found(suv, far).parts) == 1
    anatomy = Anatomy("given", volume(muscle.astype(np.uint8)), NAMES)
    assert splitting_organs(anatomy) == {1: "urinary_bladder", 2: "brain", 4: "liver"}


def test_nothing_avid_gives_no_candidate() -> None:
    candidates = found(np.ones(SHAPE, dtype=np.float32), np.zeros(SHAPE, dtype=np.uint8))
    assert candidates.parts == ()
    assert not candidates.labels.array.any()
