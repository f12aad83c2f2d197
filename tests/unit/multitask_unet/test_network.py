"""Shapes of the network, its switches and what it is compared with; at full size on torch's meta device."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lymphoma.multitask_unet.comparators import build_network, finds_lesions, tells_events
from lymphoma.multitask_unet.network import Answers, MultitaskUnet
from lymphoma.multitask_unet.shape import MODELS, SMALL_SIZE, SMALL_WIDTHS, UnetShape

pytestmark = pytest.mark.unit

PUBLISHED = (32, 64, 128, 256)
TINY = (32, 16, 16)


def on_meta(model: str, size: tuple[int, int, int] = (224, 64, 64), n: int = 1) -> Answers:
    with torch.device("meta"):
        answers: Answers = build_network(model, size, PUBLISHED).eval()(torch.empty((n, 1, *size)))
    return answers


@pytest.mark.paper("liu-stages", "liu-branches", "liu-input")
def test_published_sizes() -> None:
    found = on_meta("ours", n=2)
    stages = [(224, 64, 64), (112, 32, 32), (56, 16, 16), (28, 8, 8)]
    assert [tuple(one.shape) for one in found.lesions] == [(2, 2, *stage) for stage in stages]
    assert [tuple(one.shape) for one in found.vectors] == [(2, 64)] * 3
    assert [tuple(one.shape) for one in found.event] == [(2, 2)] * 3
    assert [tuple(one.shape) for one in found.maps] == [
        (2, 256, 28, 8, 8),
        (2, 128, 56, 16, 16),
        (2, 64, 112, 32, 32),
    ]


@pytest.mark.paper("liu-ablation")
@pytest.mark.parametrize(
    ("model", "lesion_heads", "event_branches", "vector"),
    [("A", 1, 0, None), ("B", 0, 1, 256), ("C", 1, 1, 64), ("D", 4, 1, 64), ("E", 1, 3, 64), ("ours", 4, 3, 64)],
)
def test_switches_are_the_models_of_the_paper(
    model: str, lesion_heads: int, event_branches: int, vector: int | None
) -> None:
    found = on_meta(model)
    assert (len(found.lesions), len(found.event)) == (lesion_heads, event_branches)
    assert all(one.shape == (1, vector) for one in found.vectors)
    assert (finds_lesions(model), tells_events(model)) == (lesion_heads > 0, event_branches > 0)


def test_single_branch_is_at_the_bottom_and_a_single_lesion_head_at_full_size() -> None:
    found = on_meta("C")
    assert found.maps[0].shape == (1, 256, 28, 8, 8)
    assert found.lesions[0].shape == (1, 2, 224, 64, 64)


def test_the_encoder_alone_has_no_decoder() -> None:
    with torch.device("meta"):
        names = dict(build_network("B", (224, 64, 64), PUBLISHED).named_parameters())
    assert not [name for name in names if name.startswith(("up.", "lift.", "lesion_heads."))]


@pytest.mark.paper("liu-blocks")
def test_every_convolution_but_the_heads_is_normalised_and_halving_is_by_max_pooling() -> None:
    with torch.device("meta"):
        network = MultitaskUnet(UnetShape())
    kinds = [type(one).__name__ for one in network.modules()]
    heads = len(network.lesion_heads)
    assert kinds.count("Conv3d") - heads + kinds.count("ConvTranspose3d") == kinds.count("BatchNorm3d")
    assert {one.kernel_size for one in network.modules() if isinstance(one, torch.nn.Conv3d)} == {(3, 3, 3)}
    assert {one.stride for one in network.modules() if isinstance(one, torch.nn.Conv3d)} == {(1, 1, 1)}
    # the branches: twice at the two upper stages, once at the bottom
    pools = [sum(isinstance(one, torch.nn.MaxPool3d) for one in b.modules()) for b in network.event_branches]
    assert pools == [1, 2, 2]


@pytest.mark.paper("liu-comparators")
def test_comparators_answer_in_the_same_form() -> None:
    for model in ("resnet34", "densenet121"):
        found = on_meta(model, (64, 32, 32))
        assert found.lesions == ()
        assert found.event[0].shape == (1, 2)
    vnet = on_meta("vnet")
    assert vnet.lesions[0].shape == (1, 2, 224, 64, 64)
    assert [tuple(one.shape[1:]) for one in vnet.maps] == [(128, 28, 8, 8), (256, 14, 4, 4), (256, 28, 8, 8)]
    assert vnet.vectors[0].shape == (1, 640)


def test_the_shipped_size_is_half_the_published_one() -> None:
    assert tuple(2 * edge for edge in SMALL_SIZE) == MODELS["ours"].size
    assert tuple(2 * width for width in SMALL_WIDTHS) == MODELS["ours"].widths


def test_contradicting_switches_are_refused() -> None:
    with pytest.raises(ValueError, match="one task"):
        UnetShape(segments=False, classifies=False, deep_segmentation=False, deep_classification=False)
    with pytest.raises(ValueError, match="lesions needs the task"):
        UnetShape(segments=False)
    with pytest.raises(ValueError, match="decoder"):
        replace(MODELS["B"], deep_classification=True)
    with pytest.raises(ValueError, match="multiple of 16"):
        UnetShape(size=(100, 32, 32))


def test_each_branch_reads_its_own_stage_and_the_lesions_reach_the_encoder() -> None:
    torch.manual_seed(0)
    network = build_network("ours", TINY, (2, 3, 4, 5))
    image = torch.rand((2, 1, *TINY))
    network(image).event[0].sum().backward()
    # the bottom's branch learns through the encoder alone
    assert all(one.grad is None for one in network.up.parameters())
    network(image).lesions[0].sum().backward()
    assert all(one.grad is not None and bool(one.grad.abs().sum() > 0) for one in network.down[0][0].parameters())
