"""A network laid out for its processor says what it said before."""

from __future__ import annotations

import copy

import pytest
import torch
from lymphoma.inference.device import Processor
from lymphoma.inference.layout import laid_out
from lymphoma.segmentation.network import LampNetwork, LampShape
from monai.networks.nets import DynUNet

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")
SMALL = LampShape(widths=(4, 8), last_single=4, last_fused=8, supervised=2, window=(8, 8, 8))


def lesion_network() -> torch.nn.Module:
    return LampNetwork(SMALL)


def organ_network() -> torch.nn.Module:
    return DynUNet(
        spatial_dims=3,
        in_channels=2,
        out_channels=5,
        kernel_size=[3, 3, 3],
        strides=[1, 2, 2],
        upsample_kernel_size=[2, 2],
        filters=[4, 8, 8],
        norm_name=("INSTANCE", {"affine": True}),
    )


def answer(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        given = network(image)
    return given if isinstance(given, torch.Tensor) else given.log_probability


@pytest.mark.parametrize("make", [lesion_network, organ_network])
def test_mixed_on_a_cpu_is_the_same_network(make) -> None:
    torch.manual_seed(3)
    plain = make().eval()
    for parameter in plain.parameters():  # norms of fresh networks are all alike
        parameter.data.uniform_(-0.5, 0.5)
    fast = laid_out(copy.deepcopy(plain), Processor(CPU, mixed=True))
    kinds = [type(module).__name__ for module in fast.modules()]
    assert "GroupNorm" in kinds
    assert "InstanceNorm3d" not in kinds
    image = torch.randn(1, 2, 16, 8, 8)
    # float32, sums in another order
    assert torch.allclose(answer(fast, image), answer(plain, image), atol=1e-5)
    state, before = fast.state_dict(), plain.state_dict()
    assert state.keys() == before.keys()
    assert all(torch.equal(state[name], before[name]) for name in before)


def test_float32_is_left_as_it_is() -> None:
    network = laid_out(lesion_network(), Processor(CPU))
    assert "InstanceNorm3d" in [type(module).__name__ for module in network.modules()]
    assert not network.training
