"""Features of lesions and organs of one study: whichever way they come, they are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.anatomy.classes import ClassTable, OrganClass
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging import Volume
from lymphoma.inference.device import Processor
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.segmentation.network import LampNetwork, LampShape
from lymphoma.segmentation.network_segmenter import NetworkSegmenter
from lymphoma.segmentation.pooling import StudyPooler, StudyRegions
from lymphoma.segmentation.whole_body import LesionNetwork
from lymphoma.segmentation.working_crop import AIR_HU, WorkingCrop

pytestmark = pytest.mark.unit

SHAPE = LampShape(widths=(2, 3), supervised=1, edge_mm=8.0, window=(8, 8, 8))
TABLE = ClassTable(
    (
        OrganClass(0, "background", ()),
        OrganClass(1, "liver", ("liver",)),
        OrganClass(2, "lung_left", ("lung_upper_lobe_left", "lung_lower_lobe_left")),
        OrganClass(3, "spleen", ("spleen",)),
        OrganClass(4, "uterus", ("uterus",)),
    )
)
NAMES = {5: "lung_upper_lobe_left", 7: "liver", 9: "spleen", 11: "lung_lower_lobe_left"}


@pytest.fixture(scope="module")
def network() -> LesionNetwork:
    torch.manual_seed(4)
    organs = tuple(TABLE.names.values())
    return LesionNetwork(LampNetwork(SHAPE).eval(), SHAPE, "ab" * 32, organs, Processor(torch.device("cpu")))


@pytest.fixture(scope="module")
def suv() -> Volume:
    values = 1.0 + np.random.default_rng(3).random((24, 14, 14))
    return Volume(values.astype(np.float32), np.diag([8.0, 8.0, 8.0, 1.0]))


@pytest.fixture(scope="module")
def crop(network: LesionNetwork, suv: Volume) -> WorkingCrop:
    return network.crop(suv, suv.with_array(np.full(suv.array.shape, 40, dtype=np.float32)))


@pytest.fixture(scope="module")
def anatomy(suv: Volume) -> Anatomy:
    """An upper and a lower lobe, a liver, and a spleen that a lesion fills."""
    organs = np.zeros(suv.array.shape, dtype=np.uint8)
    organs[16:22, 2:12, 8:13] = 5
    organs[11:16, 2:12, 8:13] = 11
    organs[2:9, 2:12, 1:7] = 7
    organs[3:6, 4:7, 9:12] = 9
    return Anatomy("given", suv.with_array(organs), NAMES)


@pytest.fixture(scope="module")
def lesions(suv: Volume) -> Volume:
    drawn = np.zeros(suv.array.shape, dtype=np.uint16)
    drawn[4:8, 4:9, 5:8] = 1
    drawn[3:6, 4:7, 9:12] = 2
    return suv.with_array(drawn)


@pytest.fixture(scope="module")
def edited(lesions: Volume) -> Volume:
    drawn = np.zeros_like(lesions.array)
    drawn[4:6, 3:8, 2:6] = 1
    return lesions.with_array(drawn)


def pooler(network: LesionNetwork, crop: WorkingCrop, anatomy: Anatomy, known: PooledFeatures | None = None):
    return StudyPooler(network, crop, anatomy, known, TABLE)


@pytest.fixture(scope="module")
def first(network: LesionNetwork, crop: WorkingCrop, anatomy: Anatomy, lesions: Volume) -> PooledFeatures:
    return pooler(network, crop, anatomy).pool(lesions)


def same(one: PooledFeatures, other: PooledFeatures) -> None:
    assert np.allclose(one.lesions, other.lesions, atol=1e-5)
    assert np.allclose(one.organs, other.organs, atol=1e-5)
    assert np.array_equal(one.present, other.present)
    assert one.lesion_map == other.lesion_map


@pytest.mark.paper("lamp-eq2")
def test_organs_are_pooled_without_their_lesion_voxels_in_the_order_of_the_table(
    first: PooledFeatures, network: LesionNetwork, crop: WorkingCrop, anatomy: Anatomy, lesions: Volume
) -> None:
    assert anatomy.organs is not None
    rest = np.where(lesions.array > 0, 0, anatomy.organs.array)
    by_hand = np.zeros(rest.shape, dtype=np.uint8)
    by_hand[rest == 7], by_hand[(rest == 5) | (rest == 11)] = 1, 2
    (expected,) = network.pool(crop, [lesions.with_array(by_hand)]).regions
    assert first.organ_names == ("liver", "lung_left", "spleen", "uterus")
    assert np.allclose(first.organs[:2], expected.means, atol=1e-5)
    # the spleen is all lesion, and there is no uterus
    assert first.present.tolist() == [True, True, False, False]
    assert not first.organs[2:].any()
    assert first.lesions.shape == (2, 128)


def test_an_edited_contour_pools_as_if_it_were_the_first(
    first: PooledFeatures, network: LesionNetwork, crop: WorkingCrop, anatomy: Anatomy, edited: Volume
) -> None:
    anew = pooler(network, crop, anatomy).pool(edited)
    after = pooler(network, crop, anatomy, first).pool(edited)
    same(after, anew)
    # and the spleen is back, as no lesion is drawn over it any more
    assert after.present.tolist() == [True, True, True, False]
    assert not np.allclose(after.organs[0], first.organs[0], atol=1e-5)


def test_only_the_windows_of_the_edited_contour_are_run(
    first: PooledFeatures,
    network: LesionNetwork,
    crop: WorkingCrop,
    anatomy: Anatomy,
    lesions: Volume,
    edited: Volume,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[int] = []
    forward = LampNetwork.forward

    def counted(self: LampNetwork, image: torch.Tensor):
        ran.append(1)
        return forward(self, image)

    monkeypatch.setattr(LampNetwork, "forward", counted)
    assert pooler(network, crop, anatomy, first).pool(lesions) is first
    assert not ran
    pooler(network, crop, anatomy, first).pool(edited)
    assert 0 < len(ran) < len(network.windows(crop))


def test_features_of_another_network_are_not_reused(
    first: PooledFeatures, network: LesionNetwork, crop: WorkingCrop, anatomy: Anatomy, lesions: Volume
) -> None:
    strange = replace(first, network="cd" * 32, lesions=np.zeros_like(first.lesions))
    same(pooler(network, crop, anatomy, strange).pool(lesions), first)


def test_features_kept_without_whole_organs_keep_their_organ_rows(
    first: PooledFeatures, network: LesionNetwork, crop: WorkingCrop, anatomy: Anatomy, edited: Volume
) -> None:
    plain = replace(first, whole_organs=None, organ_voxels=None)
    after = pooler(network, crop, anatomy, plain).pool(edited)
    assert np.array_equal(after.organs, first.organs)
    assert np.allclose(after.lesions, pooler(network, crop, anatomy).pool(edited).lesions, atol=1e-5)


@pytest.mark.paper("lamp-lesion")
def test_what_is_decided_after_the_pass_gives_the_features_of_that_lesion_map(
    first: PooledFeatures, network: LesionNetwork, crop: WorkingCrop, anatomy: Anatomy, lesions: Volume
) -> None:
    """Candidates 1 and 2 are pooled; then only 2 is a lesion, and becomes lesion 1."""
    regions = StudyRegions.of(lesions, anatomy, TABLE)
    seen = network.run(crop, regions.volumes).regions
    kept = lesions.with_array((lesions.array == 2).astype(np.uint16))
    found = regions.pooled(network.digest, seen, kept, {2: 1})
    same(found, pooler(network, crop, anatomy).pool(kept))
    assert np.allclose(found.lesions[0], first.lesions[1], atol=1e-6)
    none = regions.pooled(network.digest, seen, lesions.with_array(np.zeros_like(lesions.array)), {})
    assert none.lesions.shape == (0, 128)


def test_features_survive_the_file(first: PooledFeatures, tmp_path: Path) -> None:
    first.save(tmp_path / "features.safetensors")
    again = PooledFeatures.load(tmp_path / "features.safetensors")
    same(first, again)
    assert again.whole_organs is not None
    assert np.array_equal(again.whole_organs, first.whole_organs)
    plain = replace(first, whole_organs=None, organ_voxels=None, lesion_map="")
    plain.save(tmp_path / "plain.safetensors")
    assert PooledFeatures.load(tmp_path / "plain.safetensors").whole_organs is None


def test_without_an_organ_map_nothing_is_pooled(network: LesionNetwork, crop: WorkingCrop, lesions: Volume) -> None:
    with pytest.raises(NotComputable, match="NO_ANATOMY"):
        pooler(network, crop, Anatomy("none")).pool(lesions)


class Threshold(torch.nn.Module):
    """Says lesion where the PET is hot, in the form of the lesion network."""

    def __init__(self, inner: LampNetwork) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: torch.Tensor):
        maps = self.inner(image)
        hot = torch.sigmoid(20.0 * (image[:, :1] - 5.0))
        return replace(maps, log_probability=torch.cat([1 - hot, hot], dim=1).clamp(min=1e-9).log())


def test_the_network_draws_what_it_thinks_lesion_and_accepts_it(network: LesionNetwork, suv: Volume) -> None:
    values = suv.array.copy()
    values[10:14, 4:8, 4:8] = 12.0
    values[20, 10, 10] = 12.0
    pet, ct = suv.with_array(values), suv.with_array(np.full(values.shape, AIR_HU + 1064, dtype=np.float32))
    organs = np.full(values.shape, 17, dtype=np.uint8)
    anatomy = Anatomy("given", suv.with_array(organs), {17: "liver"})
    segmenter = NetworkSegmenter(replace(network, network=Threshold(network.network)))
    found = segmenter.segment(pet, ct, anatomy)
    assert np.array_equal(found.lesion_map.array > 0, values > 6) is False  # the single voxel is below 3 mL
    assert np.array_equal(np.argwhere(found.lesion_map.array), np.argwhere(values[:20] > 6))
    (one,) = found.judged
    assert (one.status, one.lesion, one.organ) == ("accepted", 1, "liver")
    assert one.volume_ml == pytest.approx(64 * 0.512)
    assert one.p_lesion > 0.95
    assert one.suv_max == pytest.approx(12.0)
    assert found.probability is not None
    assert found.pooled is not None
    assert found.pooled.lesions.shape == (1, 128)
    assert "probability > 0.5" in segmenter.description
    assert segmenter.segment(suv, ct, Anatomy("none")).judged == ()
