"""The network against the published counts and sizes, and against Keras with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lymphoma.deepmts.backbone import FOREGROUND
from lymphoma.deepmts.network import DeepMts, Images, Shape
from lymphoma.deepmts.single_task import SingleTask
from lymphoma.deepmts.survival_network import CascadedSurvivalNetwork

from tests.unit.deepmts.reference import Reference

pytestmark = pytest.mark.unit


def images(edge: int = 32, count: int = 1, clinic: int = 0, seed: int = 0) -> Images:
    rng = torch.Generator().manual_seed(seed)
    return Images(
        torch.randn((count, 2, edge, edge, edge), generator=rng),
        (torch.rand((count, 1, edge, edge, edge), generator=rng) > 0.9).float(),
        torch.rand((count, clinic), generator=rng),
    )


def weights(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.paper("deepmts-parameters")
def test_parameter_counts_are_the_published_ones() -> None:
    network = DeepMts(Shape(clinic=1))
    statistics = sum(one.numel() for name, one in network.named_buffers() if "running" in name)
    assert weights(network) == 3_709_672
    assert statistics == 14_600
    assert weights(network.backbone) == 2_664_066
    assert weights(network.survival) == 1_018_960
    assert weights(DeepMts()) == 3_709_672 - 1


@pytest.mark.paper("deepmts-sizes")
@pytest.mark.parametrize(("edge", "expected"), [(128, (31, 15, 7)), (112, (27, 13, 6)), (64, (15, 7, 3))])
def test_the_survival_network_comes_down_as_published(edge: int, expected: tuple[int, ...]) -> None:
    sizes: list[int] = []
    with torch.device("meta"), torch.no_grad():
        network = CascadedSurvivalNetwork().eval()
        network.stem[0].register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[-1]))
        taps = network(torch.zeros(1, 3, edge, edge, edge))
    assert sizes == [(edge - 3) // 2 + 1]
    assert tuple(tap.shape[-1] for tap in taps) == expected
    assert [tap.shape[1] for tap in taps] == [16, 32, 64]


@pytest.mark.paper("deepmts-taps")
def test_the_head_is_fed_124_and_112_numbers() -> None:
    network = DeepMts().eval()
    fed: list[list[int]] = []
    network.head.register_forward_pre_hook(lambda _m, given: fed.append([one.shape[1] for one in given[0]]))
    with torch.no_grad():
        predicted = network(images(count=2))
    assert fed == [[124, 112]]
    assert predicted.logits.shape == (2, 1)
    assert predicted.lesion is not None
    assert predicted.lesion.shape == (2, 32, 32, 32)


@pytest.mark.paper("deepmts-backbone", "deepmts-csn", "deepmts-head", "deepmts-foreground")
def test_forward_pass_equals_keras_with_the_same_weights() -> None:
    torch.manual_seed(3)
    network = DeepMts(Shape(clinic=1)).eval()
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            if name.endswith(("bias", "running_mean")):
                tensor.normal_(0.0, 0.2)
            elif name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
                tensor.uniform_(0.5, 1.5)
    given = images(clinic=1)
    seen: list[list[torch.Tensor]] = []
    network.head.register_forward_pre_hook(lambda _m, fed: seen.append(fed[0]))
    with torch.no_grad():
        predicted = network(given)
    reference = Reference({name: one.numpy() for name, one in network.state_dict().items()})
    answer, both, deep, cascaded = reference(np.moveaxis(given.image.numpy(), 1, -1), given.clinic.numpy())
    assert predicted.lesion is not None
    assert np.ptp(both[..., FOREGROUND]) > 0.1, "a constant map would agree with anything"
    for own, other in (
        (predicted.logits, answer),
        (predicted.lesion, both[..., 0]),  # the foreground is channel 0
        (seen[0][0], deep),
        (seen[0][1], cascaded),
    ):
        # single precision through some 80 layers
        np.testing.assert_allclose(own.numpy(), other, atol=1e-4, rtol=1e-4)


@pytest.mark.paper("deepmts-gradient")
def test_the_survival_loss_reaches_the_last_layer_of_the_backbone() -> None:
    network = DeepMts().train()
    network(images(count=2)).logits.sum().backward()
    assert network.backbone.last.weight.grad is not None
    assert network.backbone.last.weight.grad.abs().sum() > 0, "it has no other way there than the mask"


@pytest.mark.paper("deepmts-discrete")
def test_the_head_may_give_hazards() -> None:
    with torch.no_grad():
        predicted = DeepMts(Shape(head="discrete")).eval()(images())
    assert predicted.logits.shape == (1, 4)


@pytest.mark.paper("deepmts-single-task")
def test_the_baselines_see_what_they_are_named_after() -> None:
    first, second = images(seed=1, clinic=1), images(seed=2, clinic=1)
    mixed = Images(first.image, second.mask, first.clinic)
    with torch.no_grad():
        for sees, same in (("image", first), ("mask", second)):
            network = SingleTask(Shape(clinic=1), sees).eval()
            other = Images(mixed.image, mixed.mask, same.clinic)
            alone = Images(same.image, same.mask, same.clinic)
            assert torch.equal(network(other).logits, network(alone).logits)
            assert network(alone).lesion is None
            assert not torch.equal(network(first).logits, network(second).logits)
