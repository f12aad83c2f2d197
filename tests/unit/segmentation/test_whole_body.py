"""The lesion network over a whole body: one pass gives what blending all maps first would give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.imaging import Volume, resample_like
from lymphoma.imaging.working import crop as cut
from lymphoma.imaging.working import working_grid
from lymphoma.inference.device import Processor
from lymphoma.inference.fallback import Attempt
from lymphoma.inference.sliding import blended
from lymphoma.segmentation import whole_body as whole_body_module
from lymphoma.segmentation.network import LampNetwork, LampShape, LesionMaps, image_of
from lymphoma.segmentation.regions import members_of
from lymphoma.segmentation.whole_body import LesionNetwork
from lymphoma.segmentation.working_crop import AIR_HU, WorkingCrop

pytestmark = pytest.mark.unit

SHAPE = LampShape(widths=(2, 3), supervised=1, edge_mm=8.0, window=(8, 8, 8))
CPU = Processor(torch.device("cpu"))


@pytest.fixture(scope="module")
def network() -> LesionNetwork:
    torch.manual_seed(4)
    return LesionNetwork(LampNetwork(SHAPE).eval(), SHAPE, "ab" * 32, ("liver",), CPU)


@pytest.fixture(scope="module")
def study() -> tuple[Volume, Volume]:
    """A cylinder of tissue with noise in 5 x 6 x 7 mm voxels, in air."""
    rng = np.random.default_rng(3)
    affine = np.diag([5.0, 6.0, 7.0, 1.0])
    affine[:3, 3] = (-40.0, 12.0, 100.0)
    k, j, i = np.indices((40, 32, 24))
    body = ((j - 16) / 8.0) ** 2 + ((i - 12) / 9.5) ** 2 < 1
    suv = np.where(body, 1.0 + rng.random(body.shape), 0.0).astype(np.float32)
    ct = np.where(body, 40.0 + 20.0 * rng.random(body.shape), AIR_HU).astype(np.float32)
    suv[(k - 20) ** 2 + (j - 16) ** 2 + (i - 12) ** 2 < 12] = 9.0
    return Volume(suv, affine), Volume(ct, affine)


@pytest.fixture(scope="module")
def crop(network: LesionNetwork, study: tuple[Volume, Volume]) -> WorkingCrop:
    return network.crop(*study)


@pytest.fixture(scope="module")
def labels(study: tuple[Volume, Volume]) -> Volume:
    """Three regions, of which one is a single voxel of the PET that the working grid cannot hold, and 3 is missing."""
    suv, _ = study
    drawn = np.zeros(suv.array.shape, dtype=np.uint16)
    drawn[10:24, 12:20, 6:18] = 1
    drawn[30:35, 14:19, 9:15] = 2
    drawn[19, 11, 12] = 4
    return suv.with_array(drawn)


def blended_features(network: LesionNetwork, crop: WorkingCrop) -> np.ndarray:
    """All 128 maps of the whole crop, as no run holds them."""

    def features(window: torch.Tensor) -> torch.Tensor:
        maps: LesionMaps = network.network(window)
        return maps.features

    image = torch.from_numpy(image_of(crop.suv.array, crop.ct_hu.array))
    return blended(features, image, network.windows(crop), CPU, whole_body_module._air()).numpy()


@pytest.mark.paper("lamp-eq1")
def test_pooled_features_are_the_means_of_the_blended_maps(
    network: LesionNetwork, crop: WorkingCrop, labels: Volume
) -> None:
    assert len(network.windows(crop)) > 3
    maps = blended_features(network, crop)
    (found,) = network.run(crop, [labels]).regions
    members = members_of(labels, crop.suv)
    for row in (0, 1):
        voxels = members.voxels[members.rows == row]
        assert len(voxels) == found.voxels[row] > 10
        assert np.allclose(found.means[row], maps[:, *voxels.T].mean(axis=1), atol=1e-4)
    assert found.present.tolist() == [True, True, False, True]
    assert not found.means[2].any()


def test_a_label_that_vanishes_is_stood_for_by_the_voxel_at_its_place(
    network: LesionNetwork, crop: WorkingCrop, labels: Volume
) -> None:
    members = members_of(labels, crop.suv)
    (found,) = network.pool(crop, [labels]).regions
    place = np.rint(crop.suv.index_kji(labels.points_mm([19, 11, 12]))).astype(int)
    assert found.voxels[3] == 0
    assert members.voxels[members.rows == 3].tolist() == [place.tolist()]
    assert np.allclose(found.means[3], blended_features(network, crop)[:, *place], atol=1e-4)


def test_a_label_beyond_the_body_is_stood_for_by_the_nearest_voxel(crop: WorkingCrop, labels: Volume) -> None:
    drawn = np.zeros_like(labels.array)
    drawn[0, 0, 0] = 1
    members = members_of(labels.with_array(drawn), crop.suv)
    assert members.voxels.tolist() == [[0, 0, 0]]
    assert members.sizes.tolist() == [0]


def test_an_edited_contour_runs_only_the_windows_it_touches_and_gives_the_same(
    network: LesionNetwork, crop: WorkingCrop, labels: Volume
) -> None:
    edited = labels.array.copy()
    edited[edited == 1] = 0
    edited[31:36, 15:19, 10:15] = 1
    edited[edited == 4] = 0
    given = labels.with_array(edited)
    whole, part = network.run(crop, [given]), network.pool(crop, [given])
    windows = network.windows(crop)
    assert whole.windows == len(windows)
    assert part.windows == len(windows.holding(members_of(given, crop.suv).voxels)) < whole.windows
    assert np.allclose(whole.regions[0].means, part.regions[0].means, atol=1e-5)


def test_several_maps_in_one_pass_do_not_disturb_each_other(
    network: LesionNetwork, crop: WorkingCrop, labels: Volume
) -> None:
    other = labels.with_array((labels.array == 2).astype(np.uint8))
    together = network.pool(crop, [labels, other]).regions
    assert np.allclose(together[1].means[0], together[0].means[1], atol=1e-6)
    assert np.allclose(together[0].means, network.pool(crop, [labels]).regions[0].means, atol=1e-6)


def test_many_labels_are_added_up_in_blocks(network: LesionNetwork, crop: WorkingCrop, labels: Volume) -> None:
    drawn = np.zeros(labels.array.shape, dtype=np.uint16)
    drawn[10:30:2, 12:20:2, 7:17:2] = np.arange(1, 201).reshape(10, 4, 5)
    given = labels.with_array(drawn)
    maps, members = blended_features(network, crop), members_of(given, crop.suv)
    (found,) = network.pool(crop, [given]).regions
    expected = np.zeros((200, 128))
    for row, voxel in zip(members.rows, members.voxels, strict=True):
        expected[row] += maps[:, *voxel] / max(members.sizes[row], 1)
    assert np.allclose(found.means, expected, atol=1e-4)


def test_the_probability_is_the_blended_one_brought_to_the_grid_of_the_pet(
    network: LesionNetwork, crop: WorkingCrop, study: tuple[Volume, Volume]
) -> None:
    def fused(window: torch.Tensor) -> torch.Tensor:
        return network.network(window).log_probability[:, 1:].exp()

    image = torch.from_numpy(image_of(crop.suv.array, crop.ct_hu.array))
    coarse = blended(fused, image, network.windows(crop), CPU, whole_body_module._air())[0].numpy()
    found = network.run(crop).probability
    assert found.shape == study[0].array.shape
    assert found.dtype == np.float32
    # at a point well inside the crop, by hand: linear between the eight working voxels around it
    point = np.array([21, 17, 13])
    at = crop.suv.index_kji(study[0].points_mm(point))
    low = np.floor(at).astype(int)
    share = at - low
    expected = sum(
        coarse[tuple(low + corner)] * np.prod(np.where(corner, share, 1 - share)) for corner in np.ndindex(2, 2, 2)
    )
    assert found[tuple(point)] == pytest.approx(expected, abs=1e-5)
    assert found[0, 0, 0] == 0.0


def test_a_crop_from_a_file_gives_the_very_same_numbers(
    network: LesionNetwork, crop: WorkingCrop, labels: Volume, tmp_path: Path
) -> None:
    crop.save(tmp_path / "crop.safetensors")
    again = WorkingCrop.load(tmp_path / "crop.safetensors")
    assert (tmp_path / "crop.safetensors").stat().st_size < 4.2 * crop.suv.array.size + 2000
    assert np.array_equal(network.run(again).probability, network.run(crop).probability)
    assert np.array_equal(network.pool(again, [labels]).regions[0].means, network.pool(crop, [labels]).regions[0].means)


def test_rounding_of_the_crop_stays_within_its_tolerance(
    network: LesionNetwork, crop: WorkingCrop, study: tuple[Volume, Volume]
) -> None:
    grid = working_grid(study[0], SHAPE.edge_mm)
    suv, ct = (
        resample_like(one, grid, fill=fill, interpolation="linear")
        for one, fill in zip(study, (0, AIR_HU), strict=True)
    )
    exact = replace(crop, suv=cut(suv, crop.box), ct_hu=cut(ct, crop.box))
    assert np.allclose(exact.suv.array, crop.suv.array, rtol=1 / 2000, atol=1e-6)
    assert np.abs(exact.ct_hu.array - crop.ct_hu.array).max() <= 0.5
    assert np.abs(network.run(exact).probability - network.run(crop).probability).max() < 1e-3


def test_flips_see_each_window_twice_and_know_no_left_and_right(
    network: LesionNetwork, crop: WorkingCrop, study: tuple[Volume, Volume]
) -> None:
    flipping = replace(network, flips=True)
    given = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        probability, parts = flipping._seeing(flipping.network)(given)
        mirrored, mirrored_parts = flipping._seeing(flipping.network)(given.flip(4))
        once, _ = network._seeing(network.network)(given)
    assert torch.allclose(probability, mirrored.flip(2), atol=1e-6)
    assert all(torch.allclose(one, two.flip(3), atol=1e-5) for one, two in zip(parts, mirrored_parts, strict=True))
    assert not torch.allclose(probability, once, atol=1e-6)


class Hungry(torch.nn.Module):
    """A network whose memory holds windows up to a size."""

    def __init__(self, inner: LampNetwork, voxels: int) -> None:
        super().__init__()
        self.inner, self.voxels = inner, voxels

    def forward(self, window: torch.Tensor) -> LesionMaps:
        if window[0, 0].numel() > self.voxels:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return self.inner(window)


def test_out_of_memory_is_answered_with_smaller_windows_and_said(
    network: LesionNetwork, crop: WorkingCrop, labels: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = replace(network, shape=replace(SHAPE, window=(16, 16, 16)))
    usual, small = wide.windows(crop), wide.windows(crop, small=True)
    hungry = replace(wide, network=Hungry(network.network, int(np.prod(usual.size)) - 1))
    with pytest.raises(torch.OutOfMemoryError):
        hungry.run(crop)
    ways = (Attempt(CPU), Attempt(CPU, small=True, note="Smaller windows."), Attempt(CPU, note="On the CPU."))
    monkeypatch.setattr(whole_body_module, "attempts", lambda processor: ways)
    run = hungry.run(crop, [labels])
    assert run.notes == ("Smaller windows.",)
    assert run.windows == len(small) > len(usual)
    as_small = network.run(crop, [labels])
    assert as_small.notes == ()
    assert np.array_equal(run.regions[0].means, as_small.regions[0].means)
    assert np.array_equal(run.probability, as_small.probability)
